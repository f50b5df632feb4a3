"""The PettingZoo face: every signal is an agent of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding

from intergreen.envs.episodes import Episodes, plain_seed, refuse_unknown
from intergreen.envs.layout import feature_names
from intergreen.envs.render import RENDER_FPS, RENDER_MODES, Screen
from intergreen.envs.spaces import SignalSpace

try:
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise ImportError('the parallel environment needs PettingZoo: pip install "intergreen[pettingzoo]"') from error

if TYPE_CHECKING:
    from pathlib import Path

    from intergreen.envs.arrays import Float32Array, IntArray
    from intergreen.envs.scenario import Scenario


class TrafficParallelEnv(ParallelEnv[str, Any, Any]):  # type: ignore[misc]
    """All signals of one network, each an agent with the name of its intersection.

    An agent sees the vector that the table in `intergreen.envs.observation` describes for its signal, chooses among its
    signal's phases (`Discrete`) and is told its signal's reward. All agents live to the horizon, where all are
    truncated; only with `end_locked` an episode terminates. Seeds, demand and arguments are those of
    `TrafficSignalEnv`: the same seed is the same traffic there and here.

    Every agent's info holds `time_s` and `action_mask` (n_choices,) int8, what may be asked for now, in the form that
    `Discrete.sample` takes; when the episode ends also `average_travel_time_s` of the whole network.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as PettingZoo declares it
        "name": "intergreen_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": True,
    }

    def __init__(
        self, scenario: str | Path | Scenario = "grid4x4", *, render_mode: str | None = None, **episode_settings: Any
    ) -> None:
        refuse_unknown(episode_settings, TrafficParallelEnv, decided=["replicas"])
        self.episodes = Episodes(scenario, replicas=1, **episode_settings)
        self.render_mode = render_mode
        self._screen = Screen(self.episodes.core, self.episodes.scenario.name, render_mode)
        if not self._screen.can_draw:
            self.metadata = self.metadata | {"render_modes": []}
        layout, plan = self.episodes.layout, self.episodes.plan
        self.feature_names = feature_names(layout)
        self._n_choices = layout.n_choices
        n_choices = self._n_choices.tolist()
        self.possible_agents = [self.episodes.scenario.network.intersection_ids[j] for j in plan.intersection]
        self.agents: list[str] = []
        own = dict(zip(self.possible_agents, n_choices, strict=True))
        self.observation_spaces = {agent: SignalSpace(layout.blocks, (n,), layout.features) for agent, n in own.items()}
        self.action_spaces = {agent: spaces.Discrete(n) for agent, n in own.items()}
        self.state_space = SignalSpace(layout.blocks, tuple(n_choices), layout.features)
        self._state = np.zeros(self.state_space.shape, np.float32)
        self._random: np.random.Generator | None = None

    def observation_space(self, agent: str) -> SignalSpace:
        """The same object every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """The same object every time."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Float32Array], dict[str, dict[str, Any]]]:
        """Begin an episode; with the same seed the same one, without a seed the next one."""
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(plain_seed(seed))
        self.agents = list(self.possible_agents)
        observation = self.episodes.reset([self._random])
        self._screen.after_step()
        return self._observations(observation), self._infos({})

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Float32Array], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One decision period.

        Raises
        ------
        ValueError
            If the actions are not one index that exists for each agent.
        ResetNeeded
            Before the first reset and after the end of an episode.
        FloatingPointError
            If a reward is no number.
        """
        if not self.agents:
            raise ResetNeeded("no episode is running: call reset() first")
        observation, reward = self.episodes.step(self._in_order(actions)[None])
        is_over, is_locked = self.episodes.is_over, bool(self.episodes.locked[0])
        end = {"average_travel_time_s": float(self.episodes.average_travel_time_s()[0])} if is_over else {}
        answer = (
            self._observations(observation),
            dict(zip(self.agents, reward[0].tolist(), strict=True)),
            dict.fromkeys(self.agents, is_locked),
            dict.fromkeys(self.agents, is_over and not is_locked),
            self._infos(end),
        )
        if is_over:
            self.agents = []
        self._screen.after_step()
        return answer

    def state(self) -> Float32Array:
        """The observations of all agents, one after the other."""
        return self._state.copy()

    def render(self) -> Any:
        """The picture now, (H, W, 3) uint8, or a window that is brought up to date."""
        return self._screen.render()

    def close(self) -> None:
        """Close the window, if there is one."""
        self._screen.close()
        self.episodes.close()

    def _in_order(self, actions: Mapping[str, Any]) -> IntArray:
        """(I,) the actions in the order of the agents."""
        for agent in self.agents:
            if agent not in actions:
                raise ValueError(f"need an action for every agent, agent {agent!r} has none")
        for agent in actions:
            if agent not in self.agents:
                raise ValueError(f"there is no agent {agent!r}, got an action for it")
        counts = dict(zip(self.agents, self._n_choices.tolist(), strict=True))
        return np.array([_index(agent, actions[agent], n) for agent, n in counts.items()], np.int32)

    def _observations(self, observation: Float32Array) -> dict[str, Float32Array]:
        rows = observation[0].copy()
        self._state = rows.reshape(-1)
        return dict(zip(self.agents, rows.copy(), strict=True))

    def _infos(self, end: dict[str, Any]) -> dict[str, dict[str, Any]]:
        masks = self.episodes.allowed()[0].astype(np.int8)
        common = {"time_s": self.episodes.time_s} | end
        return {
            agent: common | {"action_mask": mask[:n]}
            for agent, mask, n in zip(self.agents, masks, self._n_choices, strict=True)
        }


def _index(agent: str, action: Any, n_choices: int) -> int:
    """The action of one agent as a plain number; an axis of length 1 does no harm."""
    array = np.asarray(action)
    if array.size != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"need a whole number for agent {agent!r}, got shape {array.shape} of {array.dtype}")
    index = int(array.reshape(()))
    if not 0 <= index < n_choices:
        raise ValueError(f"agent {agent!r} has the choices 0 to {n_choices - 1}, got {index}")
    return index
