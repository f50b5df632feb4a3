"""Where chance has no part, drivers of SUMO's types are where SUMO has them, second by second."""

from pathlib import Path

import numpy as np
import pytest
from evaluation.test_sumo_cities import ARMS, converted
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.base import Setup
from intergreen.envs.core import TrafficCore
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario
from intergreen.envs.sumo_core import SumoCore

SECONDS = 900
STRAIGHT_AND_RIGHT = ["NS", "SN", "EW", "WE", "NW", "SE"]
LEFT_TOO = ["NS", "SN", "EW", "WE", "NE", "SW"]


def crossroads(folder: Path, ways: list[str], *, every_s: int = 11, depart_speed: str = "0") -> Scenario:
    """One lane an arm and a signal; of every way a car each 11 to 26 s, without dawdling or a pace of its own."""
    nodes = [f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in ARMS.items()]
    nodes.append('<node id="C" x="0" y="0" type="traffic_light"/>')
    edges = [f'<edge id="in{a}" from="{a}" to="C"/><edge id="out{a}" from="C" to="{a}"/>' for a in ARMS]
    flows = [(f"in{a}", f"out{b}", str(every_s + 3 * k)) for k, (a, b) in enumerate(ways)]
    config = converted(folder, nodes, edges, flows)
    steady = (
        (folder / "plain.rou.xml").read_text().replace("<flow ", f'<flow type="steady" departSpeed="{depart_speed}" ')
    )
    kind = '<vType id="steady" sigma="0" speedDev="0"/>'
    (folder / "plain.rou.xml").write_text(steady.replace("<routes>", f"<routes>{kind}"))
    return load_scenario(config)


def seen(core: TrafficCore | SumoCore, scenario: Scenario) -> dict[tuple[int, int], tuple[int, float]]:
    """Lane and m of every trip in every second in which it is on a lane."""
    protocol = protocol_by_name("literature-10-2")
    plan = protocol.plan(scenario.network)
    controller = controller_by_name("fixed-time")
    core.reset([scenario.trips(0)], [0], controller.start(Setup(scenario.network, plan, protocol, 1, 0)))
    out = {}
    for second in range(SECONDS):
        if second % protocol.interval_s == 0:
            wanted = controller.decide(core.counts(), core.signals(protocol.interval_s), second)
        core.run(wanted, 1)
        now = (core.engine if isinstance(core, TrafficCore) else core.simulator).positions(0)
        for trip, lane, at in zip(now.trip.tolist(), now.drivable.tolist(), now.distance.tolist(), strict=True):
            if lane < scenario.network.n_lanes:
                out[trip, second] = lane, at
    return out


@NEEDS_SUMO
@pytest.mark.parametrize(("ways", "share"), [(STRAIGHT_AND_RIGHT, 0.9999), (LEFT_TOO, 0.94)], ids=["ahead", "left"])
def test_vehicles_are_within_a_metre_of_where_sumo_has_them(tmp_path, ways, share):
    """In all seconds on a lane; with left turns that wait inside in 95.6 %: one car later is a green later."""
    scenario = crossroads(tmp_path, ways)
    plan = protocol_by_name("literature-10-2").plan(scenario.network)
    here = seen(TrafficCore(scenario.network, plan, scenario.demand), scenario)
    there = seen(SumoCore(scenario, plan), scenario)
    both = here.keys() & there.keys()
    assert len(both) > 0.97 * max(len(here), len(there))
    assert np.mean([here[k][0] == there[k][0] and abs(here[k][1] - there[k][1]) < 1.0 for k in both]) > share


@NEEDS_SUMO
@pytest.mark.parametrize("depart_speed", ["max", "6"])
def test_trips_enter_at_their_speed_where_sumo_has_them_enter(tmp_path, depart_speed):
    """More often than some can, so that they also enter close behind each other: all in all seconds."""
    scenario = crossroads(tmp_path, STRAIGHT_AND_RIGHT, every_s=3, depart_speed=depart_speed)
    plan = protocol_by_name("literature-10-2").plan(scenario.network)
    here = seen(TrafficCore(scenario.network, plan, scenario.demand), scenario)
    there = seen(SumoCore(scenario, plan), scenario)
    both = here.keys() & there.keys()
    assert len(both) > 0.97 * max(len(here), len(there))
    assert np.mean([here[k][0] == there[k][0] and abs(here[k][1] - there[k][1]) < 1.0 for k in both]) > 0.9999
