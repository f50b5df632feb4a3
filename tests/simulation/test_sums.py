"""The sums that metrics are made of, against a plain recount second by second (`recount`)."""

import numpy as np
import pytest
from simulation.recount import Recount, bin_start

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import CAR, Demand, release_trips
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FixedClearance, make_plan
from intergreen.envs.simulation import Totals, visits

SECONDS = 400
LOOK_EVERY_S = 25
BLOCKED_S = 150  # so long nobody drives on one way out: some halt on lanes without a signal, and inside the junction
CLEARANCE = FixedClearance(3)
# Sums of float64 in another order; everything else is whole numbers and equal.
RELATIVE = 1e-9
NOT_RECOUNTED = {"overlaps"}  # needs who was ahead of whom on arrival; test_laws and the twin watch it

BLOCK = ("road_1_1_0", "road_2_1_1", "road_2_2_2", "road_1_2_3")  # anticlockwise from the signal at (1, 1)


def block_routes():
    """Once and twice round the block, and straight traffic in its way."""
    return [
        ("road_0_1_0", *BLOCK, "road_1_1_3"),
        ("road_0_1_0", *BLOCK, *BLOCK, "road_1_1_3"),
        ("road_0_1_0", "road_1_1_0", "road_2_1_0"),
        ("road_1_3_3", "road_1_2_3", "road_1_1_3"),
    ]


def block_world():
    """A grid of four signals where every route visits several of them, two of them again."""
    network = generate_grid(GridSpec(rows=2, columns=2, spacing_x_m=150.0, spacing_y_m=130.0))
    roads = [[network.road_ids.index(name) for name in route] for route in block_routes()]
    n = len(roads)
    demand = Demand(
        types=(CAR,),
        route_start=np.cumsum([0, *map(len, roads)]).astype(np.int32),
        route_roads=np.concatenate(roads).astype(np.int32),
        flow_route=np.arange(n, dtype=np.int32),
        flow_type=np.zeros(n, np.int32),
        flow_start_s=np.zeros(n),
        flow_end_s=np.full(n, -1.0),
        flow_interval_s=np.array([30.0, 40.0, 15.0, 18.0]),
    )
    return network, demand, [release_trips(network, demand, horizon_s=SECONDS, seed=0)], "road_2_1_0"


def scenario_world(name):
    scenario = load_scenario(name)
    way_out = scenario.network.road_ids[scenario.demand.route(0)[-1]]
    return scenario.network, scenario.demand, [scenario.trips(seed) for seed in range(2)], way_out


WORLDS = {
    "town": lambda: scenario_world("town"),
    "single": lambda: scenario_world("single"),
    "block": block_world,
}


def set_limits(core, lanes, limits_mps):
    for lane, limit_mps in zip(lanes, limits_mps, strict=True):
        core.engine.set_speed_limit(lane, limit_mps)


@pytest.fixture(scope="module", params=WORLDS)
def driven(request):
    """Pairs (engine's totals of a replica, recount's) every few seconds of a run under random phases, and recounts."""
    network, demand, trips, way_out = WORLDS[request.param]()
    plan = make_plan(network, timing=CLEARANCE)
    core = TrafficCore(network, plan, demand, replicas=len(trips))
    start = np.tile(plan.choices[:, 0], (len(trips), 1))
    core.reset(trips, range(len(trips)), start)
    blocked = np.flatnonzero(network.lane_road == network.road_ids.index(way_out)).tolist()
    set_limits(core, blocked, [0.0] * len(blocked))
    recounts = [Recount(network, demand, one) for one in trips]
    random = np.random.default_rng(0)
    rows = []
    for t in range(SECONDS):
        if t == BLOCKED_S:
            set_limits(core, blocked, network.lane_speed_limit_mps[blocked])
        if t % 12 == 0:
            wanted = plan.choices[np.arange(plan.n_signals), random.integers(0, plan.n_choices, start.shape)]
        core.run(wanted, 1)
        for b, recount in enumerate(recounts):
            recount.see(core.positions(b), core.engine.state.green[b])
        if (t + 1) % LOOK_EVERY_S == 0:
            totals = core.totals()
            rows += [
                ({name: column[b].item() for name, column in totals._asdict().items()}, recount.totals())
                for b, recount in enumerate(recounts)
            ]
    return rows, recounts


@pytest.mark.parametrize("name", [name for name in Totals._fields if name not in NOT_RECOUNTED])
def test_sum_equals_its_recount_all_along(driven, name):
    rows, _ = driven
    for engine, recount in rows:
        assert engine[name] == pytest.approx(recount[name], rel=RELATIVE, abs=1e-6), name


def test_every_sum_that_is_recounted_is_not_just_zero(driven):
    """Else an equality above would say nothing; some worlds have nobody on red, or nobody outside."""
    rows, _ = driven
    for name in set(Totals._fields) - NOT_RECOUNTED - {"red_entries", "outside_wait_s", "waiting_outside"}:
        assert any(engine[name] > 0 for engine, _ in rows), name


@pytest.mark.parametrize("driven", ["block"], indirect=True)
def test_way_round_the_block_is_charged_between_two_visits(driven):
    rows, (recount,) = driven
    twice = [trip for trip in recount.entered_at if recount.leg[trip] > len(BLOCK)]
    assert len(twice) > 5
    assert rows[-1][0]["approach_time_literature_s"] > rows[-1][0]["approach_time_s"] + 50 * len(twice)


def test_bin_of_a_wait_is_the_one_that_begins_last_before_it():
    for wait_s in range(5001):
        k = visits.wait_bin.py_func(wait_s)
        assert k == np.searchsorted(visits.WAIT_BIN_START_S, wait_s, side="right") - 1
        assert visits.WAIT_BIN_START_S[k] == min(bin_start(wait_s), visits.WAIT_BIN_START_S[-1])
