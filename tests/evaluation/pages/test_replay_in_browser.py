"""The page that plays a run, as somebody uses it."""

import numpy as np
import pytest

from intergreen.agents.evaluation.compare import comparison_cells
from intergreen.agents.evaluation.pages.replay import film_cells, replay_page
from intergreen.agents.evaluation.pages.trajectories import place_at
from intergreen.envs.street_map import Paths

HORIZON_S = 300


@pytest.fixture(scope="module")
def takes():
    return film_cells(comparison_cells(["grid4x4"], ["fixed-time", "max-pressure"]), seed=0, horizon_s=HORIZON_S)


@pytest.fixture
def player(takes, tmp_path, open_page):
    path = tmp_path / "run.html"
    path.write_text(replay_page(takes), encoding="utf-8")
    page = open_page(path)
    page.wait_for_function("() => window.replay && window.replay.frames.length > 0")
    return page


def clock(page) -> int:
    hours, minutes, seconds = (int(part) for part in page.inner_text("#clock").split(":"))
    return 3600 * hours + 60 * minutes + seconds


def seek(page, second: float) -> None:
    page.evaluate("t => replay.seek(t)", second)
    page.wait_for_function("t => !replay.dirty && replay.time === t", arg=second)


def test_two_maps_stand_side_by_side(player):
    first, second = (figure.bounding_box() for figure in player.query_selector_all(".map"))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] < second["x"]
    assert player.inner_text(".map .name") == "fixed-time"


@pytest.mark.parametrize("width", [1280, 900, 400])
def test_both_maps_have_the_same_size_whatever_their_captions(takes, tmp_path, open_page, width):
    path = tmp_path / "run.html"
    path.write_text(replay_page(takes), encoding="utf-8")
    page = open_page(path, viewport={"width": width, "height": 800})
    page.wait_for_function("() => window.replay && window.replay.frames.length > 0")
    page.keyboard.press("n")
    first, second = (frame.bounding_box() for frame in page.query_selector_all(".frame"))
    assert (first["width"], first["height"]) == (second["width"], second["height"])
    assert first["height"] > 150


def test_play_runs_and_pause_stops(player):
    player.click("#play")
    player.wait_for_function("() => replay.time > 5")
    player.keyboard.press("Escape")
    player.click("#play")
    stopped = player.evaluate("replay.time")
    player.wait_for_timeout(200)
    assert player.evaluate("replay.time") == stopped
    assert player.inner_text("#play") == "Play"


def test_keys_play_seek_and_change_the_speed(player):
    player.keyboard.press("ArrowRight")
    player.keyboard.press("ArrowRight")
    player.wait_for_function("() => document.getElementById('clock').textContent === '0:00:20'")
    player.keyboard.press("ArrowUp")
    assert player.input_value("#speed") == "20"
    player.keyboard.press(" ")
    player.wait_for_function("() => replay.playing && replay.time > 25")


def test_keys_go_on_working_after_a_click_on_a_button(player):
    player.click("#fit")
    player.keyboard.press("ArrowRight")
    player.wait_for_function("() => replay.time === 10")
    player.keyboard.press("n")
    player.keyboard.press("n")
    player.keyboard.press("p")
    player.keyboard.press("p")
    assert player.inner_text("#panel h2") == player.evaluate("replay.world.facts.signals[15]")


def test_end_of_the_run_stops_the_clock(player):
    seek(player, HORIZON_S - 1)
    player.click("#play")
    player.wait_for_function("() => !replay.playing")
    assert clock(player) == HORIZON_S


def test_scrubber_goes_anywhere_and_back(player, takes):
    for second in (200, 40, 120):
        player.fill("#scrub", str(second))
        player.wait_for_function("t => replay.time === t && !replay.dirty", arg=second)
        shown = [int(number.inner_text()) for number in player.query_selector_all(".map .fact:first-child b")]
        for count, take in zip(shown, takes, strict=True):
            kept = take.film.trajectories.kept()
            ends = kept.time_s[kept.point_start[1:] - 1]
            assert count == ((kept.time_s[kept.point_start[:-1]] <= second) & (second < ends + 1)).sum()


def test_click_in_a_chart_goes_there(player):
    box = player.query_selector(".chart svg").bounding_box()
    player.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    player.wait_for_function("() => replay.time > 100 && replay.time < 200")


