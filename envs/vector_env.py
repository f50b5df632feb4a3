"""The face for Stable-Baselines3: every signal of every parallel copy of every network is one slot of a `VecEnv`.

So one policy with shared weights learns from all of them, and the batch axis is all there is to parameter sharing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import Wrapper, spaces
from gymnasium.error import ResetNeeded

from intergreen.envs.episodes import Episodes, refuse_unknown
from intergreen.envs.spaces import SignalSpace

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError('the vector environment needs Stable-Baselines3: pip install "intergreen[train]"') from error

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices

    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.scenario import Scenario

_NOTHING: dict[str, Any] = {}  # shared by all slots of all steps that have nothing to tell


class TrafficVecEnv(VecEnv):
    """All signals of all copies of one or several networks, a slot each.

    Slots go by network, then copy, then signal. The observation of a slot is its signal's part of what
    `TrafficSignalEnv` shows; the mean of a copy's rewards is the reward there. The action is the index of a choice,
    `Discrete` for the widest signal; an index that a narrower signal does not have keeps its phase.
    The copies of a network end together at the horizon and begin again on fresh demand, each on its own: then, and
    only then, the infos of their slots hold `terminal_observation`, `TimeLimit.truncated`, `episode` (`r`: the slot's
    sum of rewards, `l`: decisions) and `average_travel_time_s` of the copy. With `end_locked` they also end where one
    of them has locked; for its slots that is no truncation.

    `seed(s)` makes copy b (counted over all networks) draw the episodes of a `TrafficSignalEnv` reset with seed s + b.

    Parameters
    ----------
    scenario : a name, file or folder; a scenario that has been loaded; or a list of them, where every observation gets
        room for the widest signal of all; or a list of episodes, prepared with room for the same number of movements
        and choices, which the other parameters do not change
    replicas : copies of each network
    threads : over which copies and networks are spread; the numbers do not depend on it
    episode_settings : see `Episodes`
    """

    def __init__(
        self,
        scenario: str | Path | Scenario | Sequence[str | Path | Scenario] | Sequence[Episodes] = "grid4x4",
        *,
        replicas: int = 8,
        threads: int = 1,
        **episode_settings: Any,
    ) -> None:
        refuse_unknown(episode_settings, TrafficVecEnv, decided=[])
        settings = {"replicas": replicas, "threads": threads, **episode_settings}
        if isinstance(scenario, Sequence) and not isinstance(scenario, str):
            self.worlds = _with_equal_room(scenario, settings)
        else:
            self.worlds = [Episodes(scenario, **settings)]
        if not self.worlds:
            raise ValueError("need at least one scenario, got an empty list")
        self._threads = threads if threads > 1 and len(self.worlds) > 1 else 0
        self._pool = self._new_pool()
        kinds = {(world.layout.blocks, frozenset(world.layout.features)) for world in self.worlds}
        if len(kinds) != 1:
            raise ValueError(f"need the same features and room in all worlds, got {len(kinds)} kinds")
        layout = self.worlds[0].layout
        self.blocks = layout.blocks
        self.render_mode = None
        sizes = [world.n_replicas * world.layout.n_signals for world in self.worlds]
        past = np.cumsum(sizes).tolist()
        self._slots = [slice(end - size, end) for end, size in zip(past, sizes, strict=True)]
        super().__init__(
            num_envs=past[-1],
            observation_space=SignalSpace(self.blocks, (self.blocks.choices,), layout.features),
            action_space=spaces.Discrete(self.blocks.choices),
        )
        self._actions = np.zeros(self.num_envs, dtype=np.int32)
        self._return = np.zeros(self.num_envs, dtype=np.float32)
        self._is_running = False
        self.seed()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset; without a number, by one that the system draws."""
        first = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._randoms: list[list[np.random.Generator]] = []
        seeds: list[int | None] = []
        for world in self.worlds:
            copies = range(first, first + world.n_replicas)
            first += world.n_replicas
            self._randoms.append([np.random.default_rng(copy) for copy in copies])
            seeds += [copy for copy in copies for _ in range(world.layout.n_signals)]
        return seeds

    def reset(self) -> Float32Array:
        """Begin episodes in all copies; observations (slots, size)."""
        self._return[:] = 0.0
        self._is_running = True
        observation = self._room()
        self._spread(lambda number: self._begin(number, observation))
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Take a choice for every slot.

        Raises
        ------
        ValueError
            If they are not whole numbers from 0 to those of the action space, one for each slot.
        ResetNeeded
            Before the first reset.
        """
        choices = np.asarray(actions)
        if choices.dtype.kind not in "iu" or choices.shape != self._actions.shape or choices.min() < 0:
            problem = f"got shape {choices.shape} of {choices.dtype}"
            raise ValueError(f"need a choice >= 0, a whole number, for each of {self.num_envs} slots, {problem}")
        if choices.max() >= self.blocks.choices:
            raise ValueError(f"need a choice from 0 to {self.blocks.choices - 1}, got {choices.max()}")
        if not self._is_running:
            raise ResetNeeded("no episode is running: call reset() first")
        self._actions[:] = choices

    def step_wait(self) -> tuple[Float32Array, Float32Array, BoolArray, list[dict[str, Any]]]:
        observation = self._room()
        reward = np.empty(self.num_envs, dtype=np.float32)
        self._spread(lambda number: self._advance(number, observation, reward))
        self._return += reward
        done = np.zeros(self.num_envs, dtype=np.bool_)
        infos = [_NOTHING] * self.num_envs
        for number, world in enumerate(self.worlds):
            if world.is_over:
                slots = self._slots[number]
                done[slots] = True
                infos[slots] = self._last_infos(number, observation[slots].copy())
                self._return[slots] = 0.0
                self._begin(number, observation)
        return observation, reward, done, infos

    def close(self) -> None:
        """End the threads."""
        for world in self.worlds:
            world.close()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None}  # threads stay where they are; a copy has its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pool = self._new_pool()

    def action_masks(self) -> BoolArray:
        """Which choices each slot may ask for now, (slots, C)."""
        return np.concatenate([world.allowed().reshape(-1, self.blocks.choices) for world in self.worlds])

    @property
    def interval_s(self) -> IntArray:
        """(slots,) seconds between the decisions of each slot."""
        return np.repeat(
            [world.protocol.interval_s for world in self.worlds], [slots.stop - slots.start for slots in self._slots]
        )

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

    def _new_pool(self) -> ThreadPoolExecutor | None:
        return ThreadPoolExecutor(self._threads) if self._threads else None

    def _room(self) -> Float32Array:
        """For all observations; a new array each time, because learners keep the last one."""
        return np.empty((self.num_envs, self.blocks.size), dtype=np.float32)

    def _spread(self, work: Callable[[int], None]) -> None:
        """Do the work of every world, on the threads where there are several."""
        numbers = range(len(self.worlds))
        if self._pool is None:
            for number in numbers:
                work(number)
        else:
            list(self._pool.map(work, numbers))

    def _begin(self, number: int, observation: Float32Array) -> None:
        slots = self._slots[number]
        first = self.worlds[number].reset(self._randoms[number])
        observation[slots] = first.reshape(slots.stop - slots.start, -1)

    def _advance(self, number: int, observation: Float32Array, reward: Float32Array) -> None:
        slots, world = self._slots[number], self.worlds[number]
        choice = self._actions[slots].reshape(world.n_replicas, -1)
        seen, told = world.step(choice)
        observation[slots] = seen.reshape(slots.stop - slots.start, -1)
        reward[slots] = told.reshape(-1)

    def _last_infos(self, number: int, observation: Float32Array) -> list[dict[str, Any]]:
        """What every slot of a world is told at the end of its episode."""
        world = self.worlds[number]
        decisions = world.time_s // world.protocol.interval_s
        locked = np.repeat(world.locked, world.layout.n_signals)
        travel_time_s = np.repeat(world.average_travel_time_s(), world.layout.n_signals)
        returns = self._return[self._slots[number]]
        return [
            {
                "terminal_observation": observation[slot],
                "TimeLimit.truncated": not locked[slot],
                "episode": {"r": float(returns[slot]), "l": decisions},
                "average_travel_time_s": float(travel_time_s[slot]),
            }
            for slot in range(len(observation))
        ]


def _with_equal_room(several: Sequence[str | Path | Scenario | Episodes], settings: dict[str, Any]) -> list[Episodes]:
    """Episodes of each, with room for the widest signal of all; those that were prepared stay as they are."""
    worlds = [one if isinstance(one, Episodes) else Episodes(one, **settings) for one in several]
    room = {
        "movements": max((world.layout.blocks.movements for world in worlds), default=0),
        "choices": max((world.layout.blocks.choices for world in worlds), default=0),
    }
    for number, (one, world) in enumerate(zip(several, worlds, strict=True)):
        blocks = world.layout.blocks
        if one is not world and (blocks.movements, blocks.choices) != tuple(room.values()):
            worlds[number] = Episodes(world.scenario, **(settings | room))
            world.close()
    return worlds
