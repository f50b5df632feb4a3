"""The page that plays a run, read as a text."""

import json
import re

import numpy as np
import pytest
from evaluation.pages.self_contained import outside

from intergreen.agents.cli import main
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.compare import comparison_cells
from intergreen.agents.evaluation.pages.assemble import json_inside
from intergreen.agents.evaluation.pages.codec import unpack
from intergreen.agents.evaluation.pages.replay import film_cells, replay_page
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.scenario import load_scenario


@pytest.fixture(scope="module")
def takes():
    cells = comparison_cells(["grid4x4"], ["fixed-time", "max-pressure"])
    return film_cells(cells, seed=1, horizon_s=240)


def packed(page: str, name: str) -> dict[str, np.ndarray]:
    return unpack(re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)[1])


def facts(page: str) -> dict:
    return json.loads(re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)[1])


def test_page_asks_for_nothing_outside_itself(takes):
    page = replay_page(takes)
    assert outside(page) == []
    assert "default-src 'none'" in page


def test_points_in_the_page_are_the_films(takes):
    page = replay_page(takes)
    for k, take in enumerate(takes):
        kept, found = take.film.trajectories.kept(), packed(page, f"film-{k}")
        begins = kept.point_start[:-1]
        owner = np.repeat(np.arange(len(begins)), np.diff(kept.point_start))
        for name, step, first in (("time_s", "step_s", "begins_s"), ("along", "step", "along_begin")):
            sums = np.cumsum(found[step])
            values = sums - sums[begins][owner] + found[first][owner]
            np.testing.assert_array_equal(values, getattr(kept, name))
        np.testing.assert_array_equal(found["way"], kept.way)
        np.testing.assert_array_equal(found["trip"], kept.trip)
        for stream, events in (("shown", take.film.signals.shown()), ("queue", take.film.signals.queues())):
            np.testing.assert_array_equal(found[f"{stream}_what"], events.what)
            np.testing.assert_array_equal(found[f"{stream}_time_s"], events.time_s)


def test_lines_of_the_world_end_where_lanes_end(takes):
    network, world = load_scenario("grid4x4").network, packed(replay_page(takes), "world")
    last = np.cumsum(world["n_points"])[: network.n_lanes] - 1
    x, y = np.cumsum(world["x"])[last] / 10, np.cumsum(world["y"])[last] / 10
    ends = network.lane_points[network.lane_point_start[1:] - 1]
    np.testing.assert_allclose(np.stack([x, y], axis=1), ends, atol=0.051)


def test_charts_end_with_the_numbers_of_evaluate(takes):
    told = facts(replay_page(takes))
    for film, take in zip(told["films"], takes, strict=True):
        assert film["series"]["t"] == list(range(0, 241, 10))
        mean = take.result["metrics"]["average_travel_time_s"]["mean"]
        assert film["series"]["average_travel_time_s"][-1] == pytest.approx(mean, abs=0.051)


def test_both_runs_meet_the_same_trips(takes):
    trips = [set(take.film.trajectories.kept().trip.tolist()) for take in takes]
    assert len(trips[0] & trips[1]) > 0.9 * len(trips[0])  # a few have not been able to enter under one of the two


def test_no_name_can_end_the_script_it_stands_in():
    assert "</script" not in json_inside({"name": "</script><b>"})
    assert json.loads(json_inside(["</script>", "\u2028"])) == ["</script>", "\u2028"]


def test_hour_of_a_grid_stays_far_below_20_megabytes():
    page = replay_page(film_cells(comparison_cells(["grid4x4"], ["fixed-time"]), seed=0))
    assert len(page) < 2_000_000


def test_film_of_two_seeds_is_refused(takes):
    cell = takes[0].cell
    with pytest.raises(ValueError, match="one seed"):
        evaluate(
            cell.scenario,
            decider_by_name("fixed-time"),
            cell.protocol,
            seeds=[0, 1],
            horizon_s=10,
            onlooker=takes[0].film,
        )


def test_command_writes_the_page(tmp_path, capsys):
    path = tmp_path / "run.html"
    asked = ["replay", "single", "--controllers", "max-pressure", "--out", str(path), "--horizon", "60", "--seed", "4"]
    assert main(asked) == 0
    assert capsys.readouterr().err == f"wrote {path}\n"
    assert facts(path.read_text())["setting"] == "literature-10-5 · seed 4 · 1 signal · 60 s"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--controllers", "a,b,c"], "--controllers: 3 controllers do not fit side by side; name at most 2"),
        (["--out", "nowhere/run.html"], "--out: there is no folder 'nowhere'; create it first"),
        (["--horizon", "0"], "--horizon: must be greater than 0"),
    ],
)
def test_wrong_option_is_one_line_and_status_two(changed, words, tmp_path, capsys):
    asked = ["replay", "single", "--controllers", "fixed-time", "--out", str(tmp_path / "run.html"), *changed]
    assert main(asked) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed
