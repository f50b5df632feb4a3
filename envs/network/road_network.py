"""The road network as immutable arrays. Knows nothing of files, vehicles or time; needs NumPy only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intergreen.envs.arrays import BoolArray, FloatArray, IntArray, ReadOnlyRecord
from intergreen.envs.errors import InputError

TURN_RIGHT, TURN_LEFT, STRAIGHT = 1, 2, 3  # in CityFlow also the right of way where paths cross: higher goes first
TURN_SPEED_MPS = 8.3333  # CityFlow's: no driver turns faster
YIELD_DISTANCE_M = 5.0  # CityFlow's: a yielding driver stops this far before the crossing point
LINK_SPEED_LIMIT_MPS = 1e4  # CityFlow's: only the turn speed slows a driver inside a junction


Conventions = Literal["cityflow", "sumo"]


@dataclass(frozen=True, slots=True, eq=False)
class RoadNetwork(ReadOnlyRecord):
    """One road network; every array is contiguous and read-only.

    Axes: J intersections, R roads, L lanes, M movements, K lane links, P phases, X crossings. An array called
    ``a_start`` has one entry more than its axis: item ``i`` owns ``a[a_start[i]:a_start[i + 1]]``.
    Movements, links and phases are numbered by intersection, then as the source lists them; the lanes of a road
    are consecutive and lane 0 is the leftmost. Metres, seconds.

    By CityFlow's conventions the phases are the whole programme, clearances included; a driver takes the lane nearest
    to the own and minds the next junction only. In networks from SUMO the phases are the greens, and a phase's time
    has the clearance before it in it; drivers spread over the lanes that lead on and mind every junction within sight.
    """

    name: str
    intersection_ids: tuple[str, ...]
    intersection_xy: FloatArray  # (J, 2)
    intersection_width_m: FloatArray  # (J,)
    is_virtual: BoolArray  # (J,) the edge of the network: no signal, no junction area
    intersection_road_start: IntArray  # (J + 1,)
    intersection_roads: IntArray  # roads that touch it, in the source's order (decides ties between equal routes)

    road_ids: tuple[str, ...]
    road_from: IntArray  # (R,) intersection
    road_to: IntArray  # (R,) intersection
    road_length_m: FloatArray  # (R,) mean of its lanes
    road_lane_start: IntArray  # (R + 1,)

    lane_road: IntArray  # (L,)
    lane_index: IntArray  # (L,) within its road
    lane_length_m: FloatArray  # (L,)
    lane_speed_limit_mps: FloatArray  # (L,)
    lane_width_m: FloatArray  # (L,)
    lane_link_start: IntArray  # (L + 1,)
    lane_links: IntArray  # (K,) links that leave the lane, in creation order
    lane_point_start: IntArray  # (L + 1,)
    lane_points: FloatArray  # (., 2)

    movement_start: IntArray  # (J + 1,)
    movement_intersection: IntArray  # (M,)
    movement_from_road: IntArray  # (M,)
    movement_to_road: IntArray  # (M,)
    movement_turn: NDArray[np.int8]  # (M,) TURN_RIGHT, TURN_LEFT or STRAIGHT
    movement_link_start: IntArray  # (M + 1,)

    link_movement: IntArray  # (K,)
    link_from_lane: IntArray  # (K,)
    link_to_lane: IntArray  # (K,)
    link_length_m: FloatArray  # (K,)
    link_speed_limit_mps: FloatArray  # (K,) on the link
    link_entry_speed_mps: FloatArray  # (K,) nobody drives onto it faster
    link_changes_lane: BoolArray  # (K,) stands for a connection of the source and a lane change behind it
    link_keeps_clear: BoolArray  # (K,) who drives on waits until there is room behind the junction, where others cross
    link_penalty_s: FloatArray  # (K,) what choosing a route adds to the time that driving it takes
    link_point_start: IntArray  # (K + 1,)
    link_points: FloatArray  # (., 2)

    crossing_start: IntArray  # (K + 1,) crossings of a link, nearest to its start first
    crossing_distance_m: FloatArray  # (X,) along the link
    crossing_foe_link: IntArray  # (X,) the other link
    crossing_foe_distance_m: FloatArray  # (X,) along the other link
    crossing_setback_m: FloatArray  # (X,) before the crossing, where drivers of the link wait for those of the other
    crossing_foe_setback_m: FloatArray  # (X,) the same for drivers of the other link
    crossing_right: NDArray[np.int8]  # (X,) 1: the link goes first, -1: the other one, 0: neither has the right of way

    conflict_start: IntArray  # (M + 1,)
    conflict_with: IntArray  # movements that cross or merge with it; ascending, symmetric
    conflict_permitted: BoolArray  # may the two be green together, because one yields; empty: by their kinds of turn

    phase_start: IntArray  # (J + 1,)
    phase_duration_s: FloatArray  # (P,) in the source's own programme
    phase_movement_start: IntArray  # (P + 1,)
    phase_movements: IntArray  # movements with green, numbered over the whole network
    programme_elapsed_s: FloatArray  # (J,) of the programme when the clock stands at 0

    road_is_connector: BoolArray = field(  # (R,) trips begin behind it and end before it; empty: none is
        default_factory=lambda: np.zeros(0, np.bool_)
    )
    movement_turns_about: BoolArray = field(  # (M,) back along the street that it comes from; empty: none does
        default_factory=lambda: np.zeros(0, np.bool_)
    )
    movement_lamp: IntArray = field(  # (M,) equal for movements that hang on one lamp; empty: each has its own
        default_factory=lambda: np.zeros(0, np.int32)
    )
    lane_ids: tuple[str, ...] = ()  # (L,) the source's own names of the lanes, where it has some
    conventions: Conventions = "cityflow"  # whose, where formats leave things to the simulator; see below

    @property
    def n_intersections(self) -> int:
        return len(self.intersection_ids)

    @property
    def n_roads(self) -> int:
        return len(self.road_ids)

    @property
    def n_lanes(self) -> int:
        return len(self.lane_road)

    @property
    def n_movements(self) -> int:
        return len(self.movement_from_road)

    @property
    def n_links(self) -> int:
        return len(self.link_movement)

    @property
    def n_phases(self) -> int:
        return len(self.phase_duration_s)

    @property
    def signalled(self) -> IntArray:
        """Intersections with something to decide: not virtual, two phases or more, a movement. (I,) int32."""
        has_choice = (np.diff(self.phase_start) >= 2) & (np.diff(self.movement_start) >= 1)
        return np.flatnonzero(has_choice & ~self.is_virtual).astype(np.int32)

    def lane_name(self, lane: int) -> str:
        """The source's own in networks from SUMO; else the road's id, an underscore, and the index from the left."""
        if self.lane_ids:
            return self.lane_ids[lane]
        return f"{self.road_ids[self.lane_road[lane]]}_{self.lane_index[lane]}"

    def movement_name(self, movement: int) -> str:
        """The ids of the roads that it leads from and to, with an arrow between."""
        start, end = self.movement_from_road[movement], self.movement_to_road[movement]
        return f"{self.road_ids[start]} -> {self.road_ids[end]}"

    def movements_of(self, intersection: int) -> slice:
        """The intersection's part of every array over the movements."""
        return slice(int(self.movement_start[intersection]), int(self.movement_start[intersection + 1]))

    def start_lanes(self, movement: int) -> IntArray:
        """Lanes that the movement starts from, ascending, each once although several links may leave it. int32."""
        first, past = self.movement_link_start[movement : movement + 2]
        return np.array(sorted(set(self.link_from_lane[first:past].tolist())), np.int32)  # a few: NumPy takes longer

    def start_lanes_by_movement(self) -> tuple[IntArray, IntArray]:
        """`start_lanes` of all movements, one after the other, and where those of each begin (M + 1,). int32."""
        pairs = np.unique(self.link_movement.astype(np.int64) * self.n_lanes + self.link_from_lane)
        starts = np.searchsorted(pairs, np.arange(self.n_movements + 1) * self.n_lanes)
        return starts.astype(np.int32), (pairs % max(1, self.n_lanes)).astype(np.int32)

    def conflict_matrix(self, intersection: int) -> BoolArray:
        """(m, m): do the intersection's movements conflict, numbered from its first one."""
        first, past = self.movement_start[intersection : intersection + 2].tolist()
        starts = self.conflict_start[first : past + 1]
        matrix = np.zeros((past - first, past - first), np.bool_)
        rows = np.repeat(np.arange(past - first), np.diff(starts))
        matrix[rows, self.conflict_with[starts[0] : starts[-1]] - first] = True
        return matrix

    def phase_matrix(self, intersection: int) -> BoolArray:
        """(p, m): which of the intersection's movements have green in which of its phases."""
        first_movement, past_movement = self.movement_start[intersection : intersection + 2].tolist()
        first, past = self.phase_start[intersection : intersection + 2].tolist()
        starts = self.phase_movement_start[first : past + 1]
        matrix = np.zeros((past - first, past_movement - first_movement), np.bool_)
        rows = np.repeat(np.arange(past - first), np.diff(starts))
        matrix[rows, self.phase_movements[starts[0] : starts[-1]] - first_movement] = True
        return matrix


def require_signals(network: RoadNetwork, file: str | Path, *, mend: str) -> None:
    """Raise InputError if no intersection of the network has anything to decide."""
    if not len(network.signalled):
        problem = "no junction has a signal with two phases or more for vehicles, so there is nothing to control"
        raise InputError(file, "", problem, mend)
