"""The page and the figures of a comparison, read as text and as files."""

import json
import re

import numpy as np
import pytest
from evaluation.pages.self_contained import outside

from intergreen.agents.cli import main
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.pages import maps
from intergreen.agents.evaluation.pages.arterial import longest_arterial
from intergreen.agents.evaluation.pages.codec import unpack
from intergreen.agents.evaluation.pages.comparison import MOST_CLOSE, comparison_page, runs_to_see, sections_of
from intergreen.agents.evaluation.pages.write import sections_to_show, write_looks
from intergreen.envs.scenario import load_scenario

HORIZON_S, CLEARANCE_S = 900, 5


@pytest.fixture(scope="module")
def cells():
    return comparison_cells(["grid4x4", "single"], ["fixed-time", "max-pressure", "universal-0"])


@pytest.fixture(scope="module")
def sections(cells):
    results = run_cells(cells, seeds=[0, 1], horizon_s=HORIZON_S)
    return sections_to_show(cells, results, horizon_s=HORIZON_S)


@pytest.fixture(scope="module")
def page(sections):
    return comparison_page(sections)


def test_page_asks_for_nothing_outside_itself(page):
    assert outside(page) == []
    assert "default-src 'none'" in page


def test_every_setting_has_a_section_with_all_that_was_seen(page):
    parts = re.findall(r"<section .*?</section>", page, re.DOTALL)
    assert len(parts) == 2
    for part in parts:
        for title in (
            "Intervals",
            "Over time",
            "Learning",
            "Where time is lost",
            "Along the arterial",
            "Signal timing",
        ):
            assert f"<h3>{title}</h3>" in part
        assert part.count("<svg") == 3 + 4 + 1 + 1 + 3 + 3  # intervals, series, learning, scale, heat maps, arterials


def test_table_shows_the_numbers_of_the_results(page, sections):
    for section in sections:
        for result in section.results:
            summary = result["metrics"]["average_travel_time_s"]
            low, high = summary["ci95"]
            shown = f'{summary["mean"]:.1f} <span class="quiet">[{low:.1f}, {high:.1f}]</span>'
            assert shown in page


def test_timing_in_the_page_is_what_was_shown(page, sections):
    for k, section in enumerate(sections):
        for n, near in enumerate(section.near):
            found = unpack(re.search(rf'id="timing-{k}-{n}">([^<]*)</script>', page)[1])
            for name, events in (
                ("shown", near.seen.signals.shown()),
                ("overruled", near.seen.signals.interventions()),
            ):
                for column, values in events._asdict().items():
                    np.testing.assert_array_equal(found[f"{name}_{column}"], values)


def test_delay_on_the_map_is_the_time_lost_in_the_network(sections):
    for near, result in zip(sections[0].near, sections[0].results, strict=True):
        trips = near.cell.scenario.trips(near.seen.seed, horizon_s=HORIZON_S)
        lost_s = result["metrics"]["delay_s"]["per_seed"][0] * len(trips)  # with the waiting outside
        on_map_s = near.seen.delayed_veh.sum() * HORIZON_S
        assert 0.85 * lost_s < on_map_s < 1.05 * lost_s


def test_nobody_passes_a_stop_line_of_the_arterial_on_red(sections):
    checked = 0
    for near in sections[0].near:
        seen, network = near.seen, near.cell.scenario.network
        for movement, stop_m in zip(seen.arterial.movements, seen.arterial.stop_lines_m, strict=True):
            glows = maps.green_of(network, seen, movement)
            for line in seen.lines:
                if line.along_m[0] < stop_m - 5.0 and line.along_m[-1] > stop_m + 8.0:
                    passed = np.interp(stop_m + 4.0, line.along_m, line.time_s)
                    # who could no longer stop passes in the clearance; lines are right within 2 m
                    first = seen.window_s[0]
                    assert passed < first + CLEARANCE_S or any(
                        glow.begin_s - 1 <= passed <= glow.end_s + CLEARANCE_S + 1 for glow in glows
                    )
                    checked += 1
    assert checked > 100


@pytest.mark.parametrize(("name", "signals"), [("grid4x4", 4), ("arterial6", 6), ("single", 1), ("town", 3)])
def test_arterial_goes_straight_on_through_the_most_signals(name, signals):
    scenario = load_scenario(name)
    network = scenario.network
    arterial = longest_arterial(network, network.signalled, scenario.flows_vph())
    at_signal = np.isin(network.movement_intersection[list(arterial.movements)], network.signalled)
    assert at_signal.sum() >= signals
    for before, movement, after in zip(arterial.roads, arterial.movements, arterial.roads[1:], strict=False):
        assert (network.movement_from_road[movement], network.movement_to_road[movement]) == (before, after)
    assert np.all(np.diff(arterial.begins_m) > 0)
    assert arterial.begins_m[-1] < arterial.length_m


