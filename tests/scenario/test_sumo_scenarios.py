"""Scenarios from SUMO: configurations, and the benchmark networks where they are installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from network import small as cityflow_small
from network import sumo_small as small
from network.sumo_small import Crossroads

from intergreen.agents.controllers.base import Setup
from intergreen.agents.controllers.fixed_time import FixedTime
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs import benchmarks
from intergreen.envs.core import TrafficCore
from intergreen.envs.errors import InputError
from intergreen.envs.network import read_sumo_network
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario, scenario_names
from intergreen.envs.signals import FixedClearance
from intergreen.envs.simulation import Totals
from intergreen.envs.simulation.routes import build_route_table

CONFIG = (
    '<configuration><input><net-file value="small.net.xml"/><route-files value="a.rou.xml,b.rou.xml"/></input>'
    '<time><begin value="100"/><end value="00:05:00"/></time></configuration>'
)
TRIP = '<trip id="{}" depart="{}" from="in_S" to="out_N"/>'
SIZES = {  # signals and vehicles, as SUMO counts those that depart within the window
    "cologne1": (1, 2015), "cologne3": (3, 2856), "cologne8": (8, 2046), "ingolstadt1": (1, 1716),
    "ingolstadt7": (7, 3031), "ingolstadt21": (21, 4281), "grid4x4": (16, 1473), "arterial4x4": (16, 2484),
}  # fmt: skip


def write(folder: Path, *, config: str = CONFIG, net: str | None = None) -> Path:
    (folder / "small.net.xml").write_text(Crossroads().xml() if net is None else net)
    (folder / "a.rou.xml").write_text(small.routes(TRIP.format("a", 90), TRIP.format("b", 100)))
    (folder / "b.rou.xml").write_text(small.routes(TRIP.format("c", 299), TRIP.format("d", 300)))
    (folder / "small.sumocfg").write_text(config)
    return folder / "small.sumocfg"


def test_options_may_have_sumos_other_names(tmp_path):
    usual = load_scenario(write(tmp_path))
    other = CONFIG.replace("route-files", "routes").replace("net-file", "net")
    config = other.replace("</input>", '<additional value="more.add.xml"/></input>')
    (tmp_path / "more.add.xml").write_text(f"<additional>{TRIP.format('e', 120)}</additional>")
    assert load_scenario(write(tmp_path, config=config)).demand.n_flows == usual.demand.n_flows + 1


def run(scenario: Scenario, protocol: str | None = None) -> Totals:
    """The whole horizon under the file's own programme."""
    chosen = protocol_by_name(protocol or scenario.default_protocol)
    plan = chosen.plan(scenario.network, own_clearance=True)
    core = TrafficCore(scenario.network, plan, scenario.demand, replicas=1, monitored=True)
    clock = FixedTime()
    core.reset([scenario.trips(0)], [0], clock.start(Setup(scenario.network, plan, chosen, 1, 0)))
    while core.time_s < scenario.horizon_s:
        wanted = clock.decide(core.counts(), core.signals(1), core.time_s)
        core.run(wanted, min(clock.seconds_until_change(core.time_s), scenario.horizon_s - core.time_s))
    assert not core.faults()
    return core.totals()


def assert_conserved(totals: Totals, released: int) -> None:
    assert int(totals.released[0]) == released
    assert released == int(totals.finished[0] + totals.running[0] + totals.waiting_outside[0])


# --- configurations ----------------------------------------------------------------------------------------------


def test_a_configuration_is_a_scenario_and_so_is_its_folder(tmp_path):
    config = write(tmp_path)
    by_file, by_folder = load_scenario(config), load_scenario(tmp_path)
    for scenario in (by_file, by_folder):
        assert scenario.horizon_s == 200
        assert scenario.trips(0).release_s.tolist() == [0, 199]
        assert scenario.fixed_demand
        assert scenario.default_protocol == "resco"
    assert by_file.name == "small"
    assert by_folder.name == tmp_path.name


def test_a_window_without_end_is_an_hour(tmp_path):
    scenario = load_scenario(write(tmp_path, config=CONFIG.replace('<end value="00:05:00"/>', "")))
    assert scenario.horizon_s == 3600


def test_vehicles_reach_their_end(tmp_path):
    totals = run(load_scenario(write(tmp_path)))
    assert_conserved(totals, 2)
    assert int(totals.finished[0]) == 1  # the other departs in the last second


