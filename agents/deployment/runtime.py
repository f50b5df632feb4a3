"""The runtime: a bundle in charge of the signals of one network, a second at a time. NumPy and onnxruntime only.

    controller = SignalController.load("checkpoints/universal", "my_network/")
    while True:
        aspects = controller.step(lane_readings(waiting, vehicles, arriving), time_s)

Below the policy stand the ladder (`controller.py`) and the shield, beside them the monitor, which sees nothing but the
aspects. A latched fault, or an error where none can be, ends in yellow for whoever had green, then all red: flash.
Nothing here listens to a network, and nothing that a bundle holds is executed.
"""

from __future__ import annotations

import logging
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.base import Setup
from intergreen.agents.deployment.bundle import Bundle
from intergreen.agents.deployment.controller import BundleController, LadderSettings
from intergreen.agents.deployment.health import is_fresh
from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung, RungChange
from intergreen.agents.deployment.proofs import unproved
from intergreen.agents.deployment.shipped import bundle_by_name
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network import RoadNetwork, require_signals
from intergreen.envs.network.approaches import AT_STOP_LINE_M, approach_lanes_by_movement
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.readings import Readings
from intergreen.envs.signals import SignalStatus, shield
from intergreen.envs.signals.aspects import GREEN, RED, YELLOW
from intergreen.envs.signals.believed import believed_lines
from intergreen.envs.signals.card import program_card, startup_red_s
from intergreen.envs.signals.grants import granted_phases, make_grants
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield
from intergreen.envs.signals.rules import FieldTiming
from intergreen.envs.signals.state import N_INTERVENTIONS, replica_state, signal_state

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from intergreen.envs.arrays import BoolArray, ByteArray, FloatArray, IntArray
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.monitor import FaultReport
    from intergreen.envs.signals.monitor_card import MonitorCard

_LOG = logging.getLogger(__name__)
_OLDEST_S = 2**31 - 1  # that an age is told as


def lane_readings(waiting: ArrayLike, vehicles: ArrayLike, arriving: ArrayLike, age_s: ArrayLike = 0) -> Readings:
    """What the detectors of L lanes tell now, in the order of the network's lanes; NaN where one tells nothing.

    Parameters
    ----------
    waiting, vehicles : (L,) slower than 0.1 m/s, and all; what a masked array masks tells nothing
    arriving : (L, bins) moving, by seconds from the stop line; the bins of `observation.json`
    age_s : (L,) or one number, seconds since the lanes were read; NaN where nobody knows; below 0, by a clock that is
        wrong, counts as that
    """
    vehicles = _numbers(vehicles)[None]
    unknown = np.zeros_like(vehicles)
    told_s = _numbers(age_s)
    if told_s.shape not in ((), vehicles.shape[1:]):
        raise ValueError(f"need one age or one for each of {vehicles.shape[1]} lanes, got shape {told_s.shape}")
    age = np.where(told_s >= 0, np.minimum(told_s, _OLDEST_S), _OLDEST_S).astype(np.int32)
    return Readings(
        vehicles=vehicles,
        waiting=_numbers(waiting)[None],
        near=unknown,
        arriving=_numbers(arriving)[None],
        mean_speed=unknown,
        age_s=np.broadcast_to(age, vehicles.shape),
    )


def _numbers(values: ArrayLike) -> FloatArray:
    """As floats; NaN where an array of NumPy's has masked them."""
    if isinstance(values, np.ma.MaskedArray):
        filled: FloatArray = np.ma.filled(values.astype(np.float64), np.nan)
        return filled
    return np.asarray(values, np.float64)