def test_network_without_signals_has_no_arterial():
    network = load_scenario("grid4x4").network
    assert longest_arterial(network, np.zeros(0, np.int32)) is None


def test_only_the_first_controllers_are_seen_closely(cells):
    many = [cell for cell in cells for _ in range(MOST_CLOSE)]
    assert len(runs_to_see(many, [{"seeds": [0]}] * len(many))) == 2 * MOST_CLOSE


def test_runs_seen_closely_share_a_seed_that_came_to_an_end(cells):
    ended = [{"seeds": seeds} for seeds in ([0, 1, 2], [1, 2], [], [0], [2], [])]
    found = [(cell.scenario.name, cell.controller_name, seed) for cell, seed in runs_to_see(cells, ended)]
    assert found == [
        ("grid4x4", "fixed-time", 1),
        ("grid4x4", "max-pressure", 1),
        ("single", "fixed-time", 0),  # none that both have
        ("single", "max-pressure", 2),
    ]


def test_cell_without_a_finished_seed_stands_in_the_table_alone(sections, tmp_path):
    pytest.importorskip("matplotlib")
    section = sections[1]
    empty = {"seeds": [], "metrics": {}, "series": {"t": []}, "safety": {"monitor_faults": None}}
    results = [section.results[0], {**section.results[1], **empty}]
    found = sections_of(results, {}, [(section.near[0].cell, section.near[0].seen)])
    assert [near.number for near in found[0].near] == [0]
    assert "max-pressure" in comparison_page(found)
    assert write_looks(found, page=None, figures=tmp_path)


def test_names_cannot_become_markup(sections):
    hostile = "</script><img src=x>"
    results = [{**result, "controller": hostile} for result in sections[0].results[:1]]
    assert hostile not in comparison_page(sections_of(results, {}, []))


def test_page_stays_small(page):
    assert len(page) < 1_500_000


def test_figures_are_pdf_and_png_of_the_same_names(sections, tmp_path):
    pytest.importorskip("matplotlib")
    written = write_looks(sections[:1], page=None, figures=tmp_path / "figures")
    kinds = {".pdf": b"%PDF", ".png": b"\x89PNG"}
    stems = [path.stem for path in written if path.suffix == ".pdf"]
    assert [stem.rsplit("native-")[1] for stem in stems] == ["intervals", "queues", "delay-map", "time-space", "timing"]
    assert [path.stem for path in written if path.suffix == ".png"] == stems
    assert all(path.read_bytes().startswith(kinds[path.suffix]) for path in written)


def test_command_writes_page_and_figures(tmp_path, capsys):
    page, figures = tmp_path / "out.html", tmp_path / "figures"
    asked = ["compare", "single", "--controllers", "fixed-time,max-pressure", "--seeds", "0", "--horizon", "300"]
    assert main([*asked, "--report", str(page), "--figures", str(figures)]) == 0
    told = capsys.readouterr().err
    assert f"wrote {page}\n" in told
    assert len(list(figures.iterdir())) == 10
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page.read_text(), re.DOTALL)[1])
    assert [near["name"] for near in facts["sections"][0]["near"]] == ["fixed-time", "max-pressure"]


def test_folder_still_gets_what_it_got(tmp_path, capsys):
    folder = tmp_path / "report"
    asked = ["compare", "single", "--controllers", "fixed-time", "--seeds", "0", "--horizon", "60"]
    assert main([*asked, "--report", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} >= {"report.md", "report.html"}


def test_page_that_could_not_be_written_is_refused_before_the_run(tmp_path, capsys):
    asked = ["compare", "single", "--controllers", "fixed-time", "--report", str(tmp_path / "nowhere" / "out.html")]
    assert main(asked) == 2
    assert "--report: there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("beside", ["", "max-pressure,"])
def test_bound_stands_in_tables_and_nowhere_that_one_looks_closely(tmp_path, beside):
    page, figures = tmp_path / "out.html", tmp_path / "figures"
    asked = ["compare", "single", "--controllers", f"{beside}free-flow", "--seeds", "0", "--horizon", "120"]
    assert main([*asked, "--report", str(page), "--figures", str(figures)]) == 0
    assert "free-flow" in page.read_text()
    looked = {path.stem.rsplit("-native-")[1] for path in figures.iterdir()}
    assert "intervals" in looked
    assert ("timing" in looked) == bool(beside)
