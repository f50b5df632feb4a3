"""Cities as OpenStreetMap has them, imported as SUMO's web wizard does: they load, and both simulators agree."""

import numpy as np
import pytest
from evaluation.osm_city import build_city
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.envs.network.turnarounds import turns_about_beside_others
from intergreen.envs.scenario import load_scenario

URBAN, ON_FOOT, BICYCLES = (
    "osmNetconvertUrbanDe.typ.xml",
    "osmNetconvertUrbanDe.typ.xml osmNetconvertPedestrians.typ.xml",
    "osmNetconvertBicycle.typ.xml",
)
IMPORTS = {  # seed, options of netconvert, kinds of ways
    "static programmes, signals before the junctions": (2, "--keep-edges.by-vclass passenger", URBAN),
    "actuated programmes": (1, "--tls.default-type actuated --keep-edges.by-vclass passenger", URBAN),
    "pavements and crossings": (3, "--tls.default-type actuated --sidewalks.guess --crossings.guess", ON_FOOT),
    "one link index for several": (5, "--tls.group-signals", BICYCLES),
}


@NEEDS_SUMO
@pytest.mark.parametrize("name", IMPORTS)
def test_a_city_from_openstreetmap_takes_as_long_in_both_simulators(tmp_path, name):
    """Within a tenth under light traffic, everybody arrives, and SUMO shows what the shield wants."""
    seed, options, types = IMPORTS[name]
    config = build_city(tmp_path, seed, options, types=types)
    scenario = load_scenario(config)
    assert len(scenario.network.signalled) >= 2
    assert turns_about_beside_others(scenario.network).any()
    results = [
        run_cells(comparison_cells([str(config)], ["fixed-time", "max-pressure"], simulator=simulator), seeds=[0])
        for simulator in ("native", "sumo")
    ]
    for here, there in zip(*results, strict=True):
        for result in (here, there):
            assert result["safety"]["monitor_faults"] == 0
            assert result["metrics"]["throughput_veh"]["mean"] == len(scenario.trips(0))
        time_s = [result["metrics"]["average_travel_time_s"]["mean"] for result in (here, there)]
        assert time_s[0] == pytest.approx(time_s[1], rel=0.1)


@NEEDS_SUMO
def test_the_shipped_policy_is_quicker_there_than_both_pressures(tmp_path):
    """It never met such a city, nor anybody who turns about at a signal, when it learned."""
    config = build_city(tmp_path, 1, IMPORTS["actuated programmes"][1], types=URBAN, trips=700, seconds=1200)
    names = ["max-pressure", "advanced-max-pressure", "universal"]
    cells = comparison_cells([str(config)], names, simulator="native")
    time_s = [
        float(np.mean(result["metrics"]["average_travel_time_s"]["per_seed"]))
        for result in run_cells(cells, seeds=[0, 1])
    ]
    assert time_s[2] < min(time_s[:2])
