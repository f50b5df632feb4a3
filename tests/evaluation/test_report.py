"""Comparison tables and pictures made from `evaluate --json` objects."""

import io
import re
import sys
from pathlib import Path

import pytest

from intergreen.agents.evaluation.picture import travel_time_lines, travel_time_svg, write_travel_time_png
from intergreen.agents.evaluation.report import (
    comparisons,
    html,
    markdown,
    metrics_table,
    print_comparisons,
    seed_text,
    write_report,
)
from intergreen.agents.tables import plain_text


def result(controller: str, travel_time_s: float, **changes: object) -> dict[str, object]:
    """One `evaluate --json` object over two seeds, 10 s apart."""
    values = [travel_time_s - 5.0, travel_time_s + 5.0]
    travel_time = {"mean": travel_time_s, "ci95": values, "per_seed": values}
    throughput = {"mean": 100.0, "ci95": [100.0, 100.0], "per_seed": [100.0, 100.0]}
    return {
        "scenario": "grid",
        "controller": controller,
        "protocol": "literature-10-5",
        "simulator": "native",
        "horizon_s": 3600,
        "seeds": [0, 1],
        "metrics": {"average_travel_time_s": travel_time, "throughput_veh": throughput},
        "series": {"t": [300, 600], "average_travel_time_s": [[100.0, 110.0], [200.0, None]]},
        "safety": {"monitor_faults": 0},
        **changes,
    }


def test_protocols_never_share_a_table():
    tables = comparisons([result("a", 300.0), result("b", 200.0, protocol="literature-30-5"), result("c", 250.0)])
    assert [[row[0] for row in table.rows] for table in tables] == [["a", "c"], ["b"]]


@pytest.mark.parametrize("change", [{"scenario": "town"}, {"horizon_s": 600}, {"simulator": "sumo"}], ids=str)
def test_other_rules_never_share_a_table(change):
    assert len(comparisons([result("a", 300.0), result("a", 300.0, **change)])) == 2


def test_several_seeds_show_the_interval_and_one_seed_does_not():
    single = {"average_travel_time_s": {"mean": 3.0, "ci95": [3.0, 3.0], "per_seed": [3.0]}}
    (table,) = comparisons([result("several", 300.0), result("one", 3.0, metrics=single, seeds=[7])])
    assert table.rows[0][1] == "300.0 [295.0, 305.0]"
    assert table.rows[1][1] == "3.0"
    assert table.headings[-1] == "seeds"
    assert [row[-1] for row in table.rows] == ["0,1", "7"]


def test_best_mean_is_marked_and_ties_share_it():
    (table,) = comparisons([result("a", 300.0), result("b", 200.0), result("c", 200.04)])
    assert table.marked == {(1, 1), (2, 1), (0, 2), (1, 2), (2, 2)}


def test_bound_that_nobody_can_pass_is_not_called_best():
    (table,) = comparisons([result("free-flow", 50.0), result("a", 300.0), result("b", 200.0)])
    assert table.marked == {(2, 1), (1, 2), (2, 2)}


def test_who_failed_on_a_seed_is_not_called_best():
    spared = result("b", 100.0, seeds=[0, 2], failed=[{"seed": 1, "why": "the lane overflowed"}])
    (table,) = comparisons([result("a", 300.0), spared, result("c", 200.0)])
    assert table.marked == {(2, 1), (0, 2), (2, 2)}


def test_a_single_controller_is_not_called_best():
    assert comparisons([result("a", 300.0)])[0].marked == frozenset()


def test_missing_mean_is_a_dash():
    missing = {"average_travel_time_s": {"mean": None, "ci95": [None, None], "per_seed": [None, None]}}
    assert comparisons([result("a", 1.0, metrics=missing)])[0].rows[0][1] == "–"


def test_plain_table_is_aligned():
    (table,) = comparisons([result("max-pressure", 300.0), result("a", 1200.0)])
    _, *lines = plain_text(table).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("max-pressure  ")


def test_pipe_gets_no_terminal_codes():
    pipe = io.StringIO()
    print_comparisons([result("a", 300.0)], file=pipe)
    assert "\x1b" not in pipe.getvalue()
    assert "300.0 [295.0, 305.0]" in pipe.getvalue()


def test_markdown_has_one_table_row_per_controller():
    text = markdown([result("a|b", 300.0), result("c", 200.0)])
    assert "| a\\|b | 300.0 [295.0, 305.0] |" in text
    assert "**200.0 [195.0, 205.0]**" in text


def test_page_loads_nothing_from_elsewhere_and_escapes_names():
    page = html([result("<script>", 300.0)])
    assert "<script>" not in page
    assert not re.search(r"(?:src|href)=|url\(|@import", page)


def test_lines_are_means_over_the_seeds_that_have_a_value():
    (line,) = travel_time_lines([result("a", 300.0)])
    assert (line.t, line.value) == ([300.0, 600.0], [105.0, 200.0])


def test_picture_has_one_line_per_controller():
    assert travel_time_svg([result("a", 300.0), result("b", 200.0)]).count("<polyline") == 2
    assert travel_time_svg([result("a", 300.0, series={})]) == ""


def test_report_writes_page_markdown_and_picture(tmp_path: Path):
    pytest.importorskip("matplotlib")
    written = write_report([result("a", 300.0)], tmp_path / "report")
    assert [path.name for path in written] == ["report.md", "report.html", "travel_time_1.png"]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(path.name for path in written)


def test_report_without_matplotlib_leaves_the_picture_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not write_travel_time_png([result("a", 300.0)], tmp_path / "picture.png", title="grid")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seeds", "text"), [([0, 1], "0,1"), ([2, 3, 4], "2-4"), ([0, 2, 4], "0,2,4"), ([3], "3")])
def test_seed_text(seeds, text):
    assert seed_text(seeds) == text


def test_dropped_flows_are_counted_in_the_title():
    assert comparisons([result("a", 1.0, dropped_flows=3)])[0].title.endswith(
        "3 flows or vehicles left out, with no way for cars"
    )
    assert "1 flow or vehicle left out" in metrics_table(result("a", 1.0, dropped_flows=1)).title
    assert "left out" not in comparisons([result("a", 1.0, dropped_flows=0)])[0].title
