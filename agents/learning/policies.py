"""The network as policies of Stable-Baselines3 and sb3-contrib, so that their learners are used as they are.

    PPO(SignalPolicy, TrafficVecEnv("grid4x4"))
    MaskablePPO(MaskableSignalPolicy, TrafficVecEnv("grid4x4"))
    DQN(SignalQPolicy, TrafficVecEnv("grid4x4"))

The sizes of the observation's blocks come with its space. For `TrafficSignalEnv`, which decides for all signals of a
network at once, `SignalPolicy` scores each signal by itself with the same weights and adds up their values.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.distributions import CategoricalDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn
from torch.distributions import Categorical

from intergreen.agents.learning import kernels
from intergreen.agents.learning.network import SignalNetwork
from intergreen.envs.observation import CHOICE_COLUMNS
from intergreen.envs.spaces import SignalSpace

# What learners ask a policy for that SignalPolicy is not made for, and what to give them.
_ASKED_BY_OTHERS = {
    "q_net": "it is for PPO and A2C; DQN takes SignalQPolicy",
    "lstm_actor": "it remembers nothing and is for PPO and A2C; RecurrentPPO takes 'MlpLstmPolicy'",
}

_LOWEST = -1.0 / 9.0  # of an observation: at and below it the network's first logarithm is no number
_INVALID = (
    "the scores hold invalid values: the weights have diverged, or observations are not >= 0 as environments give them"
    " (VecNormalize makes them so; use norm_obs=False)"
)
_LAYERS = ("net_arch", "activation_fn", "ortho_init")  # of an actor-critic policy of Stable-Baselines3
_Q_LAYERS = ("net_arch", "activation_fn", "features_extractor_class", "features_extractor_kwargs")


class _Together(nn.Module):
    """A `SignalNetwork` for observations of several signals at once: scores side by side, values added up."""

    def __init__(self, space: SignalSpace, *, width: int) -> None:
        super().__init__()
        self.network = SignalNetwork(space.blocks, width=width)
        self.signals = space.signals
        choices = space.blocks.choices
        kept = [i * choices + c for i, count in enumerate(space.n_choices) for c in range(count)]
        everything = len(kept) == space.signals * choices
        self._kept = None if everything else torch.tensor(kept)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        scores, values = self.network(self._apart(observation))
        _refuse_invalid(scores)
        return self._beside(scores), values.view(-1, self.signals).sum(dim=1, keepdim=True)

    def forward_actor(self, observation: Tensor) -> Tensor:
        scores = self.network.forward_actor(self._apart(observation))
        _refuse_invalid(scores)
        return self._beside(scores)

    def forward_critic(self, observation: Tensor) -> Tensor:
        values = self.network.forward_critic(self._apart(observation))
        return values.view(-1, self.signals).sum(dim=1, keepdim=True)

    def best_choices(self, observation: Tensor, masks: Any = None) -> Tensor:
        """(N,) for one signal, else (N, signals): the choices with the highest scores, the first of equals.

        masks  which choices may be chosen at all, flat as a learner's masks are, one choice of a signal after another
        """
        if not float(observation.min()) > _LOWEST:  # NaN is not either
            raise ValueError(_INVALID)
        best = self.network.best_choices(self._apart(observation), self._unpacked(masks, observation))
        return best if self.signals == 1 else best.view(-1, self.signals)

    def _unpacked(self, masks: Any, observation: Tensor) -> Tensor | None:
        """(N × signals, C) with places for the choices that a signal lacks."""
        if masks is None:
            return None
        choices = self.network.blocks.choices
        given = torch.as_tensor(masks, dtype=torch.bool, device=observation.device).reshape(len(observation), -1)
        if self._kept is not None:
            every = given.new_zeros(len(observation), self.signals * choices)
            every[:, self._kept] = given
            given = every
        return given.reshape(-1, choices)

    def _apart(self, observation: Tensor) -> Tensor:
        return observation.reshape(-1, self.network.blocks.size)

    def _beside(self, scores: Tensor) -> Tensor:
        flat = scores.reshape(-1, self.signals * scores.shape[1])
        return flat if self._kept is None else flat[:, self._kept]


class _OneOfScored(CategoricalDistribution):
    """A choice drawn by scores that nobody looks through for what is no number: drawing refuses those anyway."""

    def proba_distribution(self, action_logits: Tensor) -> _OneOfScored:
        self.distribution = Categorical(logits=action_logits, validate_args=False)
        return self


class SignalPolicy(ActorCriticPolicy):
    """For PPO and A2C. `policy_kwargs={"width": 64}` sets the width of all layers."""

    def __init__(self, *args: Any, width: int = 32, **kwargs: Any) -> None:
        _check_layers(type(self), width, kwargs, _LAYERS)
        self._width = width
        super().__init__(*args, **kwargs)

    @property
    def network_of_one_signal(self) -> SignalNetwork | None:
        """The network, where an observation is that of one signal and an action one choice; else None."""
        alone = isinstance(self.action_dist, _OneOfScored) and self.mlp_extractor.signals == 1
        return cast(SignalNetwork, self.mlp_extractor.network) if alone else None

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (N,), values (N, 1) and the actions' log-probabilities (N,)."""
        network = self.network_of_one_signal
        if network is None or deterministic or torch.is_grad_enabled() or self.device.type != "cpu":
            return super().forward(obs, deterministic)
        scores, values = network(obs)
        actions, log_probs = drawn(scores)
        return actions, values, log_probs

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        if deterministic:
            return _best_choices(self, observation)
        return super()._predict(observation, deterministic)

    def __getattr__(self, name: str) -> Any:
        if name in _ASKED_BY_OTHERS:
            raise AttributeError(f"SignalPolicy has no {name}: {_ASKED_BY_OTHERS[name]}")
        return super().__getattr__(name)

    def _build(self, lr_schedule: Any) -> None:
        _build_network(self, self._width, lr_schedule)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return _without(super()._get_constructor_parameters(), _LAYERS) | {"width": self._width}


