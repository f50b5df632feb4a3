"""Counts against a plain recount of where everybody is."""

from __future__ import annotations

import numpy as np
import pytest

from intergreen.envs.core import TrafficCore
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FixedClearance, make_plan

BUSY_S = 300
SEGMENTS = 4


@pytest.fixture(scope="module")
def busy():
    """Two replicas of the town under random phases, with queues, and the positions of both."""
    scenario = load_scenario("town")
    plan = make_plan(scenario.network, timing=FixedClearance(3))
    core = TrafficCore(scenario.network, plan, scenario.demand, replicas=2)
    start = np.tile(plan.choices[:, 0], (2, 1))
    core.reset([scenario.trips(0), scenario.trips(1)], [0, 1], start)
    core.near_m = np.full(scenario.network.n_lanes, 60.0)
    random = np.random.default_rng(0)
    for _ in range(BUSY_S // 10):
        wanted = plan.choices[np.arange(plan.n_signals), random.integers(0, plan.n_choices, start.shape)]
        core.run(wanted, 10)
    return core, [core.positions(b) for b in range(2)]


def recount(places, *, size, first, chosen):
    """How many of the chosen vehicles are on each drivable from `first` on."""
    return np.bincount(places.drivable[chosen] - first, minlength=size)


def test_lane_counts_are_a_recount_of_positions(busy):
    core, positions = busy
    network, counts = core.network, core.counts()
    for b, places in enumerate(positions):
        on_lane, halted = places.drivable < network.n_lanes, places.speed < 0.1
        lanes = {"size": network.n_lanes, "first": 0}
        assert np.array_equal(counts.vehicles[b], recount(places, chosen=on_lane, **lanes))
        assert np.array_equal(counts.waiting[b], recount(places, chosen=on_lane & halted, **lanes))
        rest = np.full(len(places.trip), np.inf)
        rest[on_lane] = network.lane_length_m[places.drivable[on_lane]] - places.distance[on_lane]
        assert np.array_equal(counts.near[b], recount(places, chosen=(rest <= 60.0) & ~halted, **lanes))
        total = np.bincount(places.drivable[on_lane], places.speed[on_lane], minlength=network.n_lanes)
        assert counts.mean_speed[b] * counts.vehicles[b] == pytest.approx(total)
    assert counts.waiting.sum() > 50
    assert counts.near.sum() > 10


def test_link_counts_are_a_recount_of_positions(busy):
    core, positions = busy
    network, counts = core.network, core.engine.link_counts()
    for b, places in enumerate(positions):
        on_link = places.drivable >= network.n_lanes
        links = {"size": network.n_links, "first": network.n_lanes}
        assert np.array_equal(counts.vehicles[b], recount(places, chosen=on_link, **links))
        assert np.array_equal(counts.waiting[b], recount(places, chosen=on_link & (places.speed < 0.1), **links))
    assert counts.vehicles.sum() > 0


def test_movement_queues_share_out_the_waiting_vehicles_that_go_on(busy):
    core, _ = busy
    network, waiting, queues = core.network, core.counts().waiting, core.engine.movement_queues()
    leads_on = np.diff(network.lane_link_start) > 0
    assert queues.sum(axis=1).tolist() == waiting[:, leads_on].sum(axis=1).tolist()
    for movement in range(network.n_movements):
        first, past = network.movement_link_start[movement : movement + 2]
        lanes = np.unique(network.link_from_lane[first:past])
        assert (queues[:, movement] <= waiting[:, lanes].sum(axis=1)).all()


def test_segments_share_out_the_vehicles_of_a_lane_from_the_stop_line_back(busy):
    core, positions = busy
    segments = core.engine.segment_vehicles(SEGMENTS)
    assert np.array_equal(segments.sum(axis=2), core.counts().vehicles)
    network, places = core.network, positions[1]
    on_lane = places.drivable < network.n_lanes
    share = 1 - places.distance[on_lane] / network.lane_length_m[places.drivable[on_lane]]
    expected = np.zeros_like(segments[1])
    np.add.at(expected, (places.drivable[on_lane], (share * SEGMENTS).astype(int).clip(0, SEGMENTS - 1)), 1)
    assert np.array_equal(segments[1], expected)


def test_longest_wait_of_the_totals_is_that_of_the_worst_movement(busy):
    core, _ = busy
    longest, p95 = core.engine.movement_waits(0)
    assert longest.max() == core.totals().max_wait_s[0] > 0
    assert p95.max() == core.totals().p95_wait_s[0]
    assert (p95 <= longest).all()
