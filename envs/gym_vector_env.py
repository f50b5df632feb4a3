"""Gymnasium's own vector face: copies of one network side by side, each a `TrafficSignalEnv` in all it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from intergreen.envs.choices import checked_choices
from intergreen.envs.episodes import Episodes, plain_seed, refuse_unknown
from intergreen.envs.layout import feature_names
from intergreen.envs.render import RENDER_FPS, Screen
from intergreen.envs.traffic_env import flat_masks, mean_reward, signal_spaces

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray


class TrafficSignalVectorEnv(VectorEnv[Any, Any, Any]):
    """B copies of one network, simulated together; copy b shows what a `TrafficSignalEnv` of its own would.

    The copies end together at the horizon, as truncations (with `end_locked` also where one has locked, which is a
    termination for that one), and begin again in the same step: `final_obs` and
    `final_info` of the infos then hold the ends, the observations the new beginnings, as `AutoresetMode.SAME_STEP` has
    it. With `AutoresetMode.NEXT_STEP`, which Gymnasium's wrappers of observations ask for, they begin again in the step
    after, which takes no notice of its actions and gives no reward.

    `reset(seed=s)` seeds copy b with s + b, `reset(seed=[...])` each with its own number, and `reset()` goes on to the
    next episodes.

    Parameters
    ----------
    num_envs : copies
    threads : over which the copies are spread; the numbers do not depend on it
    render_mode : "rgb_array" or None
    autoreset_mode : SAME_STEP or NEXT_STEP, also by Gymnasium's words for them, "SameStep" and "NextStep"
    scenario, episode_settings : see `TrafficSignalEnv`
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        scenario: Any = "grid4x4",
        *,
        num_envs: int = 8,
        threads: int = 1,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **episode_settings: Any,
    ) -> None:
        self._autoreset = AutoresetMode(autoreset_mode)
        if self._autoreset == AutoresetMode.DISABLED:
            raise ValueError("the copies end and begin together: use autoreset_mode SAME_STEP or NEXT_STEP")
        self.metadata = self.metadata | {"autoreset_mode": self._autoreset}
        refuse_unknown(episode_settings, TrafficSignalVectorEnv, decided=["replicas"])
        self.episodes = Episodes(scenario, replicas=num_envs, threads=threads, **episode_settings)
        self.num_envs = num_envs
        self.render_mode = render_mode
        modes = self.metadata["render_modes"]
        self._screen = Screen(self.episodes.core, self.episodes.scenario.name, render_mode, modes)
        if not self._screen.can_draw:
            self.metadata = self.metadata | {"render_modes": []}
        layout = self.episodes.layout
        self.feature_names = feature_names(layout)
        self._n_choices = layout.n_choices
        self.single_observation_space, self.single_action_space = signal_spaces(layout)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._randoms: list[np.random.Generator | None] = [None] * num_envs
        self._is_running = False
        self._has_ended = False  # and begins again in the next step

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode in every copy; see the class for seeding."""
        if options is not None and "reset_mask" in options:
            raise ValueError("the copies begin together, there is no reset_mask; leave it out of the options")
        seeds = self._seeds(seed)
        for b, own in enumerate(seeds):
            if own is not None or self._randoms[b] is None:
                self._randoms[b], _ = seeding.np_random(plain_seed(own))
        self._is_running, self._has_ended = True, False
        return self._begin(), self._times()

    def step(self, actions: Any) -> tuple[Float32Array, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """One decision period in every copy.

        Raises
        ------
        ValueError
            If the actions are not one index that exists for each signal of each copy.
        ResetNeeded
            Before the first reset.
        FloatingPointError
            If a reward is no number.
        """
        choice = checked_choices(actions, self._n_choices, self.num_envs)
        if not self._is_running:
            raise ResetNeeded("no episode is running: call reset() first")
        nobody = np.zeros(self.num_envs, np.bool_)
        if self._has_ended:
            self._has_ended = False
            return self._begin(), np.zeros(self.num_envs), nobody, nobody.copy(), self._times()
        seen, told = self.episodes.step(choice)
        observation, reward = self._flat(seen), mean_reward(told)
        is_over, locked = self.episodes.is_over, self.episodes.locked.copy()
        infos: dict[str, Any] = {}
        if is_over and self._autoreset == AutoresetMode.SAME_STEP:
            infos = self._ends(observation)
            observation = self._begin()
        elif is_over:
            self._has_ended = True
            infos = self._travel_times()
        return observation, reward, locked, is_over & ~locked, infos | self._times()

    def action_masks(self) -> BoolArray:
        """Which choices may be asked for now, (B, sum of choices): for each copy those of all signals."""
        return flat_masks(self.episodes)

    def render(self) -> tuple[Any, ...] | None:
        """The pictures of all copies, (H, W, 3) uint8 each; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(self._screen.render(b) for b in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads."""
        self._screen.close()
        self.episodes.close()

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + b for b in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"need a seed for each of {self.num_envs} copies, got {len(seed)}")
        return seed

    def _begin(self) -> Float32Array:
        return self._flat(self.episodes.reset([random for random in self._randoms if random is not None]))

    def _flat(self, observation: Float32Array) -> Float32Array:
        return observation.reshape(self.num_envs, -1).copy()

    def _times(self) -> dict[str, Any]:
        everybody = np.ones(self.num_envs, np.bool_)
        return {"time_s": np.full(self.num_envs, self.episodes.time_s), "_time_s": everybody}

    def _travel_times(self) -> dict[str, Any]:
        everybody = np.ones(self.num_envs, np.bool_)
        return {
            "average_travel_time_s": self.episodes.average_travel_time_s().copy(),
            "_average_travel_time_s": everybody,
        }

    def _ends(self, observation: Float32Array) -> dict[str, Any]:
        """What Gymnasium's `SyncVectorEnv` would say when all copies end."""
        infos: dict[str, Any] = {}
        travel_time_s = self.episodes.average_travel_time_s().tolist()
        for b in range(self.num_envs):
            info = {"time_s": self.episodes.time_s, "average_travel_time_s": travel_time_s[b]}
            infos = self._add_info(infos, {"final_obs": observation[b], "final_info": info}, b)
        return infos
