"""A bundle as a controller: judges what detectors tell, decides by the highest rung that can be trusted, logs the rest.

The same class decides in evaluation and in the runtime on the street (`runtime.py`), so that what was evaluated is what
runs. NumPy and onnxruntime only; the observation has the bits of the compiled one, which policies are trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.actuated import Actuated
from intergreen.agents.controllers.near_signals import NearSignals
from intergreen.agents.controllers.parted_lanes import PartedLanes
from intergreen.agents.controllers.webster import fixed_programme
from intergreen.agents.deployment.at_home import trusted_range, unlike_training
from intergreen.agents.deployment.bundle import MODEL
from intergreen.agents.deployment.counted import Counted, counted, counts_in
from intergreen.agents.deployment.detectors import detectors_of
from intergreen.agents.deployment.failing import FailingPolicy
from intergreen.agents.deployment.health import FINDING_WORDS, DetectorHealth, Finding
from intergreen.agents.deployment.inference import PolicyFailedError, SupervisedPolicy
from intergreen.agents.deployment.ladder import Ladder, Needs, Rung
from intergreen.agents.deployment.plain_policy import policy_of
from intergreen.agents.deployment.quiet import QuietSignals
from intergreen.envs.choices import chosen_phases, start_phase
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.observation import ARRIVAL_BOUNDS_S, CHOICE_COLUMNS, N_BINS
from intergreen.envs.observation_arrays import blank, make_gathers, observe_arrays, queues
from intergreen.envs.readings import Readings, readings_of
from intergreen.envs.signals import FieldTiming, SignalStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.agents.deployment.bundle import Bundle
    from intergreen.agents.deployment.inference import Policy
    from intergreen.agents.deployment.ladder import RungChange
    from intergreen.envs.arrays import ByteArray, Float32Array, IntArray
    from intergreen.envs.fault_kinds import PolicyFault
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.observation_arrays import Observed


_OF_POLICY = ("_policy_asked", "_failing", "_policy")  # attributes
_BEYOND = "an observation beyond what training had"
_NEVER = 2**62  # a second that does not come; clocks may count seconds, or milliseconds, since 1970


LONGEST_BUDGET_S = 3600.0  # a thread cannot wait for ever


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """When a signal steps down, and when it climbs back."""

    budget_s: float = 1.0  # for one decision of all signals; a decision is due every few seconds
    hold_s: int = 60  # without trouble before a signal climbs back
    least_detectors: float = 0.5  # share of a signal's detectors that actuated control needs
    margin: float = 0.25  # beyond the range seen in training, as a share of it, that a policy is trusted with
    unserved_cycles: float = 2.0  # NTCIP 1202's Cycle Fail; not under the literature's timing, which has no such rule
    shortest_cycle_s: int = 120  # what counts as a cycle at least
    overruled_share: float = 0.5  # of the decisions in `overruled_s` that the shield overruled
    overruled_s: int = 600

    def __post_init__(self) -> None:
        is_patient = 0 < self.budget_s <= LONGEST_BUDGET_S and self.hold_s >= 0
        counts = self.unserved_cycles > 0 and self.shortest_cycle_s > 0
        minds = 0 <= self.overruled_share <= 1 and self.overruled_s > 0
        if not (is_patient and 0 < self.least_detectors <= 1 and self.margin >= 0 and counts and minds):
            needs = f"0 < budget_s <= {LONGEST_BUDGET_S:g}, hold_s >= 0, 0 < least_detectors <= 1, margin >= 0"
            more = "unserved_cycles > 0, shortest_cycle_s > 0, 0 <= overruled_share <= 1 and overruled_s > 0"
            raise ValueError(f"need {needs}, {more}, got {self}")


class BundleController:
    """The policy of a bundle, with the ladder below it.

    policy  asked in place of the bundle's own; for tests of what happens when a policy fails
    """

    interval_s: int | None = None
    own_clearance = False

    def __init__(self, bundle: Bundle, settings: LadderSettings | None = None, *, policy: Policy | None = None) -> None:
        self.name = bundle.name
        self.bundle = bundle
        self.unlike_training: list[str] = []  # what of the network and its timing training had not, in words
        self.settings = settings or LadderSettings()
        self._stand_in = policy
        self._make_policy()

    def _make_policy(self) -> None:
        self._policy_asked = self._stand_in or policy_of(self.bundle.model)
        self._failing = FailingPolicy(self._policy_asked)
        self._policy = SupervisedPolicy(self._failing, self.settings.budget_s)

    def __getstate__(self) -> dict[str, Any]:
        """All but the policy, which has a thread, and memory that its layers share: a copy makes its own."""
        state = {name: value for name, value in vars(self).items() if name not in _OF_POLICY}
        return state | {"faults": self._failing.faults}

    def __setstate__(self, state: dict[str, Any]) -> None:
        faults = state.pop("faults")
        vars(self).update(state)
        self._make_policy()
        self.break_policy(faults)

    def break_policy(self, faults: Sequence[PolicyFault]) -> None:
        """Let the policy fail in these ways; none: not at all."""
        self._failing.faults = tuple(faults)

    def start(self, setup: Setup) -> IntArray:
        """Bind to a network; everything is on the first rung."""
        check_fit(self.bundle, setup.network)
        self._setup = setup
        plan, n_replicas = setup.plan, setup.n_replicas
        self._interval_s = setup.protocol.interval_s
        self._n_near = sum(bound_s <= self._interval_s for bound_s in ARRIVAL_BOUNDS_S)
        self._wanted = start_phase(plan, n_replicas) if plan.n_signals else np.empty((n_replicas, 0), np.int32)
        if plan.n_signals == 0:
            self._forget()
            return self._wanted
        self._layout = make_layout(setup.network, plan, features=self.bundle.features)
        self._gathers = make_gathers(self._layout)
        self._parted = PartedLanes(setup.network, plan)
        self._near = NearSignals(setup.network, plan)
        self._programme = fixed_programme(setup)
        self._detectors = detectors_of(setup.network, plan.intersection)
        self._unserved_s = self.settings.unserved_cycles * np.maximum(
            self._programme.cycle_s, self.settings.shortest_cycle_s
        )
        self._trusted = trusted_range(self.bundle, self.settings.margin)
        self._actuated = Actuated()
        self._actuated.start(setup)
        self._forget()
        self._rehearse()
        return self._wanted

    def _forget(self) -> None:
        """As if nothing had been decided yet; everything is on the first rung."""
        plan, n_replicas = self._setup.plan, self._setup.n_replicas
        self._due_s = self._changes_s = -_NEVER
        self.decisions_by_rung = np.zeros(len(Rung), np.int64)  # of all signals, since the start
        self._ladder = Ladder(n_replicas, plan.n_signals, self.settings.hold_s)
        if plan.n_signals == 0:
            return
        network = self._setup.network
        self._health = DetectorHealth(network, n_replicas, self._interval_s)
        self._quiet = QuietSignals(n_replicas, self._detectors, self._interval_s)
        self._observed = blank(self._gathers, n_replicas)
        self._call_since = np.full((n_replicas, *self._gathers.movement.shape), _NEVER, np.int64)
        self._overruled: list[IntArray] = []

    def decide(self, counts: LaneCounts | Readings, signals: SignalStatus, time_s: int) -> IntArray:
        """Wanted phases (B, I); between decisions only programmes go on."""
        if signals.phase.shape[1] == 0:
            return signals.phase
        if time_s >= self._due_s:
            if time_s > self._due_s > -_NEVER:
                self._wait(time_s - self._due_s)
            self._due_s = time_s + self._interval_s
            readings = counts if isinstance(counts, Readings) else readings_of(counts)  # type: ignore[arg-type]
            self._wanted = self._decided(readings, signals, time_s)
        self._changes_s = time_s + self.seconds_until_change(time_s)
        on_programme = self._ladder.rung == Rung.PROGRAMME
        if not on_programme.any():
            return self._wanted
        wanted: IntArray = np.where(on_programme, self._programme.wanted(time_s), self._wanted)
        return wanted

    def _wait(self, seconds: int) -> None:
        """So many were missed: the signals stood still, and nobody could be served."""
        self._call_since = np.where(self._call_since < _NEVER, self._call_since + seconds, _NEVER)
        self._ladder.wait(seconds)

    def rest(self) -> None:
        """In a second without a decision: learn from the last what the next would else have to do first."""
        if self._setup.plan.n_signals:
            self._health.learn()

    def is_due(self, time_s: int) -> bool:
        """Has `decide` anything new to say? Between decisions it has where a programme in charge goes on to a phase."""
        return time_s >= self._changes_s

    def seconds_until_change(self, time_s: int) -> int:
        """Until the next decision, or the next change of a programme that is in charge."""
        seconds = max(1, self._due_s - time_s)
        if not self._wanted.size:
            return seconds
        in_charge = (self._ladder.rung == Rung.PROGRAMME).any(axis=0)
        return int(min(seconds, self._programme.seconds_until_change(time_s)[in_charge].min(initial=seconds)))

    @property
    def rung(self) -> IntArray:
        """(B, I) who decides for each signal, a `Rung`."""
        return self._ladder.rung

    @property
    def log(self) -> list[RungChange]:
        """All changes since the start, in their order."""
        return self._ladder.log

    def _empty_roads(self) -> tuple[Readings, SignalStatus]:
        """Nobody anywhere and nothing green yet: what a policy sees then is the network and its timing alone."""
        network, shape = self._setup.network, self._wanted.shape
        lanes = np.zeros((len(self._wanted), network.n_lanes))
        nobody = Readings(lanes, lanes, lanes, np.zeros((*lanes.shape, N_BINS)), lanes, lanes.astype(np.int32))
        signals = SignalStatus(
            phase=np.full(shape, -1, np.int32),
            green_s=np.zeros(shape, np.int32),
            red_s=np.zeros((len(lanes), network.n_movements), np.int32),
            granted=np.zeros((len(lanes), network.n_phases), np.uint8),
            overruled=np.zeros(shape, np.int32),
        )
        return nobody, signals

    def _rehearse(self) -> None:
        """Decide once on empty roads and think about every choice, so that the first decision finds its room made."""
        nobody, signals = self._empty_roads()
        if self._stand_in is None:
            self._decided(nobody, signals, 0)
            if (self._ladder.rung == Rung.ACTUATED).any():
                self._actuated.start(self._setup)
            self._forget()
        vehicles, waiting, arriving, _ = counted(nobody)
        observed = observe_arrays(waiting, vehicles, arriving, signals, self._interval_s, self._gathers)
        self.unlike_training = unlike_training(self.bundle, observed)
        if self._stand_in is None:
            observed.choices[:, :, CHOICE_COLUMNS.index("allowed")] = 1.0
            try:
                self._policy_asked.choose(observed)
            except PolicyFailedError as error:
                mend = "train and export the policy again"
                raise InputError(self.bundle.folder / MODEL, "", f"asked about empty roads, {error}", mend) from None

    def close(self) -> None:
        """End the thread that asks the policy."""
        self._policy.close()

    def _decided(self, readings: Readings, signals: SignalStatus, time_s: int) -> IntArray:
        told = counted(readings)
        found = self._health.judge(readings, signals.red_s, told)
        vehicles, waiting, arriving, _ = _believed(told, found)
        observed = observe_arrays(waiting, vehicles, arriving, signals, self._interval_s, self._gathers, self._observed)
        needs = Needs(*signals.phase.shape)
        self._judge_detectors(needs, found)
        needs.ask(self._quiet.judge(vehicles), Rung.PROGRAMME, "all detectors of the signal are silent")
        if isinstance(self._setup.plan.timing, FieldTiming):
            self._judge_service(needs, waiting, signals, time_s)
        self._judge_interventions(needs, signals)
        beyond = self._trusted.is_left(observed).reshape(signals.phase.shape)

        def words(b: int, i: int) -> str:
            return f"{_BEYOND}: {self._trusted.left_by(observed, b * signals.phase.shape[1] + i)}"

        needs.ask(beyond, Rung.ACTUATED, words)
        self._failing.time_s = time_s
        asked = self._asked(needs, observed, signals.phase)
        wished = self._parted.first(asked, waiting, signals.red_s, signals.granted)
        rung = self._ladder.step(needs, signals.phase, time_s)
        self.decisions_by_rung += np.bincount(rung.reshape(-1), minlength=len(Rung))
        if (rung == Rung.ACTUATED).any():
            actuated = self._actuated.decide(self._estimated(readings, waiting, arriving, found), signals, time_s)
            wished = np.where(rung == Rung.ACTUATED, actuated, wished)
        return self._near.apart(wished.astype(np.int32), vehicles, signals, time_s)

    def _asked(self, needs: Needs, observed: Observed, phase: IntArray) -> IntArray:
        """What the policy wants; where it fails, the present phases, and every signal has to go down."""
        try:
            choice = self._policy.choose(observed)
        except PolicyFailedError as error:
            self._observed = blank(self._gathers, len(phase))  # one that is late may still be reading
            needs.ask(np.ones(phase.shape, np.bool_), Rung.ACTUATED, f"the policy failed: {error}")
            return phase
        return chosen_phases(self._setup.plan, choice.reshape(phase.shape))

    def _estimated(
        self, readings: Readings, waiting: Float32Array, arriving: Float32Array, found: ByteArray
    ) -> Readings:
        """What actuated control is told: a lane that tells nothing calls, as in recall, and holds a green as long as
        its signal's other lanes would."""
        believed, detectors = found == Finding.FINE, self._detectors
        recalls = np.maximum(1.0, detectors.means(waiting, believed))
        return readings._replace(
            waiting=np.where(believed | ~detectors.tells, waiting, recalls),
            near=arriving[: self._n_near].sum(axis=0, dtype=np.float64),
            arriving=np.moveaxis(arriving, 0, 2).astype(np.float64),
        )

    def _judge_detectors(self, needs: Needs, found: ByteArray) -> None:
        if not found.any():
            return
        detectors, every = self._detectors, self._detectors.number
        wrong = detectors.count(found != Finding.FINE)

        def reason(b: int, i: int) -> str:
            worst = int(found[b, detectors.lane[detectors.signal == i]].max())
            return f"{FINDING_WORDS[Finding(worst)]}: {int(wrong[b, i])} of {int(every[i])} detectors"

        needs.ask(wrong > 0, Rung.ACTUATED, reason)
        needs.ask((every - wrong) < self.settings.least_detectors * every, Rung.PROGRAMME, reason)

    def _judge_service(self, needs: Needs, waiting: Float32Array, signals: SignalStatus, time_s: int) -> None:
        """A call that has lasted for two cycles: the rung in charge does not serve it, the next one down shall have two
        cycles for it."""
        calls = queues(waiting, self._gathers) > 0
        calls &= signals.red_s.take(self._gathers.movement, axis=1) > 0
        calls &= self._gathers.can_be_served
        self._call_since = np.where(calls, np.minimum(self._call_since, time_s), _NEVER)
        if self._call_since.min(initial=_NEVER) >= time_s - self._unserved_s.min():  # as at most times
            return
        unserved = self._call_since.min(axis=2) < time_s - self._unserved_s
        needs.ask(unserved, Rung.ACTUATED, "a call unserved for two cycles")
        rung, tried_s = self._ladder.rung, time_s - self._ladder.since_s
        tried = (rung == Rung.ACTUATED) & (tried_s > self._unserved_s)
        again = unserved & (tried | (rung == Rung.PROGRAMME))
        needs.ask(again, Rung.PROGRAMME, "a call unserved for two cycles by actuated control too")

    def _judge_interventions(self, needs: Needs, signals: SignalStatus) -> None:
        window = max(1, self.settings.overruled_s // self._interval_s)
        self._overruled = [*self._overruled[-window:], signals.overruled.copy()]
        if len(self._overruled) <= window:
            return
        lately = self._overruled[-1] - self._overruled[0]
        too_many = lately > self.settings.overruled_share * window
        needs.ask(too_many, Rung.ACTUATED, f"the shield overruled more than {self.settings.overruled_share:.0%}")


def check_fit(bundle: Bundle, network: RoadNetwork) -> None:
    """Raise InputError if the bundle was made for another network."""
    if bundle.network is not None and bundle.network != fingerprint_of(network):
        mend = "use one that was made for it, or one for any network, as universal is"
        raise InputError(bundle.folder, "network", f"was made for another network than {network.name}", mend)


def _believed(told: Counted, found: ByteArray) -> Counted:
    """Whole numbers; 0 where a reading cannot be believed."""
    every = np.rint(told.every)
    if found.any():
        every = np.where(found == Finding.FINE, every, np.float32(0.0))
    return counts_in(every)
