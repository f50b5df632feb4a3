"""Pictures: their form, and that they show what is there, where it is."""

import pickle
import sys

import gymnasium as gym
import numpy as np
import pytest

from intergreen.envs import render
from intergreen.envs.render import Picture
from intergreen.envs.traffic_env import TrafficSignalEnv


def driven(scenario, steps=12, choice=0, **settings):
    env = TrafficSignalEnv(scenario, **settings)
    env.reset(seed=0)
    action = np.full(env.action_space.shape, choice)
    for _ in range(steps):
        env.step(action)
    return env


def colours_around(picture, x, y):
    """The colours within a pixel of (x, y)."""
    return picture[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].reshape(-1, 3).astype(int)


def near(colours, colour, within=60):
    return (np.abs(colours - np.array(colour)).sum(axis=-1) < within).any()


@pytest.mark.parametrize("scenario", ["single", "grid4x4", "town", "arterial6"])
def test_picture_is_an_array_of_even_sides_that_is_the_callers_own(scenario):
    env = driven(scenario, render_mode="rgb_array")
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    kept = picture.copy()
    assert np.array_equal(env.render(), kept)
    picture[:] = 0
    assert np.array_equal(env.render(), kept)


def test_picture_changes_when_vehicles_move_and_looking_changes_nothing(pair):
    env, unseen = driven(pair, render_mode="rgb_array"), driven(pair)
    pictures = []
    for _ in range(3):
        pictures.append(env.render())
        assert np.array_equal(env.step([1, 1])[0], unseen.step([1, 1])[0])
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_every_vehicle_shows_where_it_is_in_the_colour_of_its_speed():
    """On a network whose roads need no widening: metres, from the middle of the junction, by hand."""
    env = driven("single", render_mode="rgb_array")
    core = env.episodes.core
    picture, drawn, now = env.render(), Picture(core, "single"), core.positions()
    network = core.network
    points = [network.lane_points[network.lane_point_start[l] : network.lane_point_start[l + 1]] for l in range(24)]
    roads = shown_roads()
    metres_a_px = np.ptp(network.lane_points, axis=0) / np.ptp(roads, axis=1)
    middle = roads.mean(axis=1)
    standing = moving = 0
    for lane, distance_m, speed, px in zip(now.drivable, now.distance, now.speed, drawn.vehicle_px(), strict=True):
        if lane >= network.n_lanes or distance_m < 5:
            continue
        first, last = points[lane]
        ahead = (last - first) / np.linalg.norm(last - first)
        x, y = (first + ahead * (distance_m - 2.5)) / metres_a_px * (1, -1) + middle
        assert px == pytest.approx((x, y), abs=1.5)
        if speed < 0.1:
            standing += 1
            assert near(colours_around(picture, *px), render.STANDING)
        elif speed > 11.0:
            moving += 1
            assert near(colours_around(picture, *px), render.FREE)
    assert standing > 5
    assert moving > 5


def shown_roads():
    """First and last column and row in which the picture of an empty network shows a road: (x or y, first or last)."""
    env = TrafficSignalEnv("single", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()[render.HEADER_PX :].astype(int)
    is_road = np.abs(picture - np.array(render.GROUND)).sum(axis=2) > 30
    columns, rows = np.flatnonzero(is_road.any(axis=0)), np.flatnonzero(is_road.any(axis=1)) + render.HEADER_PX
    return np.array([columns[[0, -1]], rows[[0, -1]]])


def test_north_is_up_and_south_is_down(pair):
    picture = Picture(driven(pair).episodes.core, "pair")
    place = picture._place
    south_west, north_east = place.to_px(np.array([[0.0, 0.0], [100.0, 50.0]]))
    right, down = north_east - south_west
    assert right == pytest.approx(100 * place.scale)
    assert down == pytest.approx(-50 * place.scale)


def test_only_movements_with_green_have_a_green_line():
    env = driven("single", steps=1, render_mode="rgb_array")
    before = env.render()
    env.step(2)
    after = env.render()
    core = env.episodes.core
    drawn = Picture(core, "single")
    network = core.network
    has_green = core.engine.green[0, network.link_movement] > 0
    assert has_green.any()
    assert not has_green.all()
    for link in np.flatnonzero(~has_green):
        lane = network.link_from_lane[link]
        if has_green[network.link_from_lane == lane].any():
            continue
        line = drawn._place.to_px(drawn._paths.points_of(int(lane)))[-1:]
        assert near(colours_around(after, *line[0]), render.SIGNAL_RED, within=120)
    assert not np.array_equal(before, after)


def test_wider_roads_leave_junctions_where_they_are_and_vehicles_between_them():
    env = driven("grid4x4")
    core = env.episodes.core
    picture = Picture(core, "grid4x4")
    assert picture._widening > 1.5
    network, paths = core.network, picture._paths
    for lane in range(network.n_lanes):
        first, last = paths.points_of(lane)[[0, -1]]
        road = network.lane_road[lane]
        ends = network.intersection_xy[[network.road_from[road], network.road_to[road]]]
        direction = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        assert 0 <= (first - ends[0]) @ direction < (last - ends[0]) @ direction
        aside = (first - ends[0]) @ np.array([direction[1], -direction[0]])
        assert aside == pytest.approx((network.lane_index[lane] + 0.5) * 4.0 * picture._widening)
        assert (last - first) @ direction == pytest.approx(np.linalg.norm(last - first))
    links = range(network.n_lanes, network.n_lanes + network.n_links)
    for link, from_lane, to_lane in zip(links, network.link_from_lane, network.link_to_lane, strict=True):
        assert paths.points_of(link)[0] == pytest.approx(paths.points_of(int(from_lane))[-1], abs=1e-6)
        assert paths.points_of(link)[-1] == pytest.approx(paths.points_of(int(to_lane))[0], abs=1e-6)


def test_window_opens_shows_every_decision_and_closes(pair):
    import pygame

    env = gym.make("intergreen.envs:Single-v0", render_mode="human", horizon_s=30)
    env.reset(seed=0)
    shown = pygame.surfarray.array3d(pygame.display.get_surface())
    assert env.step(1)[0].any()
    assert not np.array_equal(shown, pygame.surfarray.array3d(pygame.display.get_surface()))
    assert env.render() is None
    assert len(pickle.loads(pickle.dumps(env.unwrapped)).step(1)) == 5  # a window does not travel, the rest does
    env.close()
    assert not pygame.display.get_init()


def test_render_mode_reaches_the_environment_through_make():
    env = gym.make("intergreen.envs:Single-v0", render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape[2] == 3


def test_without_a_mode_there_is_no_picture_and_an_unknown_one_is_one_line(pair):
    assert driven(pair, steps=1).render() is None
    with pytest.raises(ValueError, match="there is no render_mode 'ansi'; use one of rgb_array, human, or None"):
        TrafficSignalEnv(pair, render_mode="ansi")


def test_missing_pygame_says_what_to_install(pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ImportError, match=r'rendering needs pygame: pip install "intergreen\[render\]"'):
        TrafficSignalEnv(pair, render_mode="rgb_array")
    assert TrafficSignalEnv(pair).render_mode is None


def test_one_window_closed_does_not_take_the_others(pair):
    one, other = (TrafficSignalEnv(name, render_mode="human", horizon_s=60) for name in (pair, "single"))
    one.reset(seed=0)
    other.reset(seed=0)
    one.step(one.action_space.sample())
    other.close()
    one.step(one.action_space.sample())
    one.close()