class MaskableSignalPolicy(MaskableActorCriticPolicy):
    """For MaskablePPO."""

    def __init__(self, *args: Any, width: int = 32, **kwargs: Any) -> None:
        _check_layers(type(self), width, kwargs, _LAYERS)
        self._width = width
        super().__init__(*args, **kwargs)

    def _predict(self, observation: Any, deterministic: bool = False, action_masks: np.ndarray | None = None) -> Tensor:
        if deterministic:
            return _best_choices(self, observation, action_masks)
        return super()._predict(observation, deterministic, action_masks)

    def _build(self, lr_schedule: Any) -> None:
        _build_network(self, self._width, lr_schedule)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return _without(super()._get_constructor_parameters(), _LAYERS) | {"width": self._width}


def drawn(scores: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) one choice of each row by its scores (N, C) and one random number, and its log-probability."""
    actions, log_probs = torch.empty(len(scores), dtype=torch.int64), scores.new_empty(len(scores))
    arrays = (array.numpy() for array in (actions, log_probs, scores, torch.rand(len(scores))))
    if not kernels.draw(*arrays):
        raise ValueError(_INVALID)
    return actions, log_probs


def _refuse_invalid(scores: Tensor) -> None:
    """Raise the ValueError of scores that are no numbers: learners would go on with them, and save them."""
    if not torch.isfinite(scores.detach().sum()):
        raise ValueError(_INVALID)


def _best_choices(policy: Any, observation: Any, masks: np.ndarray | None = None) -> Tensor:
    """What an actor-critic policy chooses where nothing is drawn."""
    flat = policy.extract_features(observation, policy.pi_features_extractor)
    best: Tensor = policy.mlp_extractor.best_choices(flat, masks)
    return best


def _build_network(policy: Any, width: int, lr_schedule: Any) -> None:
    """The network in place of the layers that an actor-critic policy of Stable-Baselines3 builds."""
    policy.mlp_extractor = _Together(require_signal_space(policy.observation_space), width=width)
    policy.action_net = nn.Identity()
    policy.value_net = nn.Identity()
    if type(policy.action_dist) is CategoricalDistribution:
        policy.action_dist = _OneOfScored(policy.action_space.n)
    settings = policy.optimizer_kwargs
    if policy.optimizer_class is torch.optim.Adam:
        settings = {"fused": True, **settings}  # all weights in one go: they are small, and sixteen arrays
    policy.optimizer = policy.optimizer_class(policy.parameters(), lr=lr_schedule(1), **settings)


class SignalQNetwork(QNetwork):
    """Values of the choices; one that is not allowed is worth less than any that is, and teaches nothing."""

    def __init__(
        self, observation_space: spaces.Space[Any], action_space: spaces.Discrete, *, width: int, **others: Any
    ) -> None:
        space = require_signal_space(observation_space)
        super().__init__(space, action_space, net_arch=[], **others)
        self._width = width
        self._blocks = space.blocks
        self.q_net = _Together(space, width=width)  # type: ignore[assignment]

    def forward(self, obs: Any) -> Tensor:
        """(N, C)."""
        flat = self.extract_features(obs, self.features_extractor)
        blocks, network = self._blocks, cast(_Together, self.q_net)
        flags = flat[:, blocks.choices_at : blocks.signal_at].reshape(-1, blocks.choices, len(CHOICE_COLUMNS))
        allowed = flags[:, :, 1] > 0.0
        scores = network.forward_actor(flat)
        lowest = scores.masked_fill(~allowed, torch.inf).min(dim=1, keepdim=True).values.detach()
        return torch.where(allowed, scores, lowest - 1.0)

    def _predict(self, observation: Any, deterministic: bool = True) -> Tensor:
        return cast(_Together, self.q_net).best_choices(self.extract_features(observation, self.features_extractor))

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "width": self._width}


class SignalQPolicy(DQNPolicy):
    """For DQN."""

    def __init__(self, *args: Any, width: int = 32, **kwargs: Any) -> None:
        _check_layers(type(self), width, kwargs, _Q_LAYERS)
        self._width = width
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> QNetwork:
        extractor: BaseFeaturesExtractor = FlattenExtractor(self.observation_space)
        return SignalQNetwork(
            self.observation_space,
            cast(spaces.Discrete, self.action_space),
            width=self._width,
            features_extractor=extractor,
            features_dim=extractor.features_dim,
        ).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return _without(super()._get_constructor_parameters(), _Q_LAYERS) | {"width": self._width}


def require_signal_space(space: spaces.Space[Any]) -> SignalSpace:
    """The space with the sizes of the blocks; ValueError for the space of another environment."""
    if not isinstance(space, SignalSpace):
        raise ValueError(f"the policy reads observations of Intergreen's environments, got the space {space}")
    return space


def _check_layers(policy: type, width: object, kwargs: dict[str, Any], layers: tuple[str, ...]) -> None:
    """ValueError for no width, TypeError for settings of layers that the network of a policy here stands for."""
    if not isinstance(width, int | np.integer) or width < 1:
        raise ValueError(f"need a whole number width >= 1, got {width!r}")
    for name in layers:
        if name in kwargs:
            instead = 'policy_kwargs={"width": 64} sets the width of all of them'
            raise TypeError(f"{policy.__name__} has layers of its own and takes no {name}; {instead}")


def _without(parameters: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in names}
