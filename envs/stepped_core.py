"""Signals and traffic with a simulator that is asked second by second: what `TrafficCore` is with the engine.

The same shield decides what is shown, as the exported runtime runs it. The simulator is told so, and what its signals
then display is read back: the monitor watches that, and not what was meant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from intergreen.envs.core import checked_start, checked_wishes, own_status
from intergreen.envs.layout import arrival_bounds_m
from intergreen.envs.protocol import checked_seconds
from intergreen.envs.reward import reward_of
from intergreen.envs.senses import Senses, make_senses, observe_into
from intergreen.envs.signals import shield
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.grants import granted_phases, make_grants
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield
from intergreen.envs.signals.state import N_INTERVENTIONS, SignalStatus, replica_state, signal_state
from intergreen.envs.simulation import LaneSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.layout import ObservationLayout
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.reward import RewardTable
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.monitor import FaultReport
    from intergreen.envs.simulation import Counts, Positions, Totals

_COUNTED = "vehicles", "waiting", "near", "arriving"


class SteppedSimulator(Protocol):
    """B copies of a network, lamps in, counts out: all that `SteppedCore` asks of a simulator."""

    @property
    def n_replicas(self) -> int: ...

    @property
    def time_s(self) -> int:
        """Seconds simulated since the reset."""
        ...

    @property
    def displayed(self) -> ByteArray:
        """(B, M) lamps lit in the last second, as its signals displayed them; see `intergreen.envs.signals.aspects`."""
        ...

    @property
    def calls(self) -> ByteArray:
        """(B, M) 1 where somebody had arrived at the stop line of a movement; 0 where the plan hears no calls."""
        ...

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int]) -> None:
        """Empty the network and set the trips of every replica; nothing is displayed and nobody calls."""
        ...

    def advance(self, seconds: int, aspects: ByteArray) -> None:
        """Simulate with these lamps (B, M)."""
        ...

    def counts(self, near_m: FloatArray, bounds_m: FloatArray) -> Counts:
        """Lane counts now; `near_m` (L,) and `bounds_m` (L, bins) as the engine's `counts` takes them."""
        ...

    def take_lane_sums(self, sums: LaneSums) -> None:
        """Overwrite queue and delays of `sums` (B, L) with those of the seconds since the last call."""
        ...

    def waiting_outside(self) -> Sequence[tuple[IntArray, FloatArray]]:
        """Of every replica, (L,) vehicles and people that wait to enter, by the lane that their trips begin on."""
        ...

    def totals(self) -> Totals:
        """What has happened so far, for the metrics; NaN for what it does not tell."""
        ...

    def incidents(self) -> dict[str, IntArray]:
        """(B,) each, so far: what only its drivers do, collisions for example; may be empty."""
        ...

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody on the lanes of one replica is now."""
        ...

    @property
    def worker_cpu_s(self) -> float:
        """CPU seconds that other processes have taken since the reset."""
        ...

    def close(self) -> None: ...


class SteppedCore:
    """B copies of a network in a simulator, under one signal plan.

    Parameters
    ----------
    monitored : every display is watched against the program card of network and timing
    """

    def __init__(
        self, network: RoadNetwork, plan: SignalPlan, simulator: SteppedSimulator, *, monitored: bool = False
    ) -> None:
        self.network, self.plan, self.n_replicas = network, plan, simulator.n_replicas
        self.simulator = simulator
        self.near_m: FloatArray = np.zeros(network.n_lanes)
        self._bounds_m = arrival_bounds_m(network)
        self._grants = make_grants(plan.rules, network.n_phases, network.n_movements)
        self._card = program_card(network, plan.timing) if monitored else None
        self._red_s = np.zeros((self.n_replicas, network.n_movements), np.int32)
        self._begin()

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int], start_phase: IntArray) -> None:
        """Begin again, as `TrafficCore.reset`; the seeds are the simulator's as well."""
        start_phase = checked_start(start_phase, (self.n_replicas, self.plan.n_signals))
        self.simulator.reset(trips, seeds)
        self._begin()
        shield.start(start_phase, self.plan.rules, self._shown)

    def run(self, wanted: IntArray, seconds: int, senses: Senses | None = None) -> None:
        """One decision period, as `TrafficCore.run`."""
        wanted = checked_wishes(wanted, (self.n_replicas, self.plan.n_signals))
        seconds = checked_seconds("seconds", seconds)
        for one, wishes in zip(self._shields, wanted, strict=True):
            one.request(wishes)
        if senses is not None:
            self.simulator.take_lane_sums(senses.sums)
            self._set_backlog(senses.sums, -1)
        for _ in range(seconds):
            self._second()
        if senses is not None:
            self.simulator.take_lane_sums(senses.sums)
            self._set_backlog(senses.sums, 1)
            self._reward(senses, seconds)
            self.observe(senses, seconds)

    def go_on(self, seconds: int) -> None:
        """Simulate `seconds` more of the period that the last `run` began."""
        for _ in range(checked_seconds("seconds", seconds)):
            self._second()

    def senses(self, layout: ObservationLayout, rewards: RewardTable) -> Senses:
        """Room for observations and rewards of every replica."""
        return make_senses(self.network, self.plan, self.n_replicas, layout, rewards)

    def observe(self, senses: Senses, interval_s: int) -> None:
        """Make the observations of the present moment."""
        counts = self.counts()
        senses.waiting[:], senses.vehicles[:], senses.arriving[:] = counts.waiting, counts.vehicles, counts.arriving
        observe_into(senses, self.signals(interval_s), interval_s)

    def signals(self, interval_s: int) -> SignalStatus:
        """What the signals show and would grant within `interval_s`, as `TrafficCore.signals`."""
        shown = self._shown
        granted = [
            granted_phases(self._grants, replica_state(shown, b), self.simulator.calls[b], interval_s)
            for b in range(self.n_replicas)
        ]
        self._red_s[:] = np.where(shown.red_since < 0, 0, shown.time - shown.red_since)
        overruled = self.interventions.sum(axis=2, dtype=np.int32)
        return own_status(shown.phase, shown.green_s, self._red_s, np.stack(granted), overruled)

    @property
    def time_s(self) -> int:
        """Seconds simulated since the reset."""
        return self.simulator.time_s

    @property
    def phase(self) -> IntArray:
        """(B, I) local phase last shown as green, -1 before the first."""
        return self._shown.phase

    @property
    def aspects(self) -> ByteArray:
        """(B, M) lamps lit in the last second, as the simulator displayed them."""
        return self.simulator.displayed

    @property
    def interventions(self) -> IntArray:
        """(B, I, 4) how often the shield overruled a wish so far."""
        return self._shown.interventions.reshape(self.n_replicas, self.plan.n_signals, N_INTERVENTIONS)

    @property
    def displayed(self) -> IntArray:
        """(B, I) local phase on display in the last second, see `TrafficCore.displayed`."""
        return self._shown.displayed

    def faults(self) -> list[FaultReport]:
        """The latched fault of every signal that has one; the core must be monitored."""
        if self._card is None:
            raise ValueError("nobody has watched: make the core with monitored=True")
        found = [replace(fault, replica=b) for b, one in enumerate(self._monitors) for fault in one.faults]
        return sorted(found, key=lambda fault: (fault.tick, fault.replica, fault.signal))

    def incidents(self) -> dict[str, IntArray]:
        """(B,) each, so far: what only this simulator's drivers do."""
        return self.simulator.incidents()

    @property
    def cpu_elsewhere_s(self) -> float:
        """CPU seconds that other processes have taken since the reset."""
        return self.simulator.worker_cpu_s

    def counts(self) -> Counts:
        """Lane counts now.

        Raises
        ------
        ValueError
            If the simulator tells a count below 0.
        """
        counts = self.simulator.counts(self.near_m, self._bounds_m)
        for name in _COUNTED:
            values = getattr(counts, name)
            if (values < 0).any():
                b, lane = np.argwhere(values < 0)[0, :2].tolist()
                where = f"lane {self.network.lane_name(lane)} in replica {b} at second {self.time_s}"
                raise ValueError(f"the simulator tells {values.min()} in `{name}` on {where}; need counts from 0")
        return counts

    def totals(self) -> Totals:
        """What has happened so far, for the metrics; what the simulator does not tell is NaN."""
        return self.simulator.totals()

    def passed(self) -> IntArray:
        """(B, 2) trips released and finished so far."""
        totals = self.totals()
        return np.stack([totals.released, totals.finished], axis=1).astype(np.int32)

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody on the lanes of one replica is now."""
        return self.simulator.positions(replica)

    def close(self) -> None:
        """End the simulations."""
        self.simulator.close()

    def _begin(self) -> None:
        replicas = range(self.n_replicas)
        self._shown = signal_state(self.plan, self.network, self.n_replicas)
        self._shields = [PlainShield(self.plan.rules, replica_state(self._shown, b)) for b in replicas]
        self._monitors = [] if self._card is None else [PlainMonitor(self._card) for _ in replicas]

    def _second(self) -> None:
        """Signals, then traffic, then whoever watches what was displayed."""
        calls = self.simulator.calls.copy()
        for one, called in zip(self._shields, calls, strict=True):
            one.tick(called)
        self.simulator.advance(1, self._shown.aspects)
        for b, watching in enumerate(self._monitors):
            watching.watch(self.simulator.displayed[b], calls[b])

    def _set_backlog(self, sums: LaneSums, times: int) -> None:
        """-1: begin the backlogs with those who wait outside before the period; 1: add those after it."""
        if times < 0:
            sums.backlog[:], sums.person_backlog[:] = 0.0, 0.0
        for b, (vehicles, people) in enumerate(self.simulator.waiting_outside()):
            sums.backlog[b] += times * vehicles
            sums.person_backlog[b] += times * people

    def _reward(self, senses: Senses, seconds: int) -> None:
        for b in range(self.n_replicas):
            mine = LaneSums(*(values[b] for values in senses.sums))
            for i in range(self.plan.n_signals):
                senses.reward[b, i] = reward_of(i, seconds, mine, senses.reward_table)
