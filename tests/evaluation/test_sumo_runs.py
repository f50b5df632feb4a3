"""Evaluations in SUMO: the same result, the same shield, a monitor that sees SUMO's own display; and bad input."""

import json

import pytest
from network.sumo_small import Crossroads, routes
from simulation.sumo_scenarios import NEEDS_SUMO, generated, written

from intergreen.agents.cli import WRONG_INPUT, main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs import sumo_net_file
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation import sumo_lamps
from intergreen.envs.simulation.sumo_world import SumoSettings

PROTOCOL = protocol_by_name("literature-10-5")
UNTOLD = {"approach_time_literature_s", "red_entries", "overlaps"}


def run(controller="max-pressure", *, scenario=None, protocol=PROTOCOL, seeds=(0,), horizon_s=200, **settings):
    return evaluate(
        scenario or generated(),
        decider_by_name(controller),
        protocol,
        seeds=list(seeds),
        horizon_s=horizon_s,
        simulator="sumo",
        **settings,
    )


def without_cost(result):
    return {key: value for key, value in result.items() if key != "cost"}


@pytest.fixture(scope="module")
def two_seeds():
    return run(seeds=(0, 1))


@NEEDS_SUMO
def test_the_result_has_the_shape_of_the_native_one(two_seeds):
    native = evaluate(generated(), controller_by_name("max-pressure"), PROTOCOL, seeds=[0, 1], horizon_s=200)
    assert json.loads(json.dumps(two_seeds, allow_nan=False)) == two_seeds
    assert two_seeds["simulator"] == "sumo"
    assert set(two_seeds) == set(native)
    assert set(two_seeds["metrics"]) == set(native["metrics"])
    untold = {name for name, values in two_seeds["metrics"].items() if values["mean"] is None}
    assert untold == UNTOLD
    assert "libsumo" in two_seeds["versions"]
    assert two_seeds["cost"]["vehicle_updates"] > 0
    assert two_seeds["cost"]["cpu_s"] > 0


@NEEDS_SUMO
def test_the_same_trips_are_released_as_in_the_native_engine(two_seeds):
    native = evaluate(generated(), controller_by_name("max-pressure"), PROTOCOL, seeds=[0, 1], horizon_s=200)
    assert two_seeds["metrics"]["average_travel_time_s"]["mean"] == pytest.approx(
        native["metrics"]["average_travel_time_s"]["mean"], rel=0.3
    )


@NEEDS_SUMO
def test_the_same_seed_gives_the_same_run_side_by_side_or_alone(two_seeds):
    at_once = run(seeds=(0, 1), threads=2)
    assert without_cost(at_once) == without_cost(two_seeds)
    first, second = two_seeds["metrics"]["average_travel_time_s"]["per_seed"]
    assert first != second


@NEEDS_SUMO
@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5", "resco"])
def test_no_fault_is_displayed_in_sumo(protocol, tmp_path):
    scenario = load_scenario(written(tmp_path)) if protocol == "resco" else generated()
    for controller in ("max-pressure", "fixed-time"):
        result = run(controller, scenario=scenario, protocol=protocol_by_name(protocol), horizon_s=120)
        assert result["safety"]["monitor_faults"] == 0
        assert {name: result["safety"][name] for name in ("teleports", "collisions")} == {
            "teleports": 0,
            "collisions": 0,
        }


@NEEDS_SUMO
def test_the_monitor_sees_what_sumo_displays_and_not_what_was_meant(monkeypatch, sumo_in_process):
    right = sumo_lamps.state_of
    monkeypatch.setattr(sumo_lamps, "state_of", lambda signal, aspects: right(signal, aspects).replace("r", "G"))
    result = run(horizon_s=30)
    assert result["safety"]["monitor_faults"] == 1
    assert result["safety"]["faults"][0]["fault"] == "conflict"