class SignalController:
    """The signals of one network under a bundle; made by `load`. A copy, deep or pickled, goes on by itself.

    aspects   (M,) uint8, lamps lit in the present second, see `intergreen.envs.signals.aspects`
    unproved  hashes of signal plans whose proof is not in the bundle: prove them with `intergreen verify`
    unlike_training  what of the network and its timing the policy was not trained on, in words
    """

    def __init__(
        self,
        bundle: Bundle,
        network: RoadNetwork,
        protocol: Protocol,
        *,
        settings: LadderSettings | None = None,
        flows_vph: FloatArray | None = None,
        red_first_s: int | None = None,
    ) -> None:
        self.network, self.protocol = network, protocol
        self.plan = protocol.plan(network)
        require_signals(network, network.name, mend="use another network")
        if flows_vph is not None:
            flows_vph = _checked_flows(flows_vph, network)
        if red_first_s is not None:
            _check_red(red_first_s, network)
        card = program_card(network, self.plan.timing)
        self.unproved = unproved(network, self.plan, card, bundle.proved)
        self._decider = BundleController(bundle, settings)
        first = self._decider.start(Setup(network, self.plan, protocol, 1, flows_vph=flows_vph))
        self.unlike_training = self._decider.unlike_training
        state = signal_state(self.plan, network, 1)
        shield.start(first, self.plan.rules, state)
        self._signals = replica_state(state, 0)
        self._shield = PlainShield(self.plan.rules, self._signals)
        self._grants = make_grants(self.plan.rules, network.n_phases, network.n_movements)
        self._monitor = PlainMonitor(card)
        self._shown = self.aspects.copy()  # in the last second; what an error leaves half painted never is
        self._yellow_s: IntArray = np.zeros(network.n_movements, np.int32)  # seconds of yellow shown so far
        lanes = approach_lanes_by_movement(network, reach_m=AT_STOP_LINE_M)
        self._first_lane, self._every_lane = _ended(*lanes)
        self._time_s: int | None = None  # the last second
        self._is_new = True  # nothing has been decided
        self._red_left_s = _red_first_s(card, self.plan) if red_first_s is None else red_first_s
        self._yellow_left: IntArray | None = None  # of the flash, once it has begun
        self.flash_reason = ""

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        network: RoadNetwork | str | Path,
        *,
        protocol: str | Protocol | None = None,
        settings: LadderSettings | None = None,
        flows_vph: FloatArray | None = None,
        red_first_s: int | None = None,
    ) -> SignalController:
        """Read a bundle and bind it to a network.

        Parameters
        ----------
        bundle : the name of one that is shipped, else its folder; `./NAME` or a `Path` where both are there
        network : a network, a `roadnet.json`, SUMO's `.net.xml` or `.sumocfg`, or a folder as scenarios have it
        protocol : the timing of the signals, or its name. None: the field's timing that the bundle was made for; where
            it was made for the literature's, or for several, `field`, the MUTCD's, decided every 5 s
        settings : of the ladder
        flows_vph : (M,) volumes that the fixed-time programme is made for; None: the network's own programme
        red_first_s : seconds of red before the timing's own beginning. None: as many as make the longest clearance of
            the network, since nobody knows what was green until now

        Raises
        ------
        InputError
            In one line, if anything about bundle, network or their fit is wrong.
        """
        loaded = network if isinstance(network, RoadNetwork) else _read_network(network)
        read = bundle_by_name(bundle)
        rules = _own_timing(read) if protocol is None else protocol
        rules = protocol_by_name(rules) if isinstance(rules, str) else rules
        made = cls(read, loaded, rules, settings=settings, flows_vph=flows_vph, red_first_s=red_first_s)
        if made.unproved:
            words = "signal plans that are not proved in the bundle: %d; intergreen verify BUNDLE NETWORK proves them"
            _LOG.warning(f"%s: {words}", loaded.name, len(made.unproved))
        for words in believed_lines(made.plan, loaded):
            _LOG.warning("%s: not proved: %s", loaded.name, words)
        for words in made.unlike_training:
            _LOG.warning("%s: unlike what the policy was trained on: %s", loaded.name, words)
        return made

    def step(self, readings: Readings, time_s: int, calls: BoolArray | None = None) -> ByteArray:
        """The aspects (M,) to be shown in this second.

        Call it once a second. Where seconds were missed the signals stay as they were and every timer waits with them,
        and a warning is logged: who drives the lamps must watch that somebody asks.

        Parameters
        ----------
        readings : of one replica; `lane_readings` makes them
        time_s : a whole second, later than the last; of a clock that nobody sets back, `int(time.monotonic())`
        calls : (M,) who waits at a stop line; None: whoever waits or arrives in the first bin, and every movement
            with a lane that tells nothing

        Raises
        ------
        ValueError
            If the time does not move on, or readings and calls are not those of this network's lanes and movements.
        TypeError
            If the readings are none.
        """
        self._check(readings, time_s, calls)
        last_s, self._time_s = self._time_s, int(time_s)
        if last_s is not None and self._time_s - last_s > 1:
            words = "nobody asked for %d s, and the signals stood as they were"
            _LOG.warning(f"%s: second %d: {words}", self.network.name, self._time_s, self._time_s - last_s - 1)
        if self._yellow_left is not None:
            return self._flash()
        try:
            heard = self._calls(readings) if calls is None else np.asarray(calls, np.bool_).astype(np.uint8)
            if self._red_left_s > 0:
                self._red_left_s -= 1
            else:
                self._decide(readings, heard, self._time_s)
                self._shield.tick(heard)
            n_faults = self._monitor.watch(self.aspects, heard)
        except Exception as error:  # a bug of ours must not leave a street with what it happens to show
            _LOG.exception("the runtime failed")
            return self._begin_flash(f"the runtime raised {type(error).__name__}")
        if n_faults:
            return self._begin_flash(f"monitor: {self.faults()[0].fault}")
        self._shown[:] = self.aspects
        self._yellow_s = np.where(self._shown == YELLOW, self._yellow_s + 1, 0)
        return self.aspects.copy()

    @property
    def aspects(self) -> ByteArray:
        """(M,) lamps lit."""
        return self._signals.aspects

    @property
    def rungs(self) -> list[str]:
        """Who decides for each signal, in words."""
        if self._yellow_left is not None:
            return [RUNG_NAMES[Rung.FLASH]] * self.plan.n_signals
        return [RUNG_NAMES[Rung(rung)] for rung in self._decider.rung[0].tolist()]

    @property
    def log(self) -> list[RungChange]:
        """All changes of rungs since the start."""
        return self._decider.log

    def faults(self) -> list[FaultReport]:
        """The monitor's latched faults."""
        return self._monitor.faults

    def close(self) -> None:
        """End the thread that asks the policy."""
        self._decider.close()

    def decide(self, readings: Readings, calls: ByteArray, time_s: int) -> IntArray:
        """(1, I) the phases wanted now; what `step` asks the shield for."""
        state = self._signals
        red_s = np.where(state.red_since < 0, 0, state.time[0] - state.red_since).astype(np.int32)
        overruled = state.interventions.reshape(-1, N_INTERVENTIONS).sum(axis=1, dtype=np.int32)
        status = SignalStatus(
            state.phase[None],
            state.green_s[None],
            red_s[None],
            granted_phases(self._grants, state, calls, self.protocol.interval_s)[None],
            overruled[None],
        )
        return self._decider.decide(readings, status, time_s)

    def _decide(self, readings: Readings, calls: ByteArray, time_s: int) -> None:
        if self._is_new or self._decider.is_due(time_s):
            wanted = self.decide(readings, calls, time_s)
            self._shield.request(wanted[0])
            self._is_new = False
        else:
            self._decider.rest()

    def _calls(self, readings: Readings) -> ByteArray:
        waiting, arriving = readings.waiting[0], readings.arriving[0, :, 0]
        is_empty = (waiting == 0.0) & (arriving == 0.0) & is_fresh(readings.age_s[0], self.protocol.interval_s)
        calling = np.append(~is_empty, False)  # what is no count, or too old, calls: recall, as the field has it
        called: ByteArray = np.logical_or.reduceat(calling[self._every_lane], self._first_lane).astype(np.uint8)
        return called

    def _check(self, readings: Readings, time_s: int, calls: BoolArray | None) -> None:
        if not isinstance(readings, Readings):
            raise TypeError(f"need readings, made with lane_readings(...), got a {type(readings).__name__}")
        if not isinstance(time_s, Real) or time_s % 1 != 0 or (self._time_s is not None and time_s <= self._time_s):
            raise ValueError(f"need a whole second after {self._time_s}, got {time_s!r}")
        lanes = self.network.n_lanes
        shapes = (readings.waiting.shape, readings.vehicles.shape, readings.age_s.shape, readings.arriving.shape)
        if shapes != ((1, lanes), (1, lanes), (1, lanes), (1, lanes, N_BINS)):
            raise ValueError(f"need readings of {lanes} lanes in {N_BINS} bins, got shapes {shapes}")
        if calls is not None and np.shape(calls) != (self.network.n_movements,):
            raise ValueError(f"need calls of {self.network.n_movements} movements, got shape {np.shape(calls)}")

    def _begin_flash(self, reason: str) -> ByteArray:
        self.flash_reason = reason
        _LOG.error("%s: flash: %s", self.network.name, reason)
        had_way = (self._shown == GREEN) | (self._shown == YELLOW)
        own_s = self.plan.rules.yellow  # 0 at a signal of one phase
        yellow_s = np.where(own_s > 0, own_s, own_s.max(initial=0))
        left_s = np.maximum(0, yellow_s - self._yellow_s)
        self._yellow_left = np.where(had_way, left_s, 0).astype(np.int32)
        return self._flash()

    def _flash(self) -> ByteArray:
        """Full yellow for whoever was last shown right of way, then red for everybody, for ever."""
        assert self._yellow_left is not None
        aspects = np.where(self._yellow_left > 0, YELLOW, RED).astype(np.uint8)
        self._yellow_left = np.maximum(self._yellow_left - 1, 0)
        self._signals.aspects[:] = aspects
        return aspects


