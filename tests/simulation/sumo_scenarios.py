"""Small scenarios for SUMO: a generated crossing, and the same read back from the file that netconvert makes of it."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from intergreen.envs.scenario import Scenario, load_scenario

NEEDS_SUMO = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("sumo", "libsumo")),
    reason='SUMO is not installed: pip install "intergreen[sumo]"',
)


def generated() -> Scenario:
    """A crossing of four roads, 2600 vehicles an hour."""
    return load_scenario("single")


def written(folder: Path) -> Path:
    """A `.sumocfg` with a net of netconvert's, whose programme has short phases, and some vehicles of SUMO's types."""
    from intergreen.envs.demand.sumo_trips import write_sumo_trips
    from intergreen.envs.sumo_net_file import net_of

    scenario = generated()
    net = net_of(scenario, folder).net
    text = net.read_text()
    assert '<phase duration="' in text
    types = (replace(scenario.demand.types[0], sumo_attributes=(("sigma", "0.2"), ("vClass", "passenger"))),)
    demand = replace(scenario.demand, types=types)
    trips, network = scenario.trips(0, horizon_s=300), scenario.network
    write_sumo_trips(folder / "a.rou.xml", demand, trips, network.road_ids, network.road_length_m)
    config = folder / "small.sumocfg"
    config.write_text(
        f'<configuration><input><net-file value="{net.name}"/><route-files value="a.rou.xml"/></input>'
        '<time><begin value="0"/><end value="300"/></time></configuration>'
    )
    return config
