"""`intergreen timing` tells what the shield goes by, movement by movement."""

import json

import pytest

from intergreen.agents.cli import main
from intergreen.agents.evaluation.timing_table import signal_timings, timing_tables
from intergreen.envs.scenario import load_scenario

TOWN = load_scenario("town")


@pytest.mark.parametrize("protocol", ["us-mutcd-5", "de-rilsa-5", "cn-gb-5", "literature-10-5"])
def test_every_signal_stands_in_one_table_with_a_row_for_each_movement(protocol):
    stated = signal_timings(TOWN, protocol)
    names = [name for one in stated for name in one["intersections"]]
    assert sorted(names) == sorted(TOWN.network.intersection_ids[j] for j in TOWN.network.signalled)
    for one, table in zip(stated, timing_tables(stated), strict=True):
        assert [row[0] for row in table.rows] == one["movements"]


def test_row_tells_yellow_and_the_span_of_intergreens_and_before_whom_it_is_longest():
    (one,) = signal_timings(TOWN, "us-mutcd-5", signal="intersection_1_1")
    (table,) = timing_tables([one])
    by_name = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    left = by_name["road_2_1_2 -> road_1_1_3"]
    # 40 km/h: 1 s + 11.11 / (2 * 3.05) m/s = 2.82 s, at least 3 (MUTCD 4F.17); maximum green of a left turn 30 s.
    assert (left["yellow [s]"], left["minimum green [s]"], left["maximum green [s]"]) == ("3", "5", "30")
    assert left["intergreen [s]"] == "5–6"
    assert left["longest before"] == "road_1_2_3 -> road_1_1_3"
    right = by_name["road_2_1_2 -> road_1_1_1"]
    assert (right["intergreen [s]"], right["longest before"]) == ("–", "–")
    assert right["green in phases"] == "1, 2, 3"


@pytest.mark.parametrize("protocol", ["us-mutcd-5", "de-rilsa-5", "cn-gb-5"])
def test_intergreen_is_never_below_its_yellow(protocol):
    for one in signal_timings(TOWN, protocol):
        for yellow_s, row in zip(one["yellow_s"], one["intergreen_s"], strict=True):
            assert all(seconds == 0 or seconds >= yellow_s for seconds in row)


def test_command_writes_the_same_as_json(capsys):
    assert main(["timing", "town", "--signal", "intersection_1_1", "--protocol", "us-mutcd-5", "--json", "-"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one == json.loads(json.dumps(signal_timings(TOWN, "us-mutcd-5", signal="intersection_1_1")[0]))


def test_signal_that_is_not_there_is_refused_with_those_that_are(capsys):
    assert main(["timing", "single", "--signal", "corner"]) == 2
    assert capsys.readouterr().err == (
        "command line: --signal: no signal is called 'corner'; use one of intersection_1_1\n"
    )
