"""Everything that decides, learns and compares: controllers, learning, evaluation, the command line."""

if __name__ == "agents":
    raise ImportError("the folder agents/ is installed as intergreen.agents: import that name")