def test_options_that_change_the_demand_are_obeyed(tmp_path):
    more = (
        '<processing><scale value="2"/><ignore-route-errors value="true"/><default.speeddev value="0"/></processing>'
        "</configuration>"
    )
    config = write(tmp_path, config=CONFIG.replace("</configuration>", more))
    broken = small.routes(TRIP.format("x", 150).replace("out_N", "gone"), TRIP.format("c", 299))
    (tmp_path / "b.rou.xml").write_text(broken)
    scenario = load_scenario(config)
    assert scenario.trips(0).release_s.tolist() == [0, 0, 199, 199]
    assert scenario.demand.dropped_flows == 1
    assert scenario.demand.types[0].speed_deviation == 0.0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('value="a.rou.xml,b.rou.xml"', 'v="a.rou.xml, b.rou.xml"'),
        ('value="a.rou.xml,b.rou.xml"', 'value="a.rou.xml b.rou.xml"'),
        ("a.rou.xml,", "with a blank.rou.xml,"),
        ("a.rou.xml,", "${INTERGREEN_TEST_FOLDER}/a.rou.xml,"),
        ("</input>", '<additional-files value=""/></input>'),
    ],
    ids=["v", "blanks between", "a blank inside", "a variable", "nothing"],
)
def test_files_are_named_as_sumo_takes_them(tmp_path, monkeypatch, old, new):
    monkeypatch.setenv("INTERGREEN_TEST_FOLDER", str(tmp_path))
    config = write(tmp_path, config=CONFIG.replace(old, new))
    (tmp_path / "with a blank.rou.xml").write_text((tmp_path / "a.rou.xml").read_text())
    assert load_scenario(config).trips(0).release_s.tolist() == [0, 199]