def _own_timing(bundle: Bundle) -> str | Protocol:
    """That which alone the bundle was made for, if it is a field's; else the MUTCD's."""
    own = [protocol_by_name(name) for name in bundle.protocols]
    return own[0] if len(own) == 1 and isinstance(own[0].timing, FieldTiming) else "field"


def _read_network(named: str | Path) -> RoadNetwork:
    if not isinstance(named, str | Path):
        raise TypeError(f"need a network or where one is, not a {type(named).__name__}; of a scenario, its .network")

    from intergreen.envs.network import find_file, read_cityflow_network, read_sumo_network
    from intergreen.envs.sumo_config import is_sumo_config, read_sumo_config, sumo_config_in

    path = Path(named)
    if not path.exists() or path.suffix in (".yaml", ".yml"):
        problem = "is a scenario's file" if path.exists() else "no such file or folder"
        raise InputError(path, "", problem, f"name a network's; of scenarios give load_scenario({str(path)!r}).network")
    config = sumo_config_in(path) if path.is_dir() else path if is_sumo_config(path) else None
    if config is not None:
        read = read_sumo_config(config)
        begin_s, end_s = read.given.window
        return read_sumo_network(read.net, begin_s=begin_s, end_s=end_s, additional=read.additional)
    if path.name.endswith((".net.xml", ".net.xml.gz")):
        return read_sumo_network(path)
    return read_cityflow_network(find_file(path, "roadnet.json") if path.is_dir() else path)


