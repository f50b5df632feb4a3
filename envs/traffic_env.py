"""The Gymnasium face: one network, one wanted phase per signal and decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from intergreen.envs.episodes import Episodes
from intergreen.envs.observation import feature_names, legal_choices

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array
    from intergreen.envs.scenario import Scenario


class TrafficSignalEnv(gym.Env[Any, Any]):
    """All signals of one network, decided together.

    ## Action space
    `MultiDiscrete` with one index per signal, or `Discrete` for a network with a single signal: which of the
    signal's choices (`SignalPlan.choices`) to serve in the next period. Changing the phase shows the protocol's
    clearance first, inside the period.

    ## Observation space
    `Box(0, 1)`, float32: for each signal the F features below, all signals one after the other (I * F), or (F,) for
    a single signal. `feature_names` names the F features.

    | index of F | name      | meaning                                                  | range  | unit        |
    |------------|-----------|----------------------------------------------------------|--------|-------------|
    | 0 .. M-1   | `queue_m` | waiting vehicles on the incoming lanes of movement m     | 0 to 1 | 40 vehicles |
    | M .. F-1   | `phase_p` | 1 if local phase p was the last one shown as green       | 0, 1   | -           |

    ## Rewards
    `queue`: minus the mean queue of a signal's incoming lanes at the end of the period, in units of 40 vehicles, summed
    over the signals.

    ## Starting state
    An empty network, every signal in its first choice. The trips are drawn afresh for every episode; `reset(seed=s)`
    repeats them, `reset()` goes on to the next ones. Fixed demands are varied, so that nobody trains on the trips
    that the scenario is evaluated with.

    ## Episode end
    Truncation at the horizon; traffic has no end, so nothing ever terminates.

    ## Info
    `time_s`, and `average_travel_time_s` of all vehicles released so far.

    ## Arguments
    scenario, protocol, horizon_s, reward, exact_trips: see `Episodes`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self,
        scenario: str | Scenario = "grid4x4",
        *,
        protocol: str | None = None,
        horizon_s: int | None = None,
        reward: str = "queue",
        exact_trips: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"there is nothing to render yet, got render_mode {render_mode!r}; use None")
        self.render_mode = None
        self._episodes = Episodes(
            scenario, protocol=protocol, horizon_s=horizon_s, reward=reward, exact_trips=exact_trips
        )
        layout = self._episodes.layout
        self.feature_names = feature_names(layout)
        self.observation_space = spaces.Box(0.0, 1.0, (layout.n_signals * layout.n_features,), np.float32)
        self.action_space: spaces.Space[Any]
        if layout.n_signals == 1:
            self.action_space = spaces.Discrete(int(layout.n_choices[0]))
        else:
            self.action_space = spaces.MultiDiscrete(layout.n_choices.astype(np.int64))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode; see the class for seeding."""
        super().reset(seed=seed)
        return self._episodes.reset([self.np_random]).reshape(-1), self._info()

    def step(self, action: Any) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """One decision period."""
        observation, reward = self._episodes.step(np.asarray(action, dtype=np.int32).reshape(1, -1))
        return observation.reshape(-1), float(reward.sum()), False, self._episodes.is_over, self._info()

    def action_masks(self) -> BoolArray:
        """Which choices each signal has, (n_choices of all signals,) bool; all of them can be asked for at any time."""
        legal = legal_choices(self._episodes.layout)
        return legal[legal]

    def _info(self) -> dict[str, Any]:
        return {
            "time_s": self._episodes.time_s,
            "average_travel_time_s": float(self._episodes.average_travel_time_s()[0]),
        }