BROKEN = {
    "a factor of words": (CONFIG.replace("</time>", '</time><scale value="many"/>'), "use a number from 0 to 1000"),
    "no network": (CONFIG.replace("net-file", "nothing"), "<net-file>: is missing"),
    "no routes": (CONFIG.replace("route-files", "nothing"), "<route-files>: is missing"),
    "an end before the begin": (CONFIG.replace('"00:05:00"', '"50"'), "use an end after the begin"),
    "a time of words": (CONFIG.replace('"100"', '"noon"'), "hours:minutes:seconds"),
    "a file that is not there": (CONFIG.replace("a.rou.xml", "x.rou.xml"), "x.rou.xml: cannot be read"),
    "another file": ("<net/>", "use a file of <configuration>"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_configuration_is_refused_in_one_line(tmp_path, name):
    config, words = BROKEN[name]
    with pytest.raises(InputError) as caught:
        load_scenario(write(tmp_path, config=config))
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_network_without_signals_is_refused(tmp_path):
    with pytest.raises(InputError, match="no junction has a signal with two phases or more"):
        load_scenario(write(tmp_path, net=Crossroads(signal="").xml()))


def test_two_configurations_in_a_folder_are_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "other.sumocfg").write_text(CONFIG)
    with pytest.raises(InputError, match=r"holds 2 files \.sumocfg, other\.sumocfg and"):
        load_scenario(tmp_path)


def test_folder_with_a_network_of_sumos_and_no_configuration_says_what_to_write(tmp_path):
    write(tmp_path).unlink()
    with pytest.raises(
        InputError, match=r"holds small\.net\.xml and no \.sumocfg; write a \.sumocfg that lists its net-fi"
    ):
        load_scenario(tmp_path)


def test_network_of_sumos_beside_cityflows_files_is_passed_over(tmp_path):
    write(tmp_path).unlink()
    cityflow_small.write(tmp_path)
    assert load_scenario(tmp_path).network.conventions == "cityflow"


def test_configuration_may_end_in_sumo_cfg(tmp_path):
    write(tmp_path).rename(tmp_path / "small.sumo.cfg")
    for named in (tmp_path, tmp_path / "small.sumo.cfg"):
        assert len(load_scenario(named).trips(0)) == 2


def test_options_that_make_another_run_in_sumo_are_told_in_one_line(tmp_path, caplog):
    given = '<max-depart-delay value="30"/><tls.all-off value="true"/><step-length value="1.0"/>'
    load_scenario(write(tmp_path, config=CONFIG.replace("</input>", f"</input><processing>{given}</processing>")))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("small.sumocfg: tls.all-off, max-depart-delay are not obeyed: they change what SUMO would run")


def test_what_leads_or_brings_vehicles_and_is_not_obeyed_is_told_in_one_line_of_its_file(tmp_path, caplog):
    config = write(tmp_path, config=CONFIG.replace("</input>", '<additional-files value="c.add.xml"/></input>'))
    more = '<calibrator id="x" lane="in_S_0" pos="0"/><rerouter id="r" edges="in_S"/><rerouter id="s" edges="in_S"/>'
    (tmp_path / "c.add.xml").write_text(f"<additional>{more}</additional>")
    load_scenario(config)
    (said,) = [record.getMessage() for record in caplog.records]
    told = "not obeyed, which changes what SUMO would run: 1 calibrator, 2 rerouter"
    assert said == f"{tmp_path / 'c.add.xml'}: {told}"


def test_options_at_their_usual_value_are_not_told(tmp_path, caplog):
    given = '<max-depart-delay value="-2"/><tls.all-off value="false"/><max-num-vehicles value=""/>'
    given += '<lateral-resolution value="0"/><step-method.ballistic value="false"/><load-state value=""/>'
    given += '<step-length value="0:00:01"/><random-depart-offset v="0"/><carfollow.model value="Krauss"/>'
    load_scenario(write(tmp_path, config=CONFIG.replace("</input>", f"</input><processing>{given}</processing>")))
    assert not caplog.records


# --- protocols ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "interval_s", "clearance_s"), [("resco", 10, 3), ("resco-5-2", 5, 2)])
def test_resco_decides_and_clears_by_its_numbers(tmp_path, name, interval_s, clearance_s):
    protocol = protocol_by_name(name)
    assert (protocol.interval_s, protocol.clearance_s) == (interval_s, clearance_s)
    network = load_scenario(write(tmp_path)).network
    assert protocol.plan(network).n_choices.tolist() == [2]


def test_a_programme_from_sumo_gets_the_clearances_that_were_left_out_of_it(tmp_path):
    network = load_scenario(write(tmp_path)).network
    assert protocol_by_name("resco").plan(network, own_clearance=True).timing == FixedClearance(3)


# --- benchmarks --------------------------------------------------------------------------------------------------


@pytest.fixture
def installed() -> None:
    if not any(name.startswith("resco/") for name in scenario_names()):
        pytest.skip("RESCO's files are not here: neither the package sumo-rl nor INTERGREEN_DATA/resco")


def test_resco_is_found_in_the_package_without_importing_it(installed, monkeypatch):
    if find_spec("sumo_rl") is None:
        pytest.skip("the package sumo-rl is not installed")
    monkeypatch.delenv(benchmarks.DATA_VARIABLE, raising=False)
    found = [name for name in scenario_names() if name.startswith("resco/")]
    assert found == [f"resco/{name}" for name in benchmarks.RESCO_NAMES]
    assert "sumo_rl" not in sys.modules


def test_missing_resco_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(benchmarks.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(benchmarks, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "intergreen\[benchmarks\]"'):
        load_scenario("resco/cologne1")


@pytest.mark.parametrize("name", benchmarks.RESCO_NAMES)
def test_resco_runs_its_hour_and_loses_nobody(installed, name):
    scenario = load_scenario(f"resco/{name}")
    n_signals, n_vehicles = SIZES[name]
    assert len(scenario.network.signalled) == n_signals
    assert scenario.horizon_s == 3600
    assert scenario.demand.dropped_flows == 0
    assert scenario.default_protocol == ("resco-5-2" if name == "arterial4x4" else "resco")
    totals = run(scenario)
    assert_conserved(totals, len(scenario.trips(0)))
    assert len(scenario.trips(0)) == pytest.approx(n_vehicles, abs=2)  # departures in the last second


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5", "cn-gb-5"])
@pytest.mark.parametrize("name", benchmarks.RESCO_NAMES)
def test_resco_has_a_safe_plan_under_every_timing(installed, name, protocol):
    network = load_scenario(f"resco/{name}").network
    plan = protocol_by_name(protocol).plan(network)
    assert plan.n_signals == SIZES[name][0]
    assert (plan.n_choices >= 2).all()


def package_nets() -> list[Path]:
    spec = find_spec("sumo_rl")
    folder = Path(spec.origin).parent / "nets" if spec is not None and spec.origin else None
    return sorted(p for p in folder.rglob("*.net.xml") if "RESCO" not in p.parts) if folder else []


@pytest.mark.skipif(not package_nets(), reason="the package sumo-rl is not installed")
@pytest.mark.parametrize("path", package_nets(), ids=lambda path: path.stem)
def test_every_other_network_of_the_package_loads_with_a_safe_plan(path):
    network = read_sumo_network(path)
    for protocol in ("resco", "us-mutcd-5", "de-rilsa-5"):
        assert protocol_by_name(protocol).plan(network).n_signals == len(network.signalled)


# --- beside SUMO itself ------------------------------------------------------------------------------------------


def sumo_travel_times(folder: Path, config: Path) -> dict[str, float]:
    """Seconds from departure to arrival in SUMO, by vehicle; in a process of its own."""
    import sumo

    out = folder / "tripinfo.xml"
    command = [Path(sumo.SUMO_HOME) / "bin" / "sumo", "-c", config, "--no-step-log", "--time-to-teleport", "-1"]
    command += ["--tripinfo-output", out]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=120)
    rows = ElementTree.parse(out).getroot().iter("tripinfo")
    return {row.get("id", ""): float(row.get("duration", "nan")) for row in rows}


def netconverted(folder: Path) -> None:
    """A crossroads of two lanes an arm in `small.net.xml`, by SUMO's own tool."""
    import sumo

    arms = {"N": (0, 200), "E": (200, 0), "S": (0, -200), "W": (-200, 0)}
    nodes = [f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in arms.items()]
    nodes.append('<node id="C" x="0" y="0" type="traffic_light"/>')
    ends = [(f"in_{arm}", arm, "C") for arm in arms] + [(f"out_{arm}", "C", arm) for arm in arms]
    edges = [f'<edge id="{name}" from="{a}" to="{b}" numLanes="2" speed="10"/>' for name, a, b in ends]
    (folder / "plain.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "plain.edg.xml").write_text(f"<edges>{''.join(edges)}</edges>")
    names = ["-n", "plain.nod.xml", "-e", "plain.edg.xml", "-o", "small.net.xml"]
    tool = Path(sumo.SUMO_HOME) / "bin" / "netconvert"
    subprocess.run([str(tool), *names], check=True, capture_output=True, timeout=60, cwd=folder)


@pytest.mark.skipif(find_spec("sumo") is None, reason="SUMO is not installed: pip install eclipse-sumo")
def test_a_car_alone_takes_as_long_as_in_sumo(tmp_path):
    """One car through the green and one that waits for it: together within 4 s of SUMO's cars of the same type.

    Theirs begin a car's length further on and slow down for the junction; both drive without dawdling.
    """
    config = write(tmp_path, config=CONFIG.replace('"100"', '"0"').replace("a.rou.xml,b.rou.xml", "two.rou.xml"))
    netconverted(tmp_path)
    kind = '<vType id="k" sigma="0" speedDev="0"/>'
    trips = [f'<trip id="{a}" type="k" depart="0" from="in_{a}" to="out_{b}"/>' for a, b in ("SN", "WE")]
    (tmp_path / "two.rou.xml").write_text(small.routes(kind, *trips))
    theirs = sumo_travel_times(tmp_path, config)
    totals = run(load_scenario(config))
    assert len(theirs) == int(totals.finished[0]) == 2
    assert float(totals.sum_travel_time_s[0]) == pytest.approx(sum(theirs.values()), abs=4.0)


@pytest.mark.skipif(find_spec("sumo") is None, reason="SUMO is not installed: pip install eclipse-sumo")
def test_as_many_arrive_as_in_sumo(installed, tmp_path):
    """cologne1 under its own programme: finished within 1 %, and nobody more or less departs."""
    folder = benchmarks.folder("resco/cologne1")
    assert folder is not None
    finished = len(sumo_travel_times(tmp_path, folder / "cologne1.sumocfg"))
    totals = run(load_scenario("resco/cologne1"))
    assert int(totals.finished[0]) == pytest.approx(finished, rel=0.01)


def test_every_lane_that_a_route_reaches_leads_on(installed):
    scenario = load_scenario("resco/ingolstadt21")
    network, demand = scenario.network, scenario.demand
    table = build_route_table(network, demand)
    lanes = np.diff(network.road_lane_start)
    trips = scenario.trips(0)
    for route, lane in sorted(set(zip(trips.route.tolist(), trips.start_lane.tolist(), strict=True))):
        row = int(table.row_start[route])
        for road in demand.route(route)[:-1]:
            link = table.next_link[row + network.lane_index[lane]]
            assert link >= 0
            row, lane = row + int(lanes[road]), int(network.link_to_lane[link])
        assert network.lane_road[lane] == demand.route(route)[-1]


def test_stops_are_told(tmp_path, caplog):
    config = write(tmp_path)
    routes = next(path for path in tmp_path.iterdir() if ".rou." in path.name)
    text = routes.read_text()
    routes.write_text(
        text.replace("</routes>", '<route id="bus" edges="in_S"><stop lane="in_S_0" duration="9"/></route></routes>')
    )
    load_scenario(config)
    assert "1 stop" in caplog.records[-1].getMessage()


def test_seconds_behind_the_configurations_end_are_told(tmp_path, caplog):
    scenario = load_scenario(write(tmp_path))
    horizon_s = scenario.horizon_s + 60
    evaluate(scenario, FixedTime(), protocol_by_name("resco"), seeds=[0], horizon_s=horizon_s)
    assert f"60 s of the {horizon_s} to run lie behind its <end>" in caplog.records[-1].getMessage()
