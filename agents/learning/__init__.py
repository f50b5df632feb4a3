"""Learning: recipes, training, and the trained policy as a controller.

recipe             what a training run is told, from YAML
train              the run: Stable-Baselines3's PPO on every signal of every copy of a network
keeper             checkpoints, the log, and when to stop
run_folder         the files of a run; nothing that loads them unpickles
policy_weights     the policy's network as arrays, computed with NumPy
policy_controller  a run's folder as a controller; needs no PyTorch
"""
