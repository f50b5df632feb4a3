"""Episodes side by side: B copies of a scenario under one protocol, choices in, observations and rewards out.

The one place where an episode begins, advances and ends; the environments are thin faces of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.choices import chosen_phases, start_phase
from intergreen.envs.demand import vary
from intergreen.envs.demand.volumes import released_vehicles
from intergreen.envs.detector_faults import FaultyDetectors
from intergreen.envs.episode_settings import (
    features_of,
    flag,
    protocol_of,
    room,
    scale_of_demand,
    share_of_neighbours,
    whole,
)
from intergreen.envs.errors import InputError, meant, shown
from intergreen.envs.fault_file import detector_faults
from intergreen.envs.layout import make_layout
from intergreen.envs.locks import LockWatch, charge
from intergreen.envs.observation import DEFAULT_FEATURES, allowed_choices
from intergreen.envs.protocol import Protocol, checked_seconds, is_shipped
from intergreen.envs.reward import BACKLOG_PERIODS, make_reward, neighbour_mixing
from intergreen.envs.scenario import Scenario, load_scenario
from intergreen.envs.scenario_fingerprint import scenario_fingerprint
from intergreen.envs.senses import observe_all, whole_counts
from intergreen.envs.simulators import NATIVE, Simulator, make_core, simulator_name
from intergreen.envs.unseen import at_level
from intergreen.envs.verification import refuse_unsafe

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.core import Core
    from intergreen.envs.demand import Trips
    from intergreen.envs.fault_file import FaultSpec
    from intergreen.envs.reward import RewardSpec

FIRST_TRAINING_SEED = 1_000_000  # below it are the seeds that people evaluate with
_LAST_TRAINING_SEED = 2**31 - 1


class Episodes:
    """B episodes of one scenario, which begin and end together.

    Parameters
    ----------
    scenario : a name, file or folder, or a scenario that has been loaded
    protocol : the timing rules or their name; None: the scenario's own
    horizon_s : seconds of an episode, rounded up to whole decisions; None: the scenario's
    features : what a policy sees, names of `intergreen.envs.observation`
    reward : a name of `intergreen.envs.reward`, or names with weights
    neighbour_share : every signal is also told this share of its neighbours' mean reward
    exact_trips : drive a fixed demand's own trips instead of varied ones; they are the evaluation's
    demand_scale : lowest and highest factor on the number of trips; drawn anew for every episode
    faults : of detectors, see `intergreen.envs.fault_file`: what a policy sees is then what failing detectors tell,
        drawn anew for every episode; rewards stay true; masks know of who waits what is told
    end_locked : an episode ends where the traffic of a copy has locked (`intergreen.envs.locks`), and that copy is
        charged its last reward for a quarter of an hour more
    backlog_periods : for which a vehicle that waits outside counts in the reward, see `intergreen.envs.reward`
    movements, choices : room in the observation for so many; None: those of the widest signal
    simulator : a name of `intergreen.envs.simulators`, or what makes a core of one's own

    Raises
    ------
    InputError
        If nobody departs before the horizon, or scenario or features are wrong.
    """

    def __init__(
        self,
        scenario: str | Path | Scenario,
        *,
        protocol: str | Protocol | None = None,
        horizon_s: int | None = None,
        features: Sequence[str] = DEFAULT_FEATURES,
        reward: RewardSpec = "queue",
        neighbour_share: float = 0.0,
        exact_trips: bool = False,
        demand_scale: tuple[float, float] = (1.0, 1.0),
        faults: FaultSpec = (),
        end_locked: bool = False,
        backlog_periods: float = BACKLOG_PERIODS,
        movements: int | None = None,
        choices: int | None = None,
        simulator: Simulator = NATIVE,
        replicas: int = 1,
        threads: int = 1,
    ) -> None:
        self.scenario = load_scenario(scenario) if isinstance(scenario, str | Path) else scenario
        if not isinstance(self.scenario, Scenario):
            raise TypeError(f"need a scenario, or its name or path, got {shown(scenario)}")
        self.protocol = protocol_of(protocol, self.scenario)
        self.horizon_s = checked_seconds("horizon_s", self.scenario.horizon_s if horizon_s is None else horizon_s)
        replicas, threads = whole("replicas", replicas), whole("threads", threads)
        _require_traffic(self.scenario, self.horizon_s)
        network = self.scenario.network
        self.plan = self.protocol.plan(network)
        if isinstance(scenario, str | Path) or isinstance(protocol, Protocol):
            refuse_unsafe(network, self.plan)
        self.layout = make_layout(
            network,
            self.plan,
            features=features_of(features),
            movements=room("movements", movements),
            choices=room("choices", choices),
        )
        self.n_replicas = replicas
        self.detector_seeds: IntArray = np.zeros(replicas, np.int64)
        self.neighbour_share = share_of_neighbours(neighbour_share)
        self._mixing = neighbour_mixing(network, self.plan, self.neighbour_share)
        self.lock_watch = LockWatch(replicas, self.protocol.interval_s) if flag("end_locked", end_locked) else None
        self.locked: BoolArray = np.zeros(replicas, np.bool_)  # (B,) the copies whose episode has ended in a lock
        self._exact_trips = flag("exact_trips", exact_trips)
        self._simulator = simulator_name(simulator)
        self.demand_scale = scale_of_demand(demand_scale)
        self._core = make_core(
            simulator,
            self.scenario,
            self.plan,
            replicas=replicas,
            threads=threads,
            lane_change=self.protocol.lane_change,
        )
        self._senses = self._core.senses(
            self.layout, make_reward(reward, network, self.plan, backlog_periods=backlog_periods)
        )
        self._backlog_periods = float(backlog_periods)
        self.reward: RewardSpec = reward if isinstance(reward, str) else dict(reward)
        failing, nobody = detector_faults(faults, network), [0] * replicas
        self.faults: FaultSpec = faults if isinstance(faults, str | Path) else tuple(faults)
        interval_s = self.protocol.interval_s
        self._detectors = (
            FaultyDetectors(failing, replicas, network, nobody, interval_s=interval_s) if failing else None
        )
        self.observe()

    def stated(self) -> dict[str, Any]:
        """What the episodes are of, as plain values: what a model that has learned from them may say of itself."""
        faults = self.faults
        return {
            "scenario": self.scenario.name,
            "fingerprint": scenario_fingerprint(self.scenario),
            "protocol": self.protocol.name,
            "own_protocol": not is_shipped(self.protocol),
            "features": list(self.layout.features),
            "reward": self.reward,
            "horizon_s": None if self.horizon_s == self.scenario.horizon_s else self.horizon_s,
            "neighbour_share": self.neighbour_share,
            "demand_scale": list(self.demand_scale),
            "end_locked": self.lock_watch is not None,
            "faults": str(faults) if isinstance(faults, str | Path) else [fault.stated() for fault in faults],
            "exact_trips": self._exact_trips,
            "backlog_periods": self._backlog_periods,
            "simulator": self._simulator,
        }

    def reset(self, randoms: Sequence[np.random.Generator]) -> Float32Array:
        """Begin B episodes on fresh demand, each drawn by its own generator; observations (B, I, size).

        The array is the same one every time: what it holds is overwritten by the next period.
        """
        seeds = [int(random.integers(FIRST_TRAINING_SEED, _LAST_TRAINING_SEED)) for random in randoms]
        trips = [self._trips(seed) for seed in seeds]
        self._core.reset(trips, seeds, start_phase(self.plan, self.n_replicas))
        self.restart_detectors(seeds)
        self.locked[:] = False
        if self.lock_watch is not None:
            self.lock_watch.begin()
        self.observe()
        return self._senses.observation

    def step(self, choice: IntArray) -> tuple[Float32Array, Float32Array]:
        """One decision period: observations (B, I, size), the same array every time, and rewards (B, I).

        choice  (B, I) index among the signal's choices; one that the signal does not have keeps the present phase

        Raises
        ------
        FloatingPointError
            If a reward is no number.
        """
        wanted = chosen_phases(self.plan, choice)
        self._core.run(wanted, self.protocol.interval_s, self._senses)
        if self._detectors is not None:
            self.observe()
        reward = self._senses.reward
        if not np.isfinite(reward).all():
            b, i = np.argwhere(~np.isfinite(reward))[0]
            raise FloatingPointError(
                f"{self.scenario.name}: the reward of signal {i} in copy {b} is {reward[b, i]} at second {self.time_s}"
            )
        mixed = reward.copy() if self._mixing is None else (reward @ self._mixing).astype(np.float32)
        if self.lock_watch is not None:
            self.locked[:] = self.lock_watch.locked(self._core, self._senses)
            mixed *= charge(self.locked, self.protocol.interval_s)
        return self._senses.observation, mixed

    @property
    def time_s(self) -> int:
        """Seconds since the episodes began."""
        return self._core.time_s

    @property
    def is_over(self) -> bool:
        """Has the horizon come, or a copy locked? Traffic does not end at the horizon: only a lock is a termination,
        and only for the copy that has `locked`."""
        return self.time_s >= self.horizon_s or bool(self.locked.any())

    def allowed(self) -> BoolArray:
        """(B, I, C): which choices may be asked for now."""
        return allowed_choices(self._senses.observation, self.layout.blocks)

    @property
    def core(self) -> Core:
        """The signals and the traffic, to look at."""
        return self._core

    def average_travel_time_s(self) -> FloatArray:
        """(B,) mean over the vehicles released so far, waiting outside included; 0 before the first."""
        totals = self._core.totals()
        mean: FloatArray = totals.sum_travel_time_s / np.maximum(totals.released, 1)
        return mean

    def close(self) -> None:
        """End the threads that simulate the copies."""
        self._core.close()

    def observe(self) -> None:
        """Make the observations and masks of this moment anew; `reset` and `step` have done so already."""
        interval_s = self.protocol.interval_s
        if self._detectors is None:
            self._core.observe(self._senses, interval_s)
            return
        told = whole_counts(self._detectors.read(self._core.counts(), self.time_s))
        self._senses.observation[:] = observe_all(told, self._core.signals(interval_s), interval_s, self.layout)

    @property
    def detector_randoms(self) -> list[np.random.Generator]:
        """What the readings of failing detectors are drawn by."""
        return [] if self._detectors is None else self._detectors.randoms

    def restart_detectors(self, seeds: Sequence[int]) -> None:
        """Let the detectors fail that fail for these seeds, one for each copy, and remember nothing."""
        self.detector_seeds = np.array(seeds, np.int64)
        if self._detectors is not None:
            self._detectors.reset(seeds)

    def _trips(self, seed: int) -> Trips:
        lowest, highest = self.demand_scale
        scale = 1.0 if lowest == highest == 1.0 else float(np.random.default_rng(seed + 1).uniform(lowest, highest))
        return training_trips(self.scenario, seed, self.horizon_s, exact=self._exact_trips, scale=scale)


def refuse_unknown(settings: Iterable[str], face: type, *, decided: Collection[str]) -> None:
    """Raise InputError if one of the names is no setting: neither of the environment's class `face` nor of `Episodes`,
    or one of those that the environment has `decided` itself."""
    of_episodes = [name for name in inspect.signature(Episodes).parameters if name not in decided]
    own = [name for name in inspect.signature(face).parameters if name != "episode_settings"]
    known = list(dict.fromkeys([*own, *of_episodes]))
    for name in settings:
        if name not in known:
            mend = f"{meant(name, known)}known settings: {', '.join(known)}"
            raise InputError("environment", name, "there is no such setting", mend)


def plain_seed(seed: int | None) -> int | None:
    """A whole number of NumPy's as Gymnasium takes it, as a plain one; anything else is Gymnasium's to judge."""
    return int(seed) if isinstance(seed, np.integer) else seed


def _require_traffic(scenario: Scenario, horizon_s: int) -> None:
    """Nothing is learned on empty roads, and nobody would notice."""
    if scenario.fixed_demand and not released_vehicles(scenario.demand, horizon_s).any():
        problem = f"nobody departs before {horizon_s} s"
        raise InputError(
            scenario.name, "demand", problem, "make episodes longer (horizon_s), or let flows begin earlier"
        )


def training_trips(scenario: Scenario, seed: int, horizon_s: int, *, exact: bool = False, scale: float = 1.0) -> Trips:
    """Trips to train on: the scenario's demand, but not the trips that it is evaluated with.

    A scenario that draws or varies its trips does so by `seed`. The trips of a fixed demand are thinned, partly doubled
    and moved in time, unless `exact`. `scale` times as many of either.
    """
    if scenario.evenly:  # thinned ones would not be
        return at_level(scenario, scale).trips(seed, horizon_s=horizon_s)
    trips = scenario.trips(seed, horizon_s=horizon_s)
    differ = scenario.varied or not scenario.fixed_demand
    if exact or (differ and scale == 1.0):
        return trips
    return vary(trips, scenario.demand, scenario.network, horizon_s=horizon_s, seed=seed, scale=scale)
