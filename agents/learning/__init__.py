"""Learning: from a recipe to a run's folder. The controller that reads such a folder is in `controllers/learned.py`.

recipe      what a training run is told, from YAML
worlds      generated networks to train on
network, policies   the policy's network, and as policies of Stable-Baselines3
passes, kernels     what the network computes and its slopes, written out for the CPU
signal_ppo          PPO with its update written out: `surrogate` the loss, `update` a minibatch, `rollouts` the buffer
prepare     a run, read and checked before it begins
train       the run itself, on every signal of every copy of the networks
model       the learner that the recipe describes: PPO, MaskablePPO or DQN
saved_model a model that was trained in Python, as the folder of a run
discount    by time instead of by decision, where the recipe asks for it
averaging   the mean of the weights over the updates
keeper      when to stop, to evaluate and to write
trials      how a controller does on trips that nobody trains on
budget, checkpoint, log, origin   time, files to go on from, rows, and where the code came from
"""
