"""Trained policies that are shipped, each the folder of its training run with a model card. Data only, no code."""

if __name__ == "checkpoints":
    raise ImportError("the folder checkpoints/ is installed as intergreen.checkpoints: import that name")
