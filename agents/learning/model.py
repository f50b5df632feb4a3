"""From a recipe to a learner of Stable-Baselines3 or sb3-contrib, and from the learner to its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.logger import Logger

from intergreen.agents.learning.critic_first import CriticFirst
from intergreen.agents.learning.discount import TimedDiscount
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.policies import MaskableSignalPolicy, SignalPolicy, SignalQPolicy
from intergreen.agents.learning.signal_ppo import SignalPPO
from intergreen.agents.learning.update import warm_up

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.callbacks import BaseCallback

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.budget import Budget
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.envs.vector_env import TrafficVecEnv


def make_model(env: TrafficVecEnv, recipe: Recipe, budget: Budget, start: PolicyNetwork | None = None) -> BaseAlgorithm:
    """The learner that the recipe describes, with schedules that follow the budget; its first weights those of `start`,
    or random ones."""
    section = recipe.dqn if recipe.algorithm == "dqn" else recipe.ppo
    rate = section.learning_rate
    common: dict[str, Any] = {
        "learning_rate": lambda _: budget.falling(rate),
        "policy_kwargs": {"width": recipe.width},
        "seed": recipe.seed,
        "device": "cpu",
    }
    model = _dqn(env, recipe, budget, common) if recipe.algorithm == "dqn" else _ppo(env, recipe, common)
    network = _signal_network(model)
    warm_up(network)
    if start is not None:
        network.become(start)
        if isinstance(model, DQN):
            model.q_net_target.load_state_dict(model.q_net.state_dict())
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


def adjustments(env: TrafficVecEnv, recipe: Recipe, budget: Budget, model: BaseAlgorithm) -> list[BaseCallback]:
    """What the recipe asks of PPO beyond what Stable-Baselines3's does."""
    if recipe.algorithm == "dqn":
        return []
    asked: list[BaseCallback] = []
    if recipe.ppo.decision_s is not None:
        asked.append(TimedDiscount(recipe.ppo, env.interval_s, recipe.ppo.decision_s))
    if recipe.start is not None:
        asked.append(CriticFirst(_signal_network(model), lambda: budget.share, recipe.ppo.critic_first))
    return asked


def network_of(model: BaseAlgorithm) -> PolicyNetwork:
    """The layers that lead from an observation to the scores of the choices, as arrays of their own.

    Raises
    ------
    FloatingPointError
        If a weight is no longer a finite number.
    TypeError
        If the model has another policy than those of `policies.py`.
    """
    layers = _signal_network(model)
    if not all(torch.isfinite(tensor).all() for tensor in layers.state_dict().values()):
        raise FloatingPointError(not_finite("weights", model.num_timesteps))
    return layers.actor()


def not_finite(what: str, steps: int) -> str:
    """What is said of a policy whose weights or scores have grown beyond all bounds."""
    return f"the policy's {what} are no longer finite numbers after {steps:,} decisions; lower the learning rate"


def batch_size(decisions: int, *, minibatches: int) -> int:
    """Decisions in one of at most `minibatches` equal parts, at least two in each.

    >>> batch_size(7680, minibatches=4), batch_size(7, minibatches=4), batch_size(6, minibatches=4)
    (1920, 7, 2)
    """
    parts = max(k for k in range(1, minibatches + 1) if decisions % k == 0 and decisions // k >= 2)
    return decisions // parts


def _ppo(env: TrafficVecEnv, recipe: Recipe, common: dict[str, Any]) -> PPO | MaskablePPO:
    settings = recipe.ppo.model_dump(exclude={"learning_rate", "minibatches", "decision_s", "critic_first"})
    size = batch_size(env.num_envs * recipe.ppo.n_steps, minibatches=recipe.ppo.minibatches)
    if recipe.algorithm == "maskable-ppo":
        return MaskablePPO(MaskableSignalPolicy, env, batch_size=size, **common, **settings)
    return SignalPPO(SignalPolicy, env, batch_size=size, **common, **settings)


def _dqn(env: TrafficVecEnv, recipe: Recipe, budget: Budget, common: dict[str, Any]) -> DQN:
    settings = recipe.dqn.model_dump(exclude={"learning_rate"})
    # Stable-Baselines3 warns where a target is due more often than once a step of all slots, and then does just that.
    settings["target_update_interval"] = max(settings["target_update_interval"], env.num_envs)
    model = DQN(SignalQPolicy, env, **common, **settings)
    # It counts steps, of which a budget in minutes has no number: exploring goes by the budget's share instead.
    schedule = model.exploration_schedule
    model.exploration_schedule = lambda _: schedule(1.0 - budget.share)
    return model


def _signal_network(model: BaseAlgorithm) -> SignalNetwork:
    policy: Any = model.policy
    together = getattr(policy.q_net, "q_net", None) if isinstance(model, DQN) else policy.mlp_extractor
    network = getattr(together, "network", None)
    if not isinstance(network, SignalNetwork):
        kinds = "SignalPolicy, MaskableSignalPolicy or SignalQPolicy"
        mend = "another kind is evaluated through agents.controllers.observed"
        raise TypeError(f"need a model with {kinds}, its policy is {type(policy).__name__}; {mend}")
    return network
