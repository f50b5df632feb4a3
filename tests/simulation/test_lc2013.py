"""SUMO's drivers change lanes along a road: to the right where it is free, to where it is faster, and to their turn."""

from pathlib import Path

import numpy as np
import pytest
from network import sumo_small as small

from intergreen.envs.demand import read_sumo_demand, release_trips
from intergreen.envs.demand.sumo import Given, Window
from intergreen.envs.network import RoadNetwork, read_sumo_network
from intergreen.envs.simulation import Engine

CAR = '<vType id="car" sigma="0" speedDev="0"/>'
SLOW = '<vType id="slow" sigma="0" speedDev="0" maxSpeed="3"/>'
STRAIGHT = "".join(f'<connection from="e0" to="e1" fromLane="{k}" toLane="{k}"/>' for k in range(2))
LEFT, RIGHT = 0, 1  # our lanes count from the left


def fork(x: float) -> str:
    """From the right lane (0) of e1 to e2 alone, from the left one (1) to e3, which begins at `x`, alone."""
    return (
        f'<edge id="e3" from="n2" to="n4"><lane id="e3_0" index="0" speed="10" length="50" shape="{x},9 {x + 50},9"/>'
        f'</edge><junction id="n4" x="{x + 50}" y="9"/>{STRAIGHT}'
        '<connection from="e1" to="e2" fromLane="0" toLane="0"/><connection from="e1" to="e3" fromLane="1" toLane="0"/>'
    )


def street(
    folder: Path, lengths_m: list[float], connections: str = STRAIGHT, lanes: tuple[int, ...] = (2, 2)
) -> RoadNetwork:
    path = folder / "small.net.xml"
    path.write_text(small.street(lanes, lengths_m, connections))
    return read_sumo_network(path)


def engine_of(folder: Path, network: RoadNetwork, *trips: str, types: str = CAR + SLOW, seed: int = 0) -> Engine:
    """Everything green; a trip is "type second from to", the seconds ascending."""
    rows = [
        '<trip id="{}" type="{}" depart="{}" from="{}" to="{}"/>'.format(k, *trip.split())
        for k, trip in enumerate(trips)
    ]
    path = folder / "small.rou.xml"
    path.write_text(small.routes(types, *rows))
    demand = read_sumo_demand([path], network, Given(Window(0, 600)))
    engine = Engine(network, demand)
    engine.reset([release_trips(network, demand, horizon_s=600, seed=seed)], [seed])
    engine.green[:] = 1
    return engine


def lane_of(engine: Engine, trip: int) -> int:
    """From the left, of a trip that is on a lane; -1 where it is not."""
    seen = engine.positions()
    for drivable in seen.drivable[seen.trip == trip].tolist():
        if drivable < engine.network.n_lanes:
            return int(engine.network.lane_index[drivable])
    return -1


def begins_on_the_left(engine: Engine) -> None:
    """A second in which the right lane of the first road is closed."""
    right = int(engine.network.road_lane_start[0]) + RIGHT
    engine.close_lane(right)
    engine.advance(1)
    engine.reopen_lane(right)
    assert lane_of(engine, 0) == LEFT


def test_who_has_a_free_road_goes_to_the_right_and_stays_there(tmp_path):
    engine = engine_of(tmp_path, street(tmp_path, [900, 100]), "car 0 e0 e1")
    begins_on_the_left(engine)
    engine.advance(40)
    assert lane_of(engine, 0) == RIGHT
    engine.advance(40)
    assert lane_of(engine, 0) == RIGHT


def test_a_slow_one_on_the_right_is_passed_on_the_left(tmp_path):
    """It takes 300 s; on one lane everybody behind it would, too."""
    engine = engine_of(
        tmp_path, street(tmp_path, [900, 100]), "slow 0 e0 e1", *[f"car {10 + 5 * k} e0 e1" for k in range(6)]
    )
    engine.advance(200)
    assert int(engine.totals().finished[0]) == 6
    assert engine.totals().overlaps[0] == 0
    assert lane_of(engine, 0) == RIGHT


