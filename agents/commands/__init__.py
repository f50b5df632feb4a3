"""The commands of the command line: each reads options, calls the library, and delivers what comes back.

common     what they share
runs       scenarios, evaluate, compare, verify
learning   train, demo, published, transfer
deploy     export, shadow
speed      benchmark
"""
