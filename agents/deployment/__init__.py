"""From a trained policy to a street: the bundle, its runtime, and what happens when something fails.

bundle, onnx_file   reading a bundle, all of it checked, nothing executed
inference           the policy at work, in time or not at all
plain_policy        its graph in NumPy, which decides faster; the graph where NumPy does not score as it does
policy_room         what the layers of that one hand to one another: the same memory for every decision
health, ladder      which detectors can be believed; who decides when something is wrong
controller          a bundle as a controller, the same in evaluation and on the street
runtime             SignalController: a bundle in charge of a network's signals, NumPy and onnxruntime only
names, shipped      whoever decides, by name; shipped bundles
draft, graph, recorded, proofs, columns, card   making a bundle; these need the learning stack
"""
