"""The face for Stable-Baselines3: every signal of every parallel copy of a network is one slot of a `VecEnv`.

So one policy with shared weights learns from all of them, and the batch axis is all there is to parameter sharing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import Wrapper, spaces

from intergreen.envs.episodes import Episodes
from intergreen.envs.observation import legal_choices

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError('the vector environment needs Stable-Baselines3: pip install "intergreen[train]"') from error

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

    from intergreen.envs.arrays import BoolArray, Float32Array
    from intergreen.envs.scenario import Scenario

_NOTHING: dict[str, Any] = {}  # shared by all slots of all steps that have nothing to tell


class TrafficVecEnv(VecEnv):
    """B copies of a network with I signals as B * I slots; slot b * I + i is signal i of copy b.

    Observation (F,) and reward of a slot are those of its signal in `TrafficSignalEnv`. The action is the index of a
    choice; `Discrete` for the widest signal, and an index that a narrower signal does not have keeps its phase.
    All copies end together at the horizon and begin again on fresh demand, each on its own: then, and only then, the
    infos hold `terminal_observation`, `TimeLimit.truncated`, `episode` (`r`: the slot's sum of rewards, `l`: decisions)
    and `average_travel_time_s` of the copy.

    `seed(s)` makes copy b draw the episodes of a `TrafficSignalEnv` that was reset with seed s + b.
    """

    def __init__(
        self,
        scenario: str | Scenario = "grid4x4",
        *,
        replicas: int = 8,
        threads: int = 1,
        protocol: str | None = None,
        horizon_s: int | None = None,
        reward: str = "queue",
        exact_trips: bool = False,
    ) -> None:
        self.episodes = Episodes(
            scenario,
            protocol=protocol,
            horizon_s=horizon_s,
            reward=reward,
            exact_trips=exact_trips,
            replicas=replicas,
            threads=threads,
        )
        self.render_mode = None
        layout = self.episodes.layout
        self._shape = (replicas, layout.n_signals)
        super().__init__(
            num_envs=replicas * layout.n_signals,
            observation_space=spaces.Box(0.0, 1.0, (layout.n_features,), np.float32),
            action_space=spaces.Discrete(layout.widest[2]),
        )
        self._action_masks: BoolArray = np.tile(legal_choices(layout), (replicas, 1))
        self._randoms = [np.random.default_rng() for _ in range(replicas)]
        self._choice = np.zeros(self._shape, dtype=np.int32)
        self._return = np.zeros(self.num_envs, dtype=np.float32)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset; without a number, by one that the system draws."""
        first = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._randoms = [np.random.default_rng(first + b) for b in range(self._shape[0])]
        return [first + b for b in range(self._shape[0]) for _ in range(self._shape[1])]

    def reset(self) -> Float32Array:
        """Begin episodes in all copies; observations (B * I, F)."""
        self._return[:] = 0.0
        return self._by_slot(self.episodes.reset(self._randoms))

    def step_async(self, actions: np.ndarray) -> None:
        self._choice[:] = np.asarray(actions).reshape(self._shape)

    def step_wait(self) -> tuple[Float32Array, Float32Array, BoolArray, list[dict[str, Any]]]:
        observation, reward = self.episodes.step(self._choice)
        by_slot = self._by_slot(observation)
        rewards = reward.reshape(-1)
        self._return += rewards
        is_over = self.episodes.is_over
        infos = [_NOTHING] * self.num_envs
        if is_over:
            infos = self._last_infos(by_slot)
            by_slot = self.reset()
        return by_slot, rewards, np.full(self.num_envs, is_over), infos

    def close(self) -> None:
        """End the threads that simulate the copies."""
        self.episodes.close()

    def action_masks(self) -> BoolArray:
        """Which choices each slot has, (B * I, C)."""
        return self._action_masks

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The same attribute for every slot asked for."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set it for all slots, which are one object."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> Any:
        """Call a method once; its rows by slot, if it answers with an array, else the answer for each slot."""
        answer = getattr(self, method_name)(*method_args, **method_kwargs)
        slots = list(self._get_indices(indices))
        return [answer[slot] for slot in slots] if isinstance(answer, np.ndarray) else [answer for _ in slots]

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Never: the slots are no environments of their own."""
        return [False for _ in self._get_indices(indices)]

    def _by_slot(self, observation: Float32Array) -> Float32Array:
        return observation.reshape(self.num_envs, -1)

    def _last_infos(self, observation: Float32Array) -> list[dict[str, Any]]:
        """What every slot is told at the end of its episode."""
        decisions = -(-self.episodes.horizon_s // self.episodes.protocol.interval_s)
        travel_time_s = np.repeat(self.episodes.average_travel_time_s(), self._shape[1])
        return [
            {
                "terminal_observation": observation[slot],
                "TimeLimit.truncated": True,
                "episode": {"r": float(self._return[slot]), "l": decisions},
                "average_travel_time_s": float(travel_time_s[slot]),
            }
            for slot in range(self.num_envs)
        ]
