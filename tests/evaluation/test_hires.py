"""The high-resolution log: its events against what was shown and driven, and atspm's measures of it against ours.

"Ours" is counted by a second onlooker from lamps and positions alone; it knows no event.
"""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation import hires
from intergreen.agents.evaluation.hires import HiresLog
from intergreen.agents.evaluation.hires_file import write_hires
from intergreen.agents.evaluation.hires_map import log_map
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.aspects import GREEN, YELLOW

HORIZON_S = 2700  # three bins of a quarter of an hour
BIN_S = 900
PROTOCOLS = ("us-mutcd-5", "literature-10-5")


class Ours:
    """AoG, split failures and green ends, straight from the run."""

    def __init__(self):
        self.state, self.occupied, self.passed = [], [], []

    def start(self, core, seeds):
        self.map = log_map(core.network, core.plan)
        self.length = core.network.lane_length_m
        self.before = {}

    def look(self, core, wanted):
        now = core.time_s
        if now:
            shown = core.aspects[0, [one.movements[0] for one in self.map.phases]]
            self.state.append(np.where(shown == GREEN, "g", np.where(shown == YELLOW, "y", "r")))
        seen = core.positions()
        places = list(zip(seen.trip.tolist(), seen.drivable.tolist(), seen.distance.tolist(), strict=True))
        occupied = set()
        for one in self.map.detectors:
            on_lane = [(trip, x) for trip, drivable, x in places if drivable == one.lane]
            if one.function == "Presence":
                if any(x >= self.length[one.lane] - 12.0 for _, x in on_lane):
                    occupied.add(one.number)
                continue
            line = max(self.length[one.lane] - 110.0, 0.0)
            for trip, x in on_lane:
                lane_before, x_before = self.before.get(trip, (-1, 0.0))
                if x >= line and not (lane_before == one.lane and x_before >= line):
                    self.passed.append((now - 1, one.phase))
        self.occupied.append(occupied)
        self.before = {trip: (drivable, x) for trip, drivable, x in places}

    def end(self, core):
        self.look(core, None)

    def arrivals(self):
        """By quarter of an hour and phase number: all, and those in a second that showed green."""
        found = defaultdict(lambda: [0, 0])
        for second, phase in self.passed:
            mine = found[second // BIN_S, self.map.phases[phase].number]
            mine[0] += 1
            mine[1] += self.state[second][phase] == "g"
        return found

    def green_ends(self):
        state = np.array(self.state)
        return Counter(
            (int(second) // BIN_S, one.number)
            for k, one in enumerate(self.map.phases)
            for second in np.flatnonzero((state[:-1, k] == "g") & (state[1:, k] != "g")) + 1
        )

    def split_failures(self):
        """Cycles by phase, and those whose lanes were occupied for 80 % of the green and of five seconds of red."""
        state = np.array(self.state)
        found = {}
        for k, one in enumerate(self.map.phases):
            lanes = {two.number for two in self.map.detectors if two.phase == k and two.function == "Presence"}
            busy = np.array([bool(occupied & lanes) for occupied in self.occupied])
            greens = np.flatnonzero((state[1:, k] == "g") & (state[:-1, k] != "g")) + 1
            for begin, end in zip(greens, [*greens[1:], len(state)], strict=True):
                cycle = state[begin:end, k]
                green = begin + np.flatnonzero(cycle == "g")
                red = begin + np.flatnonzero(cycle == "r")[:5]
                if len(red) == 5:
                    fails = busy[green].mean() >= 0.8 and busy[red].mean() >= 0.8
                    found[one.number, int(red[0]) + 5] = bool(fails)  # atspm's time of a cycle: five seconds into red
        return found


class Both:
    def __init__(self, *onlookers):
        self.onlookers = onlookers

    def __getattr__(self, name):
        return lambda *arguments: [getattr(one, name)(*arguments) for one in self.onlookers]


@pytest.fixture(scope="module", params=PROTOCOLS)
def run(request):
    scenario, log, ours = load_scenario("single"), HiresLog(), Ours()
    evaluate(
        scenario,
        controller_by_name("max-pressure"),
        protocol_by_name(request.param),
        seeds=[3],
        horizon_s=HORIZON_S,
        onlooker=Both(log, ours),
        look_every_s=1,
    )
    return scenario, log, ours


def test_looking_on_every_second_changes_no_number():
    scenario, controller, protocol = load_scenario("single"), "max-pressure", protocol_by_name("us-mutcd-5")
    seen = evaluate(
        scenario,
        controller_by_name(controller),
        protocol,
        seeds=[1],
        horizon_s=900,
        onlooker=HiresLog(),
        look_every_s=1,
    )
    unseen = evaluate(scenario, controller_by_name(controller), protocol, seeds=[1], horizon_s=900)
    assert seen["metrics"] == unseen["metrics"]
    assert seen["safety"] == unseen["safety"]


def test_every_green_has_all_its_events_in_their_order(run):
    _, log, _ = run
    wanted = [hires.PHASE_ON, hires.BEGIN_GREEN, "reason", hires.END_GREEN, hires.BEGIN_YELLOW, hires.END_YELLOW]
    wanted += [hires.BEGIN_RED_CLEARANCE, hires.END_RED_CLEARANCE, hires.PHASE_INACTIVE]
    reasons = (hires.GAP_OUT, hires.MAX_OUT, hires.FORCE_OFF)
    for phase in log.map.phases:
        mine = [one for one in log.events if one.code <= 12 and one.parameter == phase.number]
        codes = [one.code for one in mine if one.code != hires.MIN_GREEN_COMPLETE]
        whole = len(codes) // len(wanted) * len(wanted)
        assert whole > 0
        for k in range(0, whole, len(wanted)):
            cycle = ["reason" if code in reasons else code for code in codes[k : k + len(wanted)]]
            assert cycle == wanted


def test_green_that_follows_a_yellow_at_once_comes_after_the_end_of_its_phase():
    log, timing = HiresLog(), protocol_by_name("literature-5-2")
    evaluate(
        load_scenario("single"),
        controller_by_name("max-pressure"),
        timing,
        seeds=[0],
        horizon_s=600,
        onlooker=log,
        look_every_s=1,
    )
    at_once = 0
    for phase in log.map.phases:
        mine = [one for one in log.events if one.code <= 12 and one.parameter == phase.number]
        for before, event in pairwise(mine):
            if event.code == hires.PHASE_INACTIVE:
                assert before.code == hires.END_RED_CLEARANCE
            if event.code == hires.PHASE_ON and before.tenths == event.tenths:
                assert before.code == hires.PHASE_INACTIVE
                at_once += 1
    assert at_once > 0


def test_detectors_go_on_and_off_in_turn(run):
    _, log, _ = run
    for detector in log.map.detectors:
        codes = [e.code for e in log.events if e.code in (81, 82) and e.parameter == detector.number]
        assert codes[::2] == [82] * len(codes[::2])
        assert codes[1::2] == [81] * len(codes[1::2])


def test_phases_have_the_numbers_of_the_field(run):
    """Four approaches with left turns of their own: lefts odd, the others even, each number once."""
    scenario, log, _ = run
    network = scenario.network
    assert sorted(one.number for one in log.map.phases) == [1, 2, 3, 4, 5, 6, 7, 8]
    for phase in log.map.phases:
        assert (phase.number % 2 == 1) == all(network.movement_turn[m] == 2 for m in phase.movements)


def atspm_measures(run, folder, suffix):
    atspm = pytest.importorskip("atspm", reason="atspm is not installed: pip install atspm 'duckdb<2'")
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    scenario, log, _ = run
    events, detectors, _ = write_hires(log, scenario.network, folder / f"log{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what atspm imports
        with atspm.SignalDataProcessor(
            raw_data=str(events),
            detector_config=str(detectors),
            bin_size=15,
            verbose=0,
            aggregations=[
                {"name": "terminations", "params": {}},
                {"name": "arrival_on_green", "params": {"latency_offset_seconds": 0}},
                {
                    "name": "split_failures",
                    "params": {
                        "red_time": 5,
                        "red_occupancy_threshold": 0.80,
                        "green_occupancy_threshold": 0.80,
                        "by_approach": True,
                        "by_cycle": True,
                    },
                },
            ],
        ) as processor:
            processor.load()
            processor.aggregate()
            return {
                name: processor.conn.query(f"SELECT * FROM {name}").df().to_dict("records")
                for name in ("terminations", "arrival_on_green", "split_failures")
            }


def quarter(row):
    return (row["TimeStamp"].hour * 3600 + row["TimeStamp"].minute * 60) // BIN_S


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_atspm_reads_the_log_unchanged_and_measures_what_we_do(run, tmp_path, suffix):
    _, log, ours = run
    measured = atspm_measures(run, tmp_path, suffix)

    ends = Counter()
    for row in measured["terminations"]:
        ends[quarter(row), row["Phase"]] += row["Total"]
    assert ends == ours.green_ends()
    by_reason = Counter(row["PerformanceMeasure"] for row in measured["terminations"] for _ in range(row["Total"]))
    codes = Counter(event.code for event in log.events)
    assert by_reason["GapOut"] == codes[hires.GAP_OUT]
    assert by_reason["MaxOut"] == codes[hires.MAX_OUT]
    assert by_reason["ForceOff"] == codes[hires.FORCE_OFF] > 0

    arrivals = ours.arrivals()
    assert len(measured["arrival_on_green"]) == sum(green > 0 for _, green in arrivals.values()) > 8
    for row in measured["arrival_on_green"]:
        whole, green = arrivals[quarter(row), row["Phase"]]
        assert row["Total_Actuations"] == whole
        assert row["Percent_AOG"] == pytest.approx(green / whole, abs=1e-6)
    assert 0 < sum(green for _, green in arrivals.values()) < sum(whole for whole, _ in arrivals.values())

    fails = ours.split_failures()
    theirs = {}
    for row in measured["split_failures"]:
        stamp = row["TimeStamp"]
        theirs[row["Phase"], stamp.hour * 3600 + stamp.minute * 60 + stamp.second] = bool(row["Split_Failure"])
    common = theirs.keys() & fails.keys()
    assert len(common) > 0.9 * len(fails)  # atspm leaves out cycles at the edges and without a detector's event
    assert {key: theirs[key] for key in common} == {key: fails[key] for key in common}
    assert len({fails[key] for key in common}) == 2


@pytest.mark.parametrize("suffix", [".csv"])
def test_atspm_finds_no_invalid_interval_but_at_the_edges(run, tmp_path, suffix):
    atspm = pytest.importorskip("atspm", reason="atspm is not installed: pip install atspm 'duckdb<2'")
    scenario, log, _ = run
    events, detectors, _ = write_hires(log, scenario.network, tmp_path / f"log{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with atspm.SignalDataProcessor(
            raw_data=str(events),
            detector_config=str(detectors),
            bin_size=15,
            verbose=0,
            aggregations=[
                {"name": "has_data", "params": {"no_data_min": 5, "min_data_points": 3}},
                {
                    "name": "timeline",
                    "params": {"min_duration": 0.0, "cushion_time": 1, "max_event_gap_seconds": None},
                },
            ],
        ) as processor:
            processor.load()
            processor.aggregate()
            rows = processor.conn.query("SELECT * FROM timeline").df().to_dict("records")
    lamps = [row for row in rows if row["EventClass"] in ("Green", "Yellow", "Red")]
    assert len(lamps) > 100
    invalid = [row for row in lamps if not row["IsValid"]]
    assert len(invalid) <= 3 * len(log.map.phases)  # what is under way at the end


def test_the_files_say_what_is_what(run, tmp_path):
    scenario, log, _ = run
    events, detectors, mapping = write_hires(log, scenario.network, tmp_path / "log.csv")
    with events.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["SignalID", "Timestamp", "EventCode", "EventParam"]
    last = hires.PHASE_INACTIVE, hires.PHASE_ON, hires.BEGIN_GREEN  # a phase is over before it begins anew
    by_code = [(row["Timestamp"], int(row["EventCode"])) for row in rows]
    keys = [(at, last.index(code) if code in last else -1 if code < 12 else 3, code) for at, code in by_code]
    assert keys == sorted(keys)
    assert math.isclose(len(rows), len(log.events))
    stated = json.loads(mapping.read_text())
    assert {one["Function"] for one in stated["detectors"]} == {"Advance", "Presence"}
    assert len(detectors.read_text().splitlines()) == len(log.map.detectors) + 1


def test_command_writes_a_log_of_one_run(tmp_path, capsys):
    arguments = ["evaluate", "single", "--controller", "max-pressure", "--horizon", "120"]
    assert main([*arguments, "--seeds", "2", "--hires-log", str(tmp_path / "a.csv")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "a.detectors.csv", "a.map.json"}
    capsys.readouterr()
    assert main([*arguments, "--seeds", "0-1", "--hires-log", str(tmp_path / "b.csv")]) == 2
    assert "--hires-log: is of one run" in capsys.readouterr().err
    assert main([*arguments, "--hires-log", str(tmp_path / "b.txt")]) == 2
    assert "end it with .csv" in capsys.readouterr().err
