"""Learning: from a recipe to a run's folder. The controller that reads such a folder is in `controllers/learned.py`.

recipe   what a training run is told, from YAML
train    the run: Stable-Baselines3's PPO on every signal of every copy of a network
keeper   checkpoints, the log, and when to stop
"""