def test_click_on_a_signal_shows_its_phase_and_lanes_of_both_runs(player, takes):
    seek(player, 150)
    x, y = player.evaluate(
        "[replay.maps[0].toX(replay.world.signalXY[5][0]), replay.maps[0].toY(replay.world.signalXY[5][1])]"
    )
    frame = player.query_selector(".frame").bounding_box()
    player.mouse.click(frame["x"] + x, frame["y"] + y)
    player.wait_for_selector("#panel:not([hidden])")
    plan = takes[0].cell.protocol.plan(takes[0].cell.scenario.network)
    network = takes[0].cell.scenario.network
    assert player.inner_text("#panel h2") == network.intersection_ids[plan.intersection[5]]
    assert player.locator("#panel .timer").count() == 2
    assert player.locator("#panel tbody tr").count() == 12
    waiting = [int(text) for text in player.locator("#panel tbody td:nth-child(4)").all_inner_texts()]
    assert sum(waiting) == waiting_at(takes[0], 5, 150)
    player.keyboard.press("Escape")
    player.wait_for_selector("#panel", state="hidden")


def waiting_at(take, signal: int, second: int) -> int:
    network, plan = take.cell.scenario.network, take.cell.protocol.plan(take.cell.scenario.network)
    part = network.movements_of(int(plan.intersection[signal]))
    lanes = {lane for m in range(part.start, part.stop) for lane in network.start_lanes(m).tolist()}
    queues, counted = take.film.signals.queues(), dict.fromkeys(lanes, 0)
    for time_s, lane, count in zip(*(column.tolist() for column in queues), strict=True):
        if time_s <= second and lane in lanes:
            counted[lane] = count
    return sum(counted.values())


def test_places_in_the_browser_are_those_of_the_film(player, takes):
    seek(player, 100.0)
    network, kept = takes[0].cell.scenario.network, takes[0].film.trajectories.kept()
    player.evaluate("replay.view.scale = 5; replay.view.changed(); replay.seek(100)")
    player.wait_for_function("() => replay.world.widening === 1 && !replay.dirty")
    found = player.evaluate(
        "(() => { const { slots, out } = replay.films[0].traffic;"
        " return [slots.piece, out.x, out.y].map((column) => [...column.slice(0, out.n)]); })()"
    )
    paths = Paths(network, 1.0)
    for piece, x, y in zip(*found, strict=True):
        if kept.time_s[kept.point_start[piece + 1] - 1] < 100:
            continue
        drivable, distance_m = place_at(kept, network, piece, 100.0)
        place, _, _ = paths.at(np.array([drivable]), np.array([distance_m]))
        assert np.hypot(*(place[0] - [x, y])) < 0.6  # lines are kept to a decimetre, and bends cut by as much


def test_wheel_zooms_around_the_pointer_and_drag_moves(player):
    box = player.query_selector(".frame").bounding_box()
    player.mouse.move(box["x"] + 50, box["y"] + 60)
    before = player.evaluate("[replay.view.scale, replay.view.x + (50 - replay.maps[0].width / 2) / replay.view.scale]")
    player.mouse.wheel(0, -400)
    player.wait_for_function("s => replay.view.scale > s * 1.5", arg=before[0])
    after = player.evaluate("replay.view.x + (50 - replay.maps[0].width / 2) / replay.view.scale")
    assert after == pytest.approx(before[1], abs=0.5)
    x = player.evaluate("replay.view.x")
    player.mouse.down()
    player.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
    player.mouse.up()
    assert player.evaluate("replay.view.x") < x
    assert player.is_hidden("#panel")


def test_theme_follows_the_system_and_the_button(takes, tmp_path, open_page):
    path = tmp_path / "run.html"
    path.write_text(replay_page(takes), encoding="utf-8")
    page = open_page(path, color_scheme="dark")
    page.wait_for_function("() => window.replay && window.replay.frames.length > 0")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    assert page.evaluate(ground) != dark
    assert page.inner_text("#theme") == "Dark"


def test_narrow_screen_has_no_sideways_scrolling(takes, tmp_path, open_page):
    path = tmp_path / "run.html"
    path.write_text(replay_page(takes), encoding="utf-8")
    page = open_page(path, viewport={"width": 400, "height": 800})
    page.wait_for_function("() => window.replay && window.replay.frames.length > 0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_thousand_signals_play_at_every_zoom(tmp_path, open_page):
    """How long a frame takes is printed (`-s`) and judged by nobody: it depends on the machine."""
    (cell,) = comparison_cells(["city1024"], ["max-pressure"])
    path = tmp_path / "run.html"
    path.write_text(replay_page(film_cells([cell], seed=0, horizon_s=240)), encoding="utf-8")
    page = open_page(path)
    page.wait_for_function("() => window.replay && window.replay.frames.length > 0")
    for zoom in (1, 5, 30):
        page.evaluate("z => { replay.seek(200); replay.fit(); replay.zoom(z); replay.frames = []; }", zoom)
        page.click("#play")
        page.wait_for_function("() => replay.frames.length >= 30 && replay.time > 202")
        page.click("#play")
        median_ms = page.evaluate("replay.frames.sort((a, b) => a - b)[replay.frames.length >> 1]")
        print(f"\nzoom {zoom}: a frame takes {median_ms:.1f} ms")
