"""Trained policies that are shipped, each with its model card; data only, no code."""

if __name__ == "checkpoints":
    raise ImportError("the folder checkpoints/ is installed as intergreen.checkpoints: import that name")
