"""The compiled engine against its plain-Python twin: every vehicle, every second, equal to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from simulation.reference_runs import load_world, reference_folders, run
from simulation.twin import Twin
from simulation.worlds import HORIZON_S, World, random_world

from intergreen.envs.simulation import Engine

SECONDS = HORIZON_S + 60


def pair(world: World, *, seed: int = 3) -> tuple[Engine, Twin]:
    engine = Engine(world.network, world.demand)
    engine.reset([world.trips], [seed])
    return engine, Twin(world.network, world.demand, world.trips, world.priorities(seed))


def positions(engine: Engine) -> dict[int, tuple[int, float, float]]:
    columns = [column.tolist() for column in engine.positions(0)]
    return {trip: (drivable, distance, speed) for trip, drivable, distance, speed in zip(*columns, strict=True)}


def assert_same_second(engine: Engine, twin: Twin) -> None:
    mine, theirs = positions(engine), twin.positions()
    different = {trip for trip in mine | theirs if mine.get(trip) != theirs.get(trip)}
    trip = min(different, default=-1)
    assert not different, (
        f"second {twin.time_s}: {len(different)} vehicles differ; "
        f"trip {trip}: engine {mine.get(trip)}, twin {theirs.get(trip)}"
    )


@pytest.mark.parametrize("seed", range(16))
def test_every_vehicle_is_where_the_twin_has_it(seed):
    world = random_world(seed)
    engine, twin = pair(world)
    for green in world.greens(SECONDS):
        engine.state.green[0] = green
        engine.advance(1)
        twin.step(green)
        assert_same_second(engine, twin)
    totals = engine.totals()
    assert totals.released[0] == twin.released
    assert totals.finished[0] == twin.finished > 0
    assert totals.waiting_outside[0] == twin.waiting_outside
    assert totals.halted[0] == twin.halted
    assert totals.sum_travel_time_s[0] / totals.released[0] == twin.average_travel_time_s
    assert totals.red_entries[0] == twin.red_entries
    assert totals.sum_speed[0] == pytest.approx(twin.sum_speed, rel=1e-12)  # summed in another order
    assert totals.sum_distance_on_drivable[0] == pytest.approx(twin.sum_distance, rel=1e-12)


@pytest.mark.parametrize("seed", [3, 12, 39, 146, 171])  # 39, 146, 171: arrivals that sort in ahead of one another
def test_overlaps_are_the_arrivals_on_top_of_the_vehicle_ahead(seed):
    world = random_world(seed)
    engine, twin = pair(world)
    for green in world.greens(SECONDS):
        engine.state.green[0] = green
        engine.advance(1)
        twin.step(green)
    assert engine.totals().overlaps[0] == twin.overlaps


def test_worlds_meet_what_makes_the_rules_hard():
    """The worlds above overlap, run out of green too late to stop, and leave vehicles waiting outside."""
    twins = []
    for seed in range(4):
        world = random_world(seed)
        twin = Twin(world.network, world.demand, world.trips, world.priorities(3))
        for green in world.greens(SECONDS):
            twin.step(green)
        twins.append(twin)
    assert sum(twin.overlaps for twin in twins) > 0
    assert sum(twin.red_entries for twin in twins) > 0
    assert sum(twin.waiting_outside for twin in twins) > 0


@pytest.mark.parametrize("seed", range(16, 20))
def test_closed_lanes_and_changed_limits_act_as_in_the_twin(seed):
    world = random_world(seed)
    engine, twin = pair(world)
    lanes = [0, world.network.n_lanes // 2, world.network.n_lanes - 1]
    for t, green in enumerate(world.greens(SECONDS)):
        if t == 40:
            for lane in lanes:
                engine.close_lane(lane)
                engine.set_speed_limit(lane, 4.0)
                twin.lane_limit_mps[lane] = 4.0
            twin.closed_lanes = set(lanes)
        if t == 120:
            for lane in lanes:
                engine.reopen_lane(lane)
            twin.closed_lanes = set()
        engine.state.green[0] = green
        engine.advance(1)
        twin.step(green)
        assert_same_second(engine, twin)


@pytest.mark.skipif(not reference_folders(), reason="INTERGREEN_DATA is not set: no real benchmark networks here")
@pytest.mark.parametrize("folder", reference_folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("control", ["fixed", "mp"])
def test_every_vehicle_of_a_real_network_is_where_the_twin_has_it(folder: Path, control: str):
    world = load_world(folder)
    trips = world.trips()
    twin = Twin(world.network, world.demand, trips, np.random.default_rng(0).permutation(len(trips)).tolist())
    for core in run(world, control, stops=list(range(1, 201))):
        twin.step(core.engine.state.green[0])
        assert_same_second(core.engine, twin)
    assert len(twin.running) > 0