def test_on_one_lane_nobody_passes(tmp_path):
    one_lane = '<connection from="e0" to="e1" fromLane="0" toLane="0"/>'
    network = street(tmp_path, [900, 100], one_lane, (1, 1))
    engine = engine_of(tmp_path, network, "slow 0 e0 e1", "car 10 e0 e1")
    engine.advance(200)
    assert int(engine.totals().finished[0]) == 0


def test_nobody_goes_to_a_lane_that_is_closed(tmp_path):
    engine = engine_of(tmp_path, street(tmp_path, [900, 100]), "car 0 e0 e1")
    begins_on_the_left(engine)
    engine.close_lane(int(engine.network.road_lane_start[0]) + RIGHT)
    engine.advance(60)
    assert lane_of(engine, 0) == LEFT


@pytest.mark.parametrize(("length_m", "lane"), [(900, RIGHT), (120, LEFT)])
def test_a_driver_who_turns_off_to_the_left_leaves_that_lane_only_far_before(tmp_path, length_m, lane):
    network = street(tmp_path, [length_m, length_m, 50], fork(2 * length_m), (2, 2, 1))
    engine = engine_of(tmp_path, network, "car 0 e0 e3")
    begins_on_the_left(engine)
    lanes = []
    for _ in range(length_m // 10):
        engine.advance(1)
        lanes.append(lane_of(engine, 0))
    assert (RIGHT in lanes) == (lane == RIGHT)
    engine.advance(200)
    assert int(engine.totals().finished[0]) == 1


def test_a_queue_is_joined_where_it_is_shorter(tmp_path):
    """Ten who all begin on the right stand on both lanes of a red light at last, nobody on top of another."""
    engine = engine_of(tmp_path, street(tmp_path, [400, 100]), *[f"car {4 * k} e0 e1" for k in range(10)])
    engine.green[:] = 0
    engine.advance(150)
    lanes = [lane_of(engine, k) for k in range(10)]
    assert 3 <= lanes.count(LEFT) <= 6
    assert engine.totals().overlaps[0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_who_changes_makes_nobody_brake_harder_than_it_may_and_nobody_is_lost(tmp_path, seed):
    """Slow ones and fast ones that dawdle, on two roads of two lanes with a signal that changes between them."""
    types = '<vType id="car" sigma="0.5"/><vType id="slow" sigma="0.5" maxSpeed="6"/>'
    random = np.random.default_rng(seed)
    trips = [f"{random.choice(['car', 'slow'], p=[0.8, 0.2])} {2 * k} e0 e1" for k in range(120)]
    engine = engine_of(tmp_path, street(tmp_path, [300, 250]), *trips, types=types, seed=seed)
    hardest, changes, before = 0.0, 0, {}
    for second in range(600):
        engine.green[:] = second // 20 % 2
        engine.advance(1)
        seen = engine.positions()
        now = dict(zip(seen.trip.tolist(), zip(seen.drivable.tolist(), seen.speed.tolist(), strict=True), strict=True))
        assert len(now) == len(seen.trip)
        for trip in now.keys() & before.keys():
            hardest = max(hardest, before[trip][1] - now[trip][1])
            changes += abs(before[trip][0] - now[trip][0]) == 1
        before = now
    assert (int(engine.totals().finished[0]), int(engine.totals().overlaps[0])) == (120, 0)
    assert hardest <= 4.5 + 1e-9
    assert changes > 60


def test_a_copy_goes_on_alike_with_the_wishes_of_its_drivers(tmp_path):
    network = street(tmp_path, [300, 250, 50], fork(550), (2, 2, 1))
    trips = [f"{'slow' if k % 5 == 0 else 'car'} {2 * k} e0 e{2 + k % 2}" for k in range(60)]
    engine = engine_of(tmp_path, network, *trips)
    engine.advance(60)
    copy = engine.fork(1)
    copy.copy_from(engine, np.zeros(1, np.int32))
    for one in (engine, copy):
        one.advance(60)
    assert np.array_equal(engine.positions().distance, copy.positions().distance)
    assert np.array_equal(engine.state.wishes, copy.state.wishes)
