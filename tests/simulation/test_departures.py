"""How fast trips enter a network of SUMO's: as fast as their file says, if that is allowed and safe."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from network import sumo_small as small
from network.sumo_small import ARM_M, Crossroads
from scenario.test_sumo_scenarios import CONFIG

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand.sumo_trips import write_sumo_trips
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario

KIND = '<vType id="k" sigma="0" speedDev="0"/>'


def world(folder: Path, *trips: str, depart: str = "", config: str = CONFIG, arm_m: float = ARM_M) -> Scenario:
    net = Crossroads().xml().replace(f'length="{ARM_M}"', f'length="{arm_m}"')
    (folder / "small.net.xml").write_text(net)
    (folder / "a.rou.xml").write_text(small.routes(KIND, *(trip.replace("type", f"{depart} type") for trip in trips)))
    (folder / "b.rou.xml").write_text(small.routes())
    (folder / "small.sumocfg").write_text(config)
    return load_scenario(folder / "small.sumocfg")


def started(scenario: Scenario) -> TrafficCore:
    plan = protocol_by_name("resco").plan(scenario.network)
    core = TrafficCore(scenario.network, plan, scenario.demand)
    core.reset([scenario.trips(0)], [0], plan.choices[None, :, 0])
    return core


def trip(name: str, depart_s: float) -> str:
    return f'<trip id="{name}" type="k" depart="{depart_s}" from="in_S" to="out_N"/>'


@pytest.mark.parametrize(("depart", "mps"), [("", 2.6), ('departSpeed="max"', 10.0), ('departSpeed="5"', 7.6)])
def test_first_second_on_an_empty_road(tmp_path, depart, mps):
    """Driven at the speed of departure and what a second adds to it, 2.6 m/s at most."""
    core = started(world(tmp_path, trip("a", 100), depart=depart))
    core.run(np.zeros((1, 1), np.int32), 1)
    now = core.positions()
    assert now.speed == pytest.approx([mps])
    assert now.distance == pytest.approx([5.1 + mps])


def test_configuration_may_say_it_for_all(tmp_path):
    config = CONFIG.replace("</input>", '</input><processing><default.departspeed value="max"/></processing>')
    core = started(world(tmp_path, trip("a", 100), config=config))
    core.run(np.zeros((1, 1), np.int32), 1)
    assert core.positions().speed == pytest.approx([10.0])


def test_who_enters_behind_others_can_always_stand_behind_them(tmp_path):
    """One car a second onto a road whose end is red half of the time: nobody drives into anybody."""
    trips = [trip(f"t{second}", second) for second in range(100, 300)]
    core = started(world(tmp_path, *trips, depart='departSpeed="max"'))
    fastest = 0.0
    for second in range(200):
        core.run(np.full((1, 1), second // 20 % 2, np.int32), 1)
        now = core.positions()
        for lane in np.unique(now.drivable[now.drivable < core.network.n_lanes]):
            places = np.sort(now.distance[now.drivable == lane])
            assert (np.diff(places) >= 5.0).all()
        newest = now.trip.argmax()
        fastest = max(fastest, float(now.speed[newest]))
    totals = core.totals()
    assert totals.overlaps[0] == 0
    assert totals.released[0] == totals.finished[0] + totals.running[0] + totals.waiting_outside[0] == 200
    assert fastest > 9.0


def test_speed_from_which_nobody_could_stand_before_the_junction_holds_up_nobody(tmp_path):
    """Of twelve metres seven are left; the left turn gives way, so that no second is safe enough for its 10 m/s."""
    left = '<trip id="left" type="k" depart="100" from="in_N" to="out_E"/>'
    behind = [f'<trip id="t{k}" type="k" depart="{101 + k}" from="in_N" to="out_S"/>' for k in range(3)]
    scenario = world(tmp_path, left, *behind, depart='departSpeed="10"', arm_m=12.0)
    core = started(scenario)
    core.run(np.zeros((1, 1), np.int32), 60)
    assert core.totals().finished[0] == 4
    written = tmp_path / "written.xml"
    roads = scenario.network.road_ids, scenario.network.road_length_m
    write_sumo_trips(written, scenario.demand, scenario.trips(0), *roads)
    told = {vehicle.get("departSpeed") for vehicle in ElementTree.parse(written).iter("vehicle")}
    assert told == {"max"}  # SUMO would take who meets a red off the road for good
