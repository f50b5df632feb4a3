"""Lane changing under any traffic and any signals: nobody is lost, doubled or led astray, and off means off."""

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.worlds import World, random_world

from intergreen.envs.demand import release_trips
from intergreen.envs.simulation import Engine, Positions
from intergreen.envs.simulation.lane_change import FIRST_CHANGE_S, SHADOW

SECONDS = 180
worlds = st.builds(random_world, st.integers(1000, 100_000))
few = settings(max_examples=10)
BUSY = 158  # several vehicles of one lane change at once there
SINGLE_LANE_WORLDS = 12


def single_lane_seeds(n: int) -> list[int]:
    """Seeds of the first `n` worlds in which every road has one lane."""
    single = (s for s in count(1000) if (np.diff(random_world(s).network.road_lane_start) == 1).all())
    return list(islice(single, n))


def started(world: World, *, lane_change: bool = True) -> Engine:
    engine = Engine(world.network, world.demand, lane_change=lane_change)
    engine.reset([world.trips], [0])
    return engine


def drive(engine: Engine, world: World, seconds: int = SECONDS) -> Iterator[Positions]:
    """Advance under the world's greens, yielding where everybody is after each second."""
    for green in world.greens(seconds):
        engine.state.green[:] = green
        engine.advance(1)
        yield engine.positions()


def lanes_of(now: Positions) -> dict[int, list[int]]:
    """Trip -> the drivables it is on: two while it changes lanes."""
    out: dict[int, list[int]] = {}
    for trip, drivable in zip(now.trip.tolist(), now.drivable.tolist(), strict=True):
        out.setdefault(trip, []).append(drivable)
    return out


def test_somebody_changes_lanes_in_these_worlds():
    """Else the laws below would say nothing."""
    changed = 0
    for seed in range(1000, 1005):
        world = random_world(seed)
        changed += sum(len(on) > 1 for now in drive(started(world), world) for on in lanes_of(now).values())
    assert changed > 100


@few
@given(worlds)
def test_vehicles_are_conserved_every_second(world):
    engine, gone, seen = started(world), set(), set()
    for now in drive(engine, world):
        totals, inside = engine.totals(), set(now.trip.tolist())
        assert totals.released[0] == totals.finished[0] + totals.running[0] + totals.waiting_outside[0]
        assert totals.running[0] == len(inside)
        assert not inside & gone, "somebody came back"
        gone |= seen - inside
        seen |= inside
        assert totals.finished[0] == len(gone)


@few
@given(worlds)
def test_a_vehicle_is_on_two_lanes_only_while_it_changes_and_drives_as_one(world):
    engine = started(world)
    for now in drive(engine, world):
        doubled = {trip: on for trip, on in lanes_of(now).items() if len(on) > 1}
        assert len(doubled) == engine.changes.n_changing[0, 0] == np.count_nonzero(engine.changes.role == SHADOW)
        for trip, on in doubled.items():
            first, second = sorted(on)
            assert second == first + 1 < world.network.n_lanes
            assert world.network.lane_road[first] == world.network.lane_road[second]
            mine = now.trip == trip
            assert len(set(now.distance[mine].tolist())) == len(set(now.speed[mine].tolist())) == 1


@few
@given(worlds)
def test_vehicles_stay_on_lanes_that_serve_their_route_and_on_the_road(world):
    engine, network, demand = started(world), world.network, world.demand
    length_m = np.concatenate([network.lane_length_m, network.link_length_m])
    for now in drive(engine, world):
        assert (now.distance >= 0).all()
        assert (now.distance <= length_m[now.drivable]).all()
        assert (now.speed >= 0).all()
        for trip, on in lanes_of(now).items():
            route = demand.route(world.trips.route[trip]).tolist()
            for lane in on:
                if lane >= network.n_lanes or network.lane_road[lane] == route[-1]:
                    continue
                links = network.lane_links[network.lane_link_start[lane] : network.lane_link_start[lane + 1]]
                after = route[route.index(network.lane_road[lane]) + 1]
                assert after in network.lane_road[network.link_to_lane[links]], (engine.time_s, trip)


@pytest.mark.parametrize("seed", [BUSY, 168, 215])
def test_the_way_of_who_changes_lanes_is_counted_once(seed):
    world = random_world(seed)
    engine, before, driven, checked = started(world), {}, 0.0, 0
    for now in drive(engine, world):
        where = dict(zip(now.trip.tolist(), now.distance.tolist(), strict=True))
        on = lanes_of(now)
        if all(set(on.get(trip, ())) & set(lanes) for trip, (lanes, _) in before.items()):  # nobody left a drivable
            moved = sum(distance - before[trip][1] if trip in before else distance for trip, distance in where.items())
            assert engine.totals().total_distance_m[0] - driven == pytest.approx(moved, abs=1e-6)
            checked += 1
        before = {trip: (lanes, where[trip]) for trip, lanes in on.items()}
        driven = engine.totals().total_distance_m[0]
    assert checked > 0


def run_batch(world: World, *, members: list[int], threads: int) -> list[list[bytes]]:
    """Final totals and positions, as bytes, of replicas with different trips and priorities."""
    engine = Engine(world.network, world.demand, replicas=len(members), threads=threads, lane_change=True)
    engine.reset([release_trips(world.network, world.demand, horizon_s=SECONDS, seed=m) for m in members], members)
    for green in world.greens(SECONDS):
        engine.state.green[:] = green
        engine.advance(1)
    totals = engine.totals()
    return [
        [column[b].tobytes() for column in totals] + [column.tobytes() for column in engine.positions(b)]
        for b in range(len(members))
    ]


@settings(max_examples=4)
@given(worlds)
def test_same_seed_same_bytes_on_any_number_of_threads_and_anywhere_in_a_batch(world):
    members = [0, 1, 2]
    alone = [run_batch(world, members=[m], threads=1)[0] for m in members]
    assert run_batch(world, members=members, threads=1) == alone
    assert run_batch(world, members=members, threads=2) == alone
    assert run_batch(world, members=members[::-1], threads=2) == alone[::-1]


@few
@given(st.sampled_from(single_lane_seeds(SINGLE_LANE_WORLDS)))
def test_with_one_lane_each_way_lane_changing_finds_nothing_to_do(seed):
    """Nobody may change where there is no lane beside: the same bytes as without."""
    world = random_world(seed)
    on, off = started(world), started(world, lane_change=False)
    for now, then in zip(drive(on, world), drive(off, world), strict=True):
        assert [column.tobytes() for column in now] == [column.tobytes() for column in then]


@few
@given(worlds)
def test_nobody_changes_lanes_before_the_third_second(world):
    on, off = started(world), started(world, lane_change=False)
    for now, then in zip(drive(on, world, FIRST_CHANGE_S), drive(off, world, FIRST_CHANGE_S), strict=True):
        assert [column.tobytes() for column in now] == [column.tobytes() for column in then]


def test_switched_off_there_is_nothing_of_it_in_the_engine():
    world = random_world(BUSY)
    engine = started(world, lane_change=False)
    assert engine.changes is None
    assert engine.trips.release.shape == (1, len(world.trips))
    assert all(len(on) == 1 for now in drive(engine, world) for on in lanes_of(now).values())
