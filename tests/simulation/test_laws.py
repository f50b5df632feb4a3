"""What must hold in any network, under any demand and any signals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.merge import merge_network, one_car_each
from simulation.twin import Twin
from simulation.worlds import HORIZON_S, World, random_world

from intergreen.envs.demand import ODSpec, generate_demand, release_trips
from intergreen.envs.network import ArterialSpec, generate_arterial
from intergreen.envs.simulation import CapacityError, Engine

SECONDS = HORIZON_S
worlds = st.builds(random_world, st.integers(1000, 100_000))
few = settings(max_examples=15)


def started(world: World, *, seed: int = 0) -> Engine:
    engine = Engine(world.network, world.demand)
    engine.reset([world.trips], [seed])
    return engine


def drive(engine: Engine, greens: np.ndarray):
    """Advance through the rows of `greens`, yielding after each second."""
    for green in greens:
        engine.state.green[:] = green
        engine.advance(1)
        yield green


def places(engine: Engine, replica: int = 0) -> dict[int, tuple[int, float, float]]:
    columns = [column.tolist() for column in engine.positions(replica)]
    return {trip: place for trip, *place in zip(*columns, strict=True)}


def lines(engine: Engine) -> dict[int, list[int]]:
    """Drivable -> its trips, front first."""
    out: dict[int, list[int]] = {}
    for trip, (drivable, _, _) in places(engine).items():
        out.setdefault(drivable, []).append(trip)
    return out


def who_was_passed_over(engine: Engine) -> int:
    """Drivers in queues whose speeds the next second need not work out, if the one ahead of them stands on."""
    return int((engine.state.asleep_past - engine.state.asleep_first).sum())


def could_stop(world: World, trip: int, rest_m: float, speed: float) -> bool:
    return 0.5 * speed * speed / world.demand.types[world.trips.type[trip]].max_decel_mps2 <= rest_m


def paths_of(world: World) -> list[list[int]]:
    return [vehicle.path for vehicle in Twin(world.network, world.demand, world.trips, world.priorities(0)).to_release]


@few
@given(worlds)
def test_vehicles_are_conserved_every_second(world):
    engine = started(world)
    for t, _ in enumerate(drive(engine, world.greens(SECONDS)), start=1):
        totals = engine.totals()
        assert totals.released[0] == np.count_nonzero(world.trips.release_s < t)
        assert totals.released[0] == totals.finished[0] + totals.running[0] + totals.waiting_outside[0]
        assert totals.entered[0] == totals.finished[0] + totals.running[0]
        assert totals.running[0] == len(engine.positions(0).trip)
        counts = engine.counts(np.zeros(world.network.n_lanes), np.zeros((world.network.n_lanes, 1)))
        assert totals.running[0] == counts.vehicles.sum() + engine.link_counts().vehicles.sum()


@few
@given(worlds)
def test_vehicles_keep_their_order_on_a_lane(world):
    engine = started(world)
    before = lines(engine)
    for _ in drive(engine, world.greens(SECONDS)):
        now = lines(engine)
        for drivable, line in now.items():
            old = before.get(drivable, [])
            stayed = [trip for trip in old if trip in set(line)]
            assert line[: len(stayed)] == stayed, f"drivable {drivable} at second {engine.time_s}"
        before = now


@few
@given(st.integers(0, 100_000))
def test_nobody_runs_into_the_vehicle_ahead_where_no_streams_merge(seed):
    network = generate_arterial(ArterialSpec(signals=3, spacing_m=150.0, main_lanes=1, side_lanes=1))
    demand = generate_demand(network, ODSpec({("road_0_1_0", "road_3_1_0"): 400.0}, horizon_s=SECONDS), seed=seed)
    world = World(network, demand, release_trips(network, demand, horizon_s=SECONDS, seed=seed), seed)
    engine = started(world)
    for _ in drive(engine, world.greens(SECONDS)):
        where = places(engine)
        for line in lines(engine).values():
            front = np.array([where[trip][1] for trip in line])
            assert (front[:-1] - demand.types[0].length_m >= front[1:]).all()
    assert engine.totals().finished[0] > 0
    assert engine.totals().overlaps[0] == 0


@few
@given(worlds)
def test_only_who_cannot_stop_enters_on_red_and_is_counted(world):
    engine = started(world)
    network, paths = world.network, paths_of(world)
    length = np.concatenate([network.lane_length_m, network.link_length_m])
    before, counted = places(engine), 0
    for green in drive(engine, world.greens(SECONDS)):
        now = places(engine)
        for trip, (drivable, distance, speed) in before.items():
            path = paths[trip]
            end = path.index(now[trip][0]) if trip in now else len(path)
            for passed in path[path.index(drivable) + 1 : end + 1]:
                if passed >= network.n_lanes and not green[network.link_movement[passed - network.n_lanes]]:
                    counted += 1
                    assert not could_stop(world, trip, length[drivable] - distance, speed), (engine.time_s, trip)
        before = now
    assert engine.totals().red_entries[0] == counted


@few
@given(worlds)
def test_a_closed_lane_admits_nobody_who_can_stop(world):
    engine = started(world)
    network, paths = world.network, paths_of(world)
    closed = range(0, network.n_lanes, 3)
    for lane in closed:
        engine.close_lane(lane)
    before = places(engine)
    for _ in drive(engine, world.greens(SECONDS)):
        now = places(engine)
        for trip, (drivable, _, _) in now.items():
            if drivable in closed:
                assert trip in before, f"trip {trip} entered the network on a closed lane"
        for trip, (drivable, distance, speed) in before.items():
            step = paths[trip].index(drivable)
            ahead = paths[trip][step + 2] if step + 2 < len(paths[trip]) else None
            entered_link = trip in now and drivable < network.n_lanes and now[trip][0] != drivable
            if entered_link and ahead in closed:
                assert not could_stop(world, trip, network.lane_length_m[drivable] - distance, speed)
        before = now


def test_a_reopened_lane_is_used_again():
    world = random_world(0)
    engine = started(world)
    lane = int(world.trips.start_lane[0])
    greens = world.greens(SECONDS)
    engine.close_lane(lane)
    used_while_closed = any(lane in lines(engine) for _ in drive(engine, greens[:60]))
    engine.reopen_lane(lane)
    used_afterwards = any(lane in lines(engine) for _ in drive(engine, greens[60:]))
    assert not used_while_closed
    assert used_afterwards


@few
@given(worlds, st.floats(1.0, 8.0))
def test_a_speed_limit_changed_in_a_run_holds_from_then_on(world, limit):
    engine = started(world)
    lanes = range(world.network.n_lanes)
    before: dict[int, tuple[int, float, float]] = {}
    for t, _ in enumerate(drive(engine, world.greens(SECONDS))):
        now = places(engine)
        for trip, (drivable, _, speed) in now.items():
            stayed = trip in before and before[trip][0] == drivable
            if t > SECONDS // 3 and stayed and drivable in lanes:
                hardest = before[trip][2] - world.demand.types[world.trips.type[trip]].max_decel_mps2
                assert speed <= limit or speed == hardest
        if t == SECONDS // 3:
            for lane in lanes:
                engine.set_speed_limit(lane, limit)
        before = now


def run_batch(world: World, *, members: list[int], threads: int) -> list[list[bytes]]:
    """Final totals and positions, as bytes, of replicas with different trips, greens and priorities."""
    engine = Engine(world.network, world.demand, replicas=len(members), threads=threads)
    trips = [release_trips(world.network, world.demand, horizon_s=HORIZON_S - 30 * m, seed=m) for m in members]
    engine.reset(trips, members)
    greens = [World(world.network, world.demand, world.trips, m).greens(SECONDS) for m in members]
    for t in range(0, SECONDS, 5):
        for b, rows in enumerate(greens):
            engine.state.green[b] = rows[t]
        engine.advance(5)
    totals = engine.totals()
    return [
        [np.ascontiguousarray(column[b]).tobytes() for column in totals]
        + [column.tobytes() for column in engine.positions(b)]
        for b in range(len(members))
    ]


@settings(max_examples=5)
@given(worlds)
def test_same_seed_same_bytes_on_any_number_of_threads_and_anywhere_in_a_batch(world):
    members = [0, 1, 2, 3]
    alone = [run_batch(world, members=[m], threads=1)[0] for m in members]
    assert run_batch(world, members=members, threads=1) == alone
    assert run_batch(world, members=members, threads=2) == alone
    assert run_batch(world, members=members[::-1], threads=2) == alone[::-1]
    assert run_batch(world, members=[2, 2, 2], threads=2) == [alone[2]] * 3
    assert len({tuple(member) for member in alone}) > 1


def test_of_two_cars_that_arrive_at_the_same_point_the_later_trip_is_ahead():
    # CityFlow leaves the order to its memory layout; newyork_16x3 under mp holds one such pair, at second 3137.
    network = merge_network(2, exit_m=200.0)
    demand, trips = one_car_each(network)
    engine = Engine(network, demand)
    engine.reset([trips], [0])
    twin = Twin(network, demand, trips, [0, 1])
    out = network.n_lanes - 1
    for _ in range(14):
        engine.state.green[0] = 1
        engine.advance(1)
        twin.step([True, True])
        assert places(engine) == {trip: list(place) for trip, place in twin.positions().items()}
        assert lines(engine).get(out, [1, 0]) == [1, 0]
    assert out in lines(engine)
    assert engine.totals().overlaps[0] == twin.overlaps == 1


def test_running_out_of_room_is_an_error_that_names_the_lane():
    network = merge_network(14, exit_m=10.0)
    demand, trips = one_car_each(network)
    engine = Engine(network, demand)
    engine.reset([trips], [0])
    engine.state.green[0] = 1
    with pytest.raises(CapacityError, match="lane out_0 is full"):
        engine.advance(30)


def test_an_overflow_in_one_replica_is_an_error_of_the_batch():
    network = merge_network(14, exit_m=10.0)
    demand, trips = one_car_each(network)
    nobody = type(trips)(
        *(column[:0].copy() for column in (trips.release_s, trips.route, trips.type, trips.start_lane))
    )
    engine = Engine(network, demand, replicas=3, threads=2)
    engine.reset([nobody, nobody, trips], [0, 0, 0])
    engine.state.green[:] = 1
    with pytest.raises(CapacityError, match=r"lane out_0 is full.*replica 2"):
        engine.advance(30)


@few
@given(st.integers(1000, 100_000))
def test_passing_over_queues_changes_no_number(seed):
    """A second engine looks at everybody in every second."""
    world = random_world(seed)
    quick, thorough = started(world), started(world)
    passed_over = 0
    for green in world.greens(SECONDS):
        for engine in (quick, thorough):
            engine.state.green[:] = green
        thorough.state.asleep_past[:] = thorough.state.asleep_first
        passed_over += who_was_passed_over(quick)
        for engine in (quick, thorough):
            engine.advance(1)
        for mine, other in zip(quick.positions(), thorough.positions(), strict=True):
            np.testing.assert_array_equal(mine, other)
    for mine, other in zip(quick.totals(), thorough.totals(), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(quick.state.waited, thorough.state.waited)
    np.testing.assert_array_equal(quick.state.blocked_at, thorough.state.blocked_at)
    assert passed_over > 0 or thorough.totals().halted[0] < 10