@NEEDS_SUMO
def test_teleports_are_off_and_counted_where_they_are_on(monkeypatch, sumo_in_process):
    monkeypatch.setattr(sumo_lamps, "state_of", lambda signal, aspects: "r" * signal.length)  # nobody drives on
    assert run(horizon_s=90)["safety"]["teleports"] == 0
    assert run(horizon_s=90, sumo=SumoSettings(time_to_teleport_s=20))["safety"]["teleports"] > 0


@NEEDS_SUMO
def test_shadow_and_compare_run_in_sumo(capsys, two_seeds):
    common = ["--simulator", "sumo", "--horizon", "200", "--json", "-"]
    assert main(["shadow", "max-pressure", "single", "--seeds", "0,1", *common]) == 0
    beside = json.loads(capsys.readouterr().out)
    assert main(["compare", "single", "--controllers", "max-pressure,fixed-time", "--seeds", "0,1", *common]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert without_cost(compared[0]) == without_cost(two_seeds) | {"failed": [], "against": None}
    assert compared[1]["metrics"] == beside["metrics"]
    assert {one["simulator"] for one in (beside, *compared)} == {"sumo"}


# --- bad input ---------------------------------------------------------------------------------------------------


def refused(capsys, *arguments):
    """The one line on stderr of a command that is refused."""
    assert (
        main(["evaluate", *map(str, arguments), "--controller", "max-pressure", "--simulator", "sumo"]) == WRONG_INPUT
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.parametrize("package", ["sumo", "libsumo"])
def test_without_sumo_one_line_names_the_extra(capsys, monkeypatch, package):
    there = sumo_net_file.find_spec
    monkeypatch.setattr(sumo_net_file, "find_spec", lambda name: None if name == package else there(name))
    assert refused(capsys, "single").endswith('pip install "intergreen[sumo]"\n')


def scenario_folder(folder, net=None, route='<trip id="a" depart="0" from="in_S" to="out_N"/>'):
    (folder / "a.net.xml").write_text(Crossroads().xml() if net is None else net)
    (folder / "a.rou.xml").write_text(routes(route))
    (folder / "a.sumocfg").write_text(
        '<configuration><net-file value="a.net.xml"/><route-files value="a.rou.xml"/></configuration>'
    )
    return folder


@NEEDS_SUMO
@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"net": Crossroads().xml()[:900]}, "a.net.xml: line .* not valid XML"),
        ({"net": Crossroads(signal="").xml()}, "no junction has a signal with two phases or more"),
        ({"route": '<vehicle id="a" depart="0"><route edges="in_S gone"/></vehicle>'}, "the edge 'gone' is not there"),
    ],
    ids=["broken net", "no signals", "route over no edge"],
)
def test_wrong_files_are_refused_in_one_line(capsys, tmp_path, parts, words):
    import re

    assert re.search(words, refused(capsys, scenario_folder(tmp_path, **parts)))


@NEEDS_SUMO
def test_a_net_that_only_sumo_refuses_is_refused_in_sumos_words(tmp_path, capsys):
    config = written(tmp_path)
    net = tmp_path / "network.net.xml"
    net.write_text(net.read_text().replace('intLanes="', 'intLanes=":gone_0 '))
    said = refused(capsys, config).splitlines()[-1]
    assert "network: seed 0, second 0: " in said
    assert ":gone_0" in said


@NEEDS_SUMO
def test_an_oracle_that_copies_the_simulation_is_refused_in_sumo():
    with pytest.raises(InputError, match="single: simulator: sumo cannot be copied for rollout; use native"):
        run("rollout", horizon_s=20)


@NEEDS_SUMO
def test_a_worker_that_dies_ends_the_command_with_its_seed(capsys, monkeypatch):
    import os
    import signal

    from intergreen.envs.simulation.sumo import SumoSimulator

    usual = SumoSimulator.advance

    def killing(self, seconds, aspects=None):
        if self.time_s == 20:
            os.kill(self.worker_pids[0], signal.SIGKILL)
        usual(self, seconds, aspects)

    monkeypatch.setattr(SumoSimulator, "advance", killing)
    line = refused(capsys, "single", "--seeds", "4,5", "--threads", "2", "--horizon", "60")
    assert "seed 4, second 20" in line
    assert "signal 9" in line
