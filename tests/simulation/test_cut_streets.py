"""Queues that reach over a cut of the street: counted whole, by metrics and rewards, as controllers see them."""

import dataclasses

import numpy as np
import pytest
from network.test_approaches import street
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.envs.demand import Demand, VehicleType
from intergreen.envs.layout import make_layout
from intergreen.envs.network.approaches import links_over_cuts, queue_lanes
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.reward import REWARD_VEHICLES, make_reward
from intergreen.envs.scenario import Scenario, load_scenario
from intergreen.envs.simulators import make_core

SECONDS, VEHICLES = 120, 12
PROTOCOL = protocol_by_name("literature-10-5")


def stopped_on_a_cut_street(folder, *, stub_m=20.0, way_m=None):
    """A street of 200 m, a stub of 20 m, a signal; twelve vehicles come, and wait for a green that never does."""
    network = street(folder, [200.0, stub_m, 200.0], signals=(2,))
    if way_m is not None:
        length_m = network.link_length_m.copy()
        length_m[links_over_cuts(network)] = way_m
        network = dataclasses.replace(network, link_length_m=length_m)
    route = np.array([network.road_ids.index(road) for road in ("e0", "e1", "e2")], np.int32)
    none, release_s = np.zeros(VEHICLES, np.int32), 2.0 * np.arange(VEHICLES)
    start = np.array([0, 3], np.int32)
    types = (VehicleType("car"),)
    demand = Demand(types, start, route, none, none, release_s, release_s, np.ones(VEHICLES))
    return Scenario("cut", network, demand, SECONDS, True, "literature-10-5")


def run(scenario, simulator, wished, seconds):
    """Queues as metrics and rewards have them, and (T, L) vehicles that stood, counted every second."""
    network, plan = scenario.network, PROTOCOL.plan(scenario.network)
    core = make_core(simulator, scenario, plan)
    core.reset([scenario.trips(0)], [0], np.full((1, plan.n_signals), wished, np.int32))
    table = make_reward("queue", network, plan, backlog_periods=0)
    senses, stood, reward = core.senses(make_layout(network, plan), table), [], 0.0
    for _ in range(seconds):
        core.run(np.full((1, plan.n_signals), wished, np.int32), 1, senses)
        stood.append(core.counts().waiting[0].copy())
        reward += float(senses.reward.sum())
    totals = core.totals()
    core.close()
    return totals, reward, table, np.array(stood)


def test_who_stands_behind_a_cut_counts(tmp_path):
    scenario = stopped_on_a_cut_street(tmp_path)
    totals, reward, table, stood = run(scenario, "native", 1, SECONDS)
    roads = [scenario.network.road_ids[scenario.network.lane_road[lane]] for lane in table.incoming]
    assert roads == ["e0", "e1", "side2"]
    stub = scenario.network.road_ids.index("e1")
    assert stood[-1].sum() == VEHICLES > 3 * stood[-1, stub] > 0  # nearly all of them stand beyond the stub
    assert int(totals.max_queue_veh[0]) == stood.max()
    assert int(totals.queue_time_veh_s[0]) == stood.sum()
    assert reward == pytest.approx(-stood.sum() / len(table.incoming) / REWARD_VEHICLES)


@NEEDS_SUMO
@pytest.mark.parametrize("simulator", ["native", "sumo"])
def test_a_citys_queues_are_those_on_all_lanes_that_its_signals_see(benchmark_data, simulator):
    scenario = load_scenario("resco/ingolstadt1")
    totals, reward, table, stood = run(scenario, simulator, 0, 400)
    seen = queue_lanes(scenario.network)
    approaches = np.isin(scenario.network.road_to, scenario.network.signalled)[scenario.network.lane_road]
    assert stood[:, seen].sum() > 1.2 * stood[:, approaches].sum() > 0
    assert int(totals.queue_time_veh_s[0]) == pytest.approx(stood[:, seen].sum(), rel=0.02)  # who arrives halted: later
    assert set(table.incoming.tolist()) == set(np.flatnonzero(seen).tolist())
    assert reward == pytest.approx(-stood[:, seen].sum() / len(table.incoming) / REWARD_VEHICLES, rel=0.02)


STUB_M = 0.2


def alone_before_a_stub(folder, *, way_m=5.4):
    """One vehicle, which stops a metre before the line: on the way over the cut, since the road behind is shorter."""
    network = street(folder, [200.0, STUB_M, 200.0], signals=(2,))
    over_cut = links_over_cuts(network)
    assert network.lane_road[network.link_to_lane[over_cut]].tolist() == [network.road_ids.index("e1")]
    length_m = network.link_length_m.copy()
    length_m[over_cut] = way_m
    network = dataclasses.replace(network, link_length_m=length_m)
    route = np.array([network.road_ids.index(road) for road in ("e0", "e1", "e2")], np.int32)
    none, once = np.zeros(1, np.int32), np.zeros(1)
    types = (VehicleType("car", follows_krauss=True),)
    demand = Demand(types, np.array([0, 3], np.int32), route, none, none, once, once, np.ones(1))
    return Scenario("alone", network, demand, 300, True, "us-mutcd-5"), int(over_cut[0])


def test_who_stands_on_the_way_over_a_cut_counts_on_the_lane_behind_it(tmp_path):
    scenario, link = alone_before_a_stub(tmp_path)
    totals, reward, table, stood = run(scenario, "native", 1, SECONDS)
    behind = int(scenario.network.link_to_lane[link])
    assert np.flatnonzero(stood[-1]).tolist() == [behind]
    assert stood[-1, behind] == 1
    assert int(totals.queue_time_veh_s[0]) == stood.sum() > SECONDS / 2
    assert int(totals.max_queue_veh[0]) == 1
    assert reward == pytest.approx(-stood.sum() / len(table.incoming) / REWARD_VEHICLES)


def test_who_stands_on_the_way_over_a_cut_calls(tmp_path):
    scenario, link = alone_before_a_stub(tmp_path)
    plan = protocol_by_name("us-mutcd-5").plan(scenario.network)
    core = make_core("native", scenario, plan)
    side = np.full((1, plan.n_signals), 1, np.int32)
    core.reset([scenario.trips(0)], [0], side)
    stood_s = 0
    while core.time_s < scenario.horizon_s and not core.passed()[0, 1]:
        core.run(side, 5)
        here = core.positions(0)
        stood_s += 5 * int(((here.drivable == scenario.network.n_lanes + link) & (here.speed < 0.1)).sum())
    assert core.passed()[0].tolist() == [1, 1]  # the shield has served the call, whatever was wished
    assert 20 < stood_s <= 120
    core.close()
