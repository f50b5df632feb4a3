"""The Gymnasium face: one network, one wanted phase per signal and decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from intergreen.envs.choices import checked_choices
from intergreen.envs.episodes import Episodes, plain_seed, refuse_unknown
from intergreen.envs.layout import feature_names
from intergreen.envs.render import RENDER_FPS, RENDER_MODES, Screen
from intergreen.envs.spaces import SignalSpace

if TYPE_CHECKING:
    from pathlib import Path

    from intergreen.envs.arrays import BoolArray, Float32Array
    from intergreen.envs.layout import ObservationLayout
    from intergreen.envs.scenario import Scenario


class TrafficSignalEnv(gym.Env[Any, Any]):
    """All signals of one network, decided together.

    ## Action space
    `MultiDiscrete` with one index per signal, or `Discrete` for a network with a single signal: which of the
    signal's choices (`SignalPlan.choices`) to serve in the next period. Changing the phase shows the protocol's
    clearance first, inside the period. Anything else is a `ValueError`.

    ## Observation space
    `SignalSpace`, a `Box(0, 10)` of float32: for each signal the vector that the table in `intergreen.envs.observation`
    describes, all signals one after the other. `feature_names` names the values of one signal's vector, and the
    space's `blocks` say where the parts of it begin.

    ## Rewards
    The mean over the signals of the reward that `reward` names, one of those in `intergreen.envs.reward`: mostly
    between 0 and a few units below, whatever the network's size, and above 0 where a backlog is served.

    ## Starting state
    An empty network, every signal in its first choice. The trips are drawn afresh for every episode; `reset(seed=s)`
    repeats them, `reset()` goes on to the next ones. Fixed demands are varied, so that nobody trains on the trips
    that the scenario is evaluated with.

    ## Episode end
    Truncation at the horizon: traffic has no end. Only with `end_locked` an episode terminates, where traffic has
    locked: everybody stands and nearly nobody arrives, see `intergreen.envs.locks`. The observation that comes with
    the end is the episode's last.

    ## Info
    `time_s`, seconds since the reset. When the episode ends also `average_travel_time_s`, the mean over all
    vehicles released so far: reading it costs as much as several decisions, so it does not come with every step.

    ## Rendering
    `rgb_array` gives a picture, `human` opens a window; see `intergreen.envs.render`. One picture for a decision.

    ## Arguments
    | name              | default      | meaning                                                                   |
    |-------------------|--------------|---------------------------------------------------------------------------|
    | `scenario`        | `"grid4x4"`  | a name, YAML file or folder, or a scenario that has been loaded           |
    | `render_mode`     | `None`       | `"rgb_array"`, `"human"`                                                  |
    | `protocol`        | scenario's   | name of the timing rules, such as `"literature-10-5"`                     |
    | `horizon_s`       | scenario's   | seconds of an episode, rounded up to whole decisions                      |
    | `features`        | the default  | names of what a policy sees                                               |
    | `reward`          | `"queue"`    | name of the reward, or `{name: weight}`                                   |
    | `neighbour_share` | 0            | every signal is also told this share of its neighbours' mean reward       |
    | `exact_trips`     | `False`      | a fixed demand's own trips instead of varied ones                         |
    | `demand_scale`    | `(1, 1)`     | lowest and highest factor on the number of trips, drawn for every episode |
    | `faults`          | none         | of detectors: a name (`"dead-10"`), a file, or the faults themselves      |
    | `end_locked`      | `False`      | end where traffic has locked, for a charge of 15 minutes more of it       |
    | `movements`,      | the widest   | room in the observation for so many                                       |
    | `choices`         | signal's     |                                                                           |
    | `simulator`       | `"native"`   | `"sumo"` for episodes in SUMO, which needs the extra `sumo`               |
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        scenario: str | Path | Scenario = "grid4x4",
        *,
        render_mode: str | None = None,
        **episode_settings: Any,
    ) -> None:
        refuse_unknown(episode_settings, TrafficSignalEnv, decided=["replicas"])
        self.episodes = Episodes(scenario, replicas=1, **episode_settings)
        self.render_mode = render_mode
        self._screen = Screen(self.episodes.core, self.episodes.scenario.name, render_mode)
        if not self._screen.can_draw:
            self.metadata = self.metadata | {"render_modes": []}
        layout = self.episodes.layout
        self._n_choices = layout.n_choices
        self._is_running = False
        self.feature_names = feature_names(layout)
        self.observation_space, self.action_space = signal_spaces(layout)

    def stated(self) -> dict[str, Any]:
        """What its episodes are of, as plain values, also for who asks from another process."""
        return self.episodes.stated()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode; see the class for seeding."""
        super().reset(seed=plain_seed(seed))
        observation = self.episodes.reset([self.np_random])
        self._is_running = True
        self._screen.after_step()
        return observation.reshape(-1).copy(), {"time_s": 0}

    def step(self, action: Any) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """One decision period.

        Raises
        ------
        ValueError
            If the action is not one index that exists for each signal.
        ResetNeeded
            Before the first reset and after the end of an episode.
        FloatingPointError
            If the reward is no number.
        """
        choice = checked_choices(action, self._n_choices)
        if not self._is_running:
            raise ResetNeeded("no episode is running: call reset() first")
        observation, reward = self.episodes.step(choice)
        info: dict[str, Any] = {"time_s": self.episodes.time_s}
        is_over, is_locked = self.episodes.is_over, bool(self.episodes.locked[0])
        if is_over:
            self._is_running = False
            info["average_travel_time_s"] = float(self.episodes.average_travel_time_s()[0])
        self._screen.after_step()
        return observation.reshape(-1).copy(), float(mean_reward(reward)[0]), is_locked, is_over and not is_locked, info

    def action_masks(self) -> BoolArray:
        """Which choices may be asked for now, those of all signals one after the other: (sum of choices,)."""
        return flat_masks(self.episodes)[0]

    def render(self) -> Any:
        """The picture now, (H, W, 3) uint8, or a window that is brought up to date."""
        return self._screen.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._screen.close()
        self.episodes.close()


def signal_spaces(layout: ObservationLayout) -> tuple[SignalSpace, spaces.Space[Any]]:
    """Observation and action space of all signals together."""
    n_choices = layout.n_choices.tolist()
    action_space = spaces.Discrete(n_choices[0]) if len(n_choices) == 1 else spaces.MultiDiscrete(n_choices)
    return SignalSpace(layout.blocks, tuple(n_choices), layout.features), action_space


def mean_reward(reward: Float32Array) -> np.ndarray:
    """(B,) float64, the mean over the signals of rewards (B, I)."""
    return reward.mean(axis=1, dtype=np.float64)


def flat_masks(episodes: Episodes) -> BoolArray:
    """(B, sum of choices): which of their own choices the signals may ask for now, one signal after the other."""
    there = np.arange(episodes.layout.blocks.choices) < episodes.layout.n_choices[:, None]
    return episodes.allowed()[:, there]
