"""`python -m intergreen.agents`: the command line without its script."""

import sys

from intergreen.agents.cli import main

sys.exit(main())
