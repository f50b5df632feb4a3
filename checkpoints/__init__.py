"""The place for trained policies that are shipped, each with its model card; none yet. Data only, no code."""

if __name__ == "checkpoints":
    raise ImportError("the folder checkpoints/ is installed as intergreen.checkpoints: import that name")
