"""Trips driven alone: what one engine run after another gives, and nothing is left over from the trip before."""

import numpy as np
import pytest
from simulation.worlds import random_world

from intergreen.envs.demand import Trips
from intergreen.envs.simulation import Engine
from intergreen.envs.simulation.alone import drive_alone

HORIZON_S = 200


def one_by_one(world):
    """The totals of every trip in a network of its own, all green, at the horizon."""
    totals = []
    for trip in range(len(world.trips)):
        engine = Engine(world.network, world.demand)
        part = slice(trip, trip + 1)
        alone = Trips(
            world.trips.release_s[part], world.trips.route[part], world.trips.type[part], world.trips.start_lane[part]
        )
        engine.reset([alone], [0])
        engine.green[:] = 1
        engine.advance(HORIZON_S)
        totals.append(engine.totals())
    return {name: np.array([getattr(one, name)[0] for one in totals]) for name in totals[0]._fields}


@pytest.mark.parametrize("seed", range(6))
def test_every_trip_is_driven_as_in_a_network_of_its_own(seed):
    world = random_world(seed)
    trips = world.trips
    keep = trips.release_s < HORIZON_S
    world = type(world)(
        world.network, world.demand,
        Trips(trips.release_s[keep][:60], trips.route[keep][:60], trips.type[keep][:60], trips.start_lane[keep][:60]),
        seed,
    )  # fmt: skip
    alone, expected = drive_alone(world.network, world.demand, world.trips, horizon_s=HORIZON_S), one_by_one(world)
    np.testing.assert_array_equal(alone.travel_s, expected["sum_travel_time_s"])
    np.testing.assert_array_equal(alone.finished, expected["finished"])
    np.testing.assert_array_equal(alone.approached, expected["approach_vehicles"])
    np.testing.assert_array_equal(alone.approach_s, expected["approach_time_s"])
    np.testing.assert_array_equal(alone.approach_literature_s, expected["approach_time_literature_s"])
    np.testing.assert_array_equal(alone.inside_s, expected["total_time_s"])
    np.testing.assert_array_equal(alone.stops, expected["stops"])
    np.testing.assert_allclose(alone.time_loss_s, expected["time_loss_s"], atol=1e-6)
    np.testing.assert_allclose(alone.distance_m, expected["total_distance_m"], atol=1e-6)
    assert (alone.whole_travel_s >= alone.travel_s).all()
    assert (alone.approach_span_s >= alone.approach_s).all()
