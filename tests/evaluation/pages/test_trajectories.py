"""What a film keeps of a run is the run, within the stated tolerance."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.pages.film import Film
from intergreen.agents.evaluation.pages.simplify import Simplifier
from intergreen.agents.evaluation.pages.trajectories import QUANTUM_M, TOLERANCE_M
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.state import INTERVENTIONS

HORIZON_S = 300


class Witness(Film):
    """A film beside which everything is written down as it was."""

    def start(self, core, seeds):
        super().start(core, seeds)
        self.seen, self.lamps, self.waiting, self.overruled = defaultdict(dict), [], [], 0

    def _note(self, core):
        super()._note(core)
        now = core.positions()
        for trip, drivable, distance_m in zip(
            now.trip.tolist(), now.drivable.tolist(), now.distance.tolist(), strict=True
        ):
            self.seen[trip].setdefault(core.time_s, []).append((drivable, distance_m))
        self.lamps.append(core.aspects[0].copy())
        self.waiting.append(core.counts().waiting[0].copy())
        self.overruled = core.interventions[0].sum(axis=0)


@pytest.fixture(
    scope="module", params=[("grid4x4", "literature-10-5"), ("town", "us-mutcd-5"), ("grid4x4", "resco-lane-change")]
)
def run(request):
    name, protocol_name = request.param
    scenario, protocol = load_scenario(name), protocol_by_name(protocol_name)
    film = Witness()
    controller = decider_by_name("max-pressure")
    result = evaluate(scenario, controller, protocol, seeds=[3], horizon_s=HORIZON_S, onlooker=film, look_every_s=1)
    return scenario, protocol, film, result


@given(steps=st.lists(st.integers(-60, 60), min_size=1, max_size=60), tolerance=st.sampled_from([0.5, 3.0, 20.0]))
def test_straight_lines_between_kept_points_miss_nothing_by_more_than_the_tolerance(steps, tolerance):
    values = np.cumsum(steps)
    lines = Simplifier(tolerance)
    number = lines.begin(10, values[:1])
    for second, value in enumerate(values[1:], start=11):
        lines.go_on(number, second, np.array([value]))
    kept = lines.points()
    found = np.interp(np.arange(10, 10 + len(values)), kept.time_s, kept.value)
    assert np.abs(found - values).max() <= tolerance + 1e-9
    assert np.all(np.diff(kept.time_s) > 0)


def test_a_standing_line_is_two_points():
    lines = Simplifier(1.0)
    number = lines.begin(0, np.array([5]))
    for second in range(1, 1000):
        lines.go_on(number, second, np.array([5]))
    assert lines.points().time_s.tolist() == [0, 999]


def test_everybody_is_where_they_were_within_the_tolerance(run):
    scenario, _, film, _ = run
    network, kept = scenario.network, film.trajectories.kept()
    length_m = np.concatenate([network.lane_length_m, network.link_length_m])
    checked = 0
    for piece, trip in enumerate(kept.trip.tolist()):
        way = kept.way[kept.way_start[piece] : kept.way_start[piece + 1]]
        begins_m = dict(zip(way.tolist(), np.append(0.0, np.cumsum(length_m[way[:-1]])).tolist(), strict=True))
        points = slice(kept.point_start[piece], kept.point_start[piece + 1])
        first, last = kept.time_s[points][[0, -1]]
        for second in range(first, last + 1):
            along_m = np.interp(second, kept.time_s[points], kept.along[points]) * QUANTUM_M
            misses = [abs(along_m - begins_m[d] - x) for d, x in film.seen[trip][second] if d in begins_m]
            assert min(misses) <= TOLERANCE_M + 1e-6, (trip, second)
            checked += 1
    assert checked == sum(len(seconds) for seconds in film.seen.values()), "a second is missing, or there twice"


def test_ways_follow_the_network(run):
    network, kept = run[0].network, run[2].trajectories.kept()
    n_lanes = network.n_lanes
    for piece in range(len(kept.trip)):
        way = kept.way[kept.way_start[piece] : kept.way_start[piece + 1]].tolist()
        for before, after in pairwise(way):
            if before < n_lanes:
                assert network.link_from_lane[after - n_lanes] == before
            else:
                assert network.link_to_lane[before - n_lanes] == after


def test_lamps_are_what_was_lit_in_every_second(run):
    scenario, protocol, film, _ = run
    plan = protocol.plan(scenario.network)
    displays, shown = film.signals.displays, film.signals.shown()
    lamps = np.zeros(scenario.network.n_movements, np.uint8)
    for second in range(HORIZON_S):
        for k in np.flatnonzero(shown.time_s == second).tolist():
            part = scenario.network.movements_of(int(plan.intersection[shown.of[k]]))
            lamps[part] = np.frombuffer(displays[shown.what[k]].aspects, np.uint8)
        np.testing.assert_array_equal(lamps, film.lamps[second + 1])  # lit from `second` to the next look


def test_queues_are_what_was_counted_in_every_second(run):
    queues = run[2].signals.queues()
    waiting = np.zeros(run[0].network.n_lanes, int)
    for second, counted in enumerate(run[2].waiting):
        now = queues.time_s == second
        waiting[queues.of[now]] = queues.what[now]
        np.testing.assert_array_equal(waiting, counted)


def test_interventions_are_all_there(run):
    kinds = run[2].signals.interventions().what
    assert np.bincount(kinds, minlength=len(INTERVENTIONS)).tolist() == run[2].overruled.tolist()


def test_filming_changes_no_number(run):
    scenario, protocol, _, filmed = run
    alone = evaluate(scenario, decider_by_name("max-pressure"), protocol, seeds=[3], horizon_s=HORIZON_S)
    assert alone["metrics"] == filmed["metrics"]
    assert alone["safety"] == filmed["safety"]
