"""Random road topologies without geometry, on which no paths meet: all that controllers and plans read of a network."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from intergreen.agents.controllers import Setup
from intergreen.envs.network import RoadNetwork
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals import SignalStatus


def starts(sizes):
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


class Topology(SimpleNamespace):
    """Nobody's path meets another's, so any movements may be green together."""

    phase_matrix = RoadNetwork.phase_matrix
    movements_of = RoadNetwork.movements_of
    start_lanes = RoadNetwork.start_lanes
    start_lanes_by_movement = RoadNetwork.start_lanes_by_movement

    @property
    def n_phases(self) -> int:
        return int(self.phase_start[-1])

    def conflict_matrix(self, intersection: int) -> np.ndarray:
        n = self.movement_start[intersection + 1] - self.movement_start[intersection]
        return np.zeros((n, n), np.bool_)


def random_topology(seed: int, n_intersections: int = 4) -> Topology:
    """Roads of 1-4 lanes, movements of 1-5 links that may share lanes, phases of 0-3 movements; every turn occurs.

    What no phase serves, the last one does.
    """
    rng = np.random.default_rng(seed)
    lanes_of_road = rng.integers(1, 5, size=6)
    road_lane_start = starts(lanes_of_road)
    n_movements, n_phases = rng.integers(1, 9, size=n_intersections), rng.integers(1, 10, size=n_intersections)
    movement_start = starts(n_movements)
    from_road, to_road = rng.integers(0, 6, size=(2, n_movements.sum()))
    links_of_movement = rng.integers(1, 6, size=n_movements.sum())
    phases = [
        np.sort(
            rng.choice(np.arange(movement_start[j], movement_start[j + 1]), min(size, n_movements[j]), replace=False)
        )
        for j in range(n_intersections)
        for size in rng.integers(0, 4, size=n_phases[j])
    ]
    phase_start = starts(n_phases)
    for j in range(n_intersections):
        of_intersection = np.arange(movement_start[j], movement_start[j + 1])
        served = np.concatenate(phases[phase_start[j] : phase_start[j + 1]])
        last = phase_start[j + 1] - 1
        phases[last] = np.union1d(phases[last], np.setdiff1d(of_intersection, served))
    return Topology(
        name="random",
        conventions="cityflow",
        conflict_permitted=np.zeros(0, np.bool_),
        programme_elapsed_s=np.zeros(n_intersections),
        intersection_ids=tuple(f"j{j}" for j in range(n_intersections)),
        road_ids=tuple(f"r{r}" for r in range(6)),
        n_lanes=int(lanes_of_road.sum()),
        n_movements=int(n_movements.sum()),
        road_lane_start=road_lane_start,
        lane_speed_limit_mps=np.full(lanes_of_road.sum(), 11.111),
        lane_length_m=np.full(lanes_of_road.sum(), 300.0),
        lane_index=np.concatenate([np.arange(n, dtype=np.int32) for n in lanes_of_road]),
        lane_width_m=np.full(lanes_of_road.sum(), 3.2),
        lane_point_start=starts([2] * lanes_of_road.sum()),
        lane_points=np.zeros((2 * lanes_of_road.sum(), 2)),
        movement_start=movement_start,
        movement_intersection=np.repeat(np.arange(n_intersections), n_movements).astype(np.int32),
        movement_from_road=from_road,
        movement_to_road=to_road,
        movement_turn=rng.integers(1, 4, size=n_movements.sum()).astype(np.int8),
        n_intersections=n_intersections,
        n_roads=6,
        road_from=np.zeros(6, np.int32),
        road_to=np.arange(6, dtype=np.int32) % n_intersections,
        movement_link_start=starts(links_of_movement),
        link_from_lane=np.concatenate(
            [
                road_lane_start[road] + rng.integers(0, lanes_of_road[road], size=n_links)
                for road, n_links in zip(from_road, links_of_movement, strict=True)
            ]
        ).astype(np.int32),
        link_movement=np.repeat(np.arange(n_movements.sum(), dtype=np.int32), links_of_movement),
        link_to_lane=np.repeat(road_lane_start[to_road], links_of_movement).astype(np.int32),
        link_length_m=np.full(links_of_movement.sum(), 20.0),
        crossing_start=np.zeros(links_of_movement.sum() + 1, np.int32),
        crossing_foe_link=np.zeros(0, np.int32),
        crossing_distance_m=np.zeros(0),
        crossing_foe_distance_m=np.zeros(0),
        conflict_start=np.zeros(n_movements.sum() + 1, np.int32),
        conflict_with=np.zeros(0, np.int32),
        phase_start=phase_start,
        phase_duration_s=rng.uniform(0.3, 9.0, size=n_phases.sum()),
        phase_movement_start=starts([len(phase) for phase in phases]),
        phase_movements=np.concatenate(phases).astype(np.int32),
        signalled=np.flatnonzero(n_phases >= 2).astype(np.int32),
    )


@pytest.fixture(scope="session")
def topology() -> Callable[..., Topology]:
    return random_topology


@pytest.fixture(scope="session")
def setup_of() -> Callable[..., Setup]:
    def build(network: Topology, *, protocol: str = "literature-10-5", n_replicas: int = 3) -> Setup:
        timing = protocol_by_name(protocol)
        return Setup(network, timing.plan(network), timing, n_replicas)

    return build


@pytest.fixture(scope="session")
def signals_of() -> Callable[..., SignalStatus]:
    """What signals tell that have shown `phase` (B, I) for a second and would grant any other."""

    def build(setup: Setup, phase: np.ndarray) -> SignalStatus:
        n_replicas = len(phase)
        return SignalStatus(
            phase=phase,
            green_s=np.ones_like(phase),
            red_s=np.zeros((n_replicas, setup.network.n_movements), np.int32),
            granted=np.ones((n_replicas, setup.network.n_phases), np.uint8),
            overruled=np.zeros_like(phase),
        )

    return build


@pytest.fixture(scope="session")
def random_counts() -> Callable[..., SimpleNamespace]:
    """Few vehicles, so that equal scores are common."""

    def draw(seed: int, network: Topology, n_replicas: int = 3) -> SimpleNamespace:
        waiting, near = (
            np.random.default_rng(seed).integers(0, 4, size=(2, n_replicas, network.n_lanes)).astype(np.int32)
        )
        arriving = np.zeros((n_replicas, network.n_lanes, N_BINS), np.int32)
        arriving[:, :, 1] = near
        arriving[:, ::2] = arriving[:, ::2, [1, 0, *range(2, N_BINS)]]  # every other lane's are next to the stop line
        return SimpleNamespace(
            waiting=waiting, near=near, vehicles=waiting + near, mean_speed=near * 1.0, arriving=arriving
        )

    return draw
