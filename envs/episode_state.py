"""Episodes in the middle, as plain arrays: what a training that was killed needs to go on as if it had not been.

Nothing of it is pickled. Restoring needs a vector environment of the same scenarios, copies and settings. SUMO keeps no
state that we could store: its episodes begin anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.core import TrafficCore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.episodes import Episodes
    from intergreen.envs.vector_env import TrafficVecEnv

_FIXED_WIDTH = ("state.head", "state.position_a", "state.green", "state.hot", "state.time_loss", "shown.phase")


@dataclass(frozen=True, slots=True)
class EpisodeState:
    """Arrays by `<world>.<part>.<name>`, and the states of all generators, as JSON."""

    arrays: dict[str, NDArray[Any]]
    randoms: str


def episode_state(env: TrafficVecEnv) -> EpisodeState:
    """A copy of all that the next steps of `env` depend on, but for the actions."""
    arrays: dict[str, NDArray[Any]] = {"return": env._return.copy()}
    for number, world in enumerate(env.worlds):
        arrays[f"{number}.detectors.seeds"] = world.detector_seeds.copy()
        if world.lock_watch is not None:
            arrays[f"{number}.locks.history"] = world.lock_watch.history.copy()
        if isinstance(world.core, TrafficCore):
            arrays[f"{number}.routes"] = _routes(world.core)
        for part, values in _parts(world).items():
            if values is not None:
                arrays |= {f"{number}.{part}.{name}": values[k].copy() for k, name in enumerate(values._fields)}
    randoms = {name: [_states(some) for some in of_worlds] for name, of_worlds in _randoms(env).items()}
    return EpisodeState(arrays, json.dumps(randoms))


def restore_episodes(env: TrafficVecEnv, state: EpisodeState) -> bool:
    """Bring `env` to where the state was taken.

    Returns
    -------
    bool
        Whether it is there. Where a simulator keeps no state, only what draws the next episodes has been restored, and
        `env` must be reset.

    Raises
    ------
    ValueError
        If the state is that of another network or demand, or of another number of copies.
    """
    randoms = json.loads(state.randoms)
    if [len(of_world) for of_world in randoms["episodes"]] != [len(of_world) for of_world in env._randoms]:
        raise ValueError("the state has another number of networks or copies")
    kept = all(isinstance(world.core, TrafficCore) for world in env.worlds)
    if kept:
        for number, world in enumerate(env.worlds):
            _restore_world(world, number, state.arrays)
        env._return[:] = state.arrays["return"]
        env._is_running = True
    for name, of_worlds in _randoms(env).items():
        for some, states in zip(of_worlds, randoms[name], strict=True):
            for random, one in zip(some, states, strict=True):
                random.bit_generator.state = one
    return kept


def _randoms(env: TrafficVecEnv) -> dict[str, list[list[np.random.Generator]]]:
    """By world, what draws the next episodes, and what failing detectors tell."""
    detectors = [world.detector_randoms for world in env.worlds]
    return {"episodes": [list(of_world) for of_world in env._randoms], "detectors": detectors}


def _states(randoms: Sequence[np.random.Generator]) -> list[Any]:
    return [random.bit_generator.state for random in randoms]


def _parts(world: Episodes) -> dict[str, Any]:
    """The named tuples of arrays that a world is made of; none where another simulator has them."""
    core = world.core
    if not isinstance(core, TrafficCore):
        return {}
    engine = core.engine
    return {"trips": engine.trips, "state": engine.state, "changes": engine.changes, "shown": core._shown}


def _routes(core: TrafficCore) -> NDArray[Any]:
    """The table that trips are entries of, in 32 bytes."""
    table = core.engine.routes
    digest = hashlib.sha256(table.row_start.tobytes() + table.next_link.tobytes()).digest()
    return np.array(list(digest), np.uint8)


def _restore_world(world: Episodes, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
    parts = _parts(world)
    restored = {part: _restored(f"{number}.{part}", values, arrays) for part, values in parts.items()}
    for name in _FIXED_WIDTH:
        part, field = name.split(".")
        there, needed = getattr(restored[part], field).shape, getattr(parts[part], field).shape
        if there != needed:
            raise ValueError(f"{world.scenario.name}: {name} has the shape {there}, this network needs {needed}")
    core = world.core
    assert isinstance(core, TrafficCore)
    if not np.array_equal(arrays[f"{number}.routes"], _routes(core)):
        raise ValueError(f"{world.scenario.name}: the state's trips have other routes")
    engine = core.engine
    engine.trips, engine.state, engine.changes = restored["trips"], restored["state"], restored["changes"]
    core._shown = restored["shown"]
    if world.lock_watch is not None:
        world.lock_watch.history[:] = arrays[f"{number}.locks.history"]
    core._period = None  # it holds the arrays of before
    # The same detectors fail as before; what they remembered (a last reading, readings under way) is forgotten.
    world.restart_detectors(arrays.get(f"{number}.detectors.seeds", world.detector_seeds).tolist())
    world.observe()


def _restored(prefix: str, values: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """A named tuple like `values` with the arrays of the state."""
    if values is None:
        return None
    names = [f"{prefix}.{name}" for name in values._fields]
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f"the state has no array {missing[0]}")
    return type(values)(*(np.array(arrays[name], old.dtype) for name, old in zip(names, values, strict=True)))
