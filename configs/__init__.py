"""Scenarios, training recipes and lists of faults as YAML files; data only, no code."""

if __name__ == "configs":
    raise ImportError("the folder configs/ is installed as intergreen.configs: import that name")
