"""Pages to look at: a run played back (`replay`), a comparison with its pictures (`report`), and figures for papers.

Each page is one file that loads nothing from elsewhere: style, script and data stand in it.
"""