def _checked_flows(flows_vph: ArrayLike, network: RoadNetwork) -> FloatArray:
    flows = np.asarray(flows_vph, np.float64)
    if flows.shape != (network.n_movements,) or not (np.isfinite(flows) & (flows >= 0.0)).all():
        problem = f"are not a number >= 0 for each of {network.n_movements} movements, their shape is {flows.shape}"
        raise InputError(network.name, "flows_vph", problem, "give what a survey counts, or None for the own programme")
    return flows


def _red_first_s(card: MonitorCard, plan: SignalPlan) -> int:
    """Seconds of red that clear every junction of whatever had green when another controller stopped, beside those with
    which the timing lets signals begin."""
    longest_s = max(int(card.clearance_before.max(initial=0)), int(card.red_revert.max(initial=0)))
    return max(0, longest_s - startup_red_s(plan.timing))


def _check_red(red_first_s: object, network: RoadNetwork) -> None:
    if not isinstance(red_first_s, int | np.integer) or isinstance(red_first_s, bool) or red_first_s < 0:
        problem = f"is {shown(red_first_s)}, no whole seconds"
        mend = "give 0 or more, or None for as long as the longest clearance takes"
        raise InputError(network.name, "red_first_s", problem, mend)


def _ended(starts: IntArray, lanes: IntArray) -> tuple[IntArray, IntArray]:
    """Where the lanes of each movement begin in one list; the last lane, which is none, ends each."""
    ends_before = np.arange(len(starts) - 1, dtype=np.int32)
    return (starts[:-1] + ends_before).astype(np.int32), np.insert(lanes, starts[1:], -1)
