"""What never changes while a network is simulated: its arrays in the order the kernels want them.

A *drivable* is a lane or a lane link: drivables 0..L-1 are the lanes, L..L+K-1 the links.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intergreen.envs.arrays import BoolArray, ByteArray, FloatArray, IntArray
from intergreen.envs.demand import VehicleType
from intergreen.envs.network import RoadNetwork
from intergreen.envs.network.approaches import links_over_cuts, queue_lanes
from intergreen.envs.network.crossings import first_crossing
from intergreen.envs.network.road_network import LINK_SPEED_LIMIT_MPS, TURN_SPEED_MPS, YIELD_DISTANCE_M
from intergreen.envs.simulation import driving
from intergreen.envs.simulation.partings import find_partings, waits_inside_m

WORD_BITS = 64
BY_LANE, BY_FILE = 1, 2  # why who yields does
UNTIL_CLEAR, FOLLOWS, PASSES_BY = range(3)  # what who yields by the file does about those inside the junction
STOP_LINE_GAP_M = 1.0  # before a red light, SUMO's DIST_TO_STOPLINE_EXPECT_PRIORITY
# columns of the vehicle type table
(
    LENGTH,
    MIN_GAP,
    MAX_SPEED,
    MAX_ACCEL,
    MAX_DECEL,
    USUAL_ACCEL,
    USUAL_DECEL,
    HEADWAY,
    ZONE,
    FOLLOW_CUT,
    SAME_DECEL,
    OCCUPANCY,
    KRAUSS,
    DAWDLE,
    STAY,
    STOP_GAP,
    HALF_PER_DECEL,
    DEPART_SPEED,
) = range(18)
N_COLUMNS = 18


class Statics(NamedTuple):
    """A network for the kernels; L lanes, K links, D = L + K drivables, X directed crossings, W mask words."""

    length: FloatArray  # (D,) m
    base_limit: FloatArray  # (D,) m/s, the limit that free-flow time is counted with
    slot_start: IntArray  # (D + 1,) first slot of each drivable's stretch
    capacity: IntArray  # (D,) vehicles
    lane_link_start: IntArray  # (L + 1,)
    lane_links: IntArray  # (K,) links leaving each lane
    parts_start: IntArray  # (K + 1,) entries of each link, one for each link of its lane
    parts_m: FloatArray  # (.,) m along that link from which on a tail there holds nobody up, see `partings`
    lane_into_start: IntArray  # (L + 1,)
    lane_into: IntArray  # (K,) links that lead onto each lane
    lane_movement: IntArray  # (L,) the one movement that starts from the lane, -1 where there are none or several
    lane_index: IntArray  # (L,) 0 = leftmost
    lane_width: IntArray  # (L,) lanes of the lane's road: the stride of a route table row
    lane_approach: ByteArray  # (L,) 1 where the lane ends at a controlled signal, ...
    lane_queues: ByteArray  # (L,) ... or somebody who waits for one is seen, where a file cuts the street
    over_cuts: IntArray  # (S,) links on which one is seen as on the lane that they lead to
    link_from: IntArray  # (K,) lane
    link_to: IntArray  # (K,) lane
    link_movement: IntArray  # (K,)
    link_slows: ByteArray  # (K,) 1 where drivers slow down for the link itself, as turns in CityFlow
    link_entry_speed: FloatArray  # (K,) m/s, nobody drives onto the link faster
    link_asks_gap: ByteArray  # (K,) 1 where a driver may have to wait for a gap, ...
    link_wait_m: FloatArray  # (K,) m along the link to the first place to wait for one, infinite where there is none
    link_inside: FloatArray  # (K,) m along it where one who yields may wait inside the junction; inf: nowhere
    link_is_asked: ByteArray  # (K,) 1 where others wait for one
    link_is_kept_clear: ByteArray  # (K,) 1 where who drives on must have room behind the junction
    mask_word: IntArray  # (K,) word of the hot mask that holds the link's bit
    mask_bit: NDArray[np.uint64]  # (K,)
    mask_first: IntArray  # (K,) first mask word of the link's intersection
    foe_mask: NDArray[np.uint64]  # (K * W,) links that cross this one
    mask_words: int  # W, words an intersection
    crossing_start: IntArray  # (K + 1,)
    crossing_distance: FloatArray  # (X,) m on the link itself
    crossing_foe: IntArray  # (X,) the other link, ...
    crossing_bit: NDArray[np.uint64]  # (X,) ... and its `mask_bit`
    crossing_foe_distance: FloatArray  # (X,) m on the other link
    crossing_right: NDArray[np.int8]  # (X,) 1: this link goes first, -1: the other, 0: who is there earlier
    crossing_setback: FloatArray  # (X,) m before the crossing where a driver of this link waits, ...
    crossing_foe_setback: FloatArray  # (X,) ... and one of the other link
    crossing_asks_gap: ByteArray  # (X,) BY_LANE or BY_FILE where who yields waits for a gap as SUMO's drivers do, or 0
    crossing_inside: ByteArray  # (X,) UNTIL_CLEAR, FOLLOWS, PASSES_BY
    look_beyond: int  # 1: drivers mind every junction within sight, 0: the next one only, as in CityFlow
    paced: int  # 1: drivers differ in the share of a speed limit that they take
    types: FloatArray  # (T * N_COLUMNS,) the vehicle type table, flat: kernels index it without making row views
    longest: float  # m, the longest vehicle
    most_room: float  # m, the most that a vehicle takes in a queue
    fastest: float  # m/s, the highest maximum speed of a vehicle
    widest_zone: float  # m before a stop line beyond which no driver minds the signal
    widest_sight: float  # m that no driver needs to a stand, one second of accelerating and one of headway included
    notify_reach: float  # m before a stop line beyond which nobody at a crossing can mind a vehicle


def build_statics(network: RoadNetwork, types: Sequence[VehicleType]) -> Statics:
    """The kernels' view of `network` for vehicles of `types`."""
    table = type_table(types)
    length = np.concatenate([network.lane_length_m, network.link_length_m])
    capacity = _capacity(length, table)
    n_lanes = network.n_lanes
    signalled = np.zeros(network.n_intersections, np.bool_)
    signalled[network.signalled] = True
    lanes_of_road = np.diff(network.road_lane_start)
    word, bit, first, foes, n_words = _masks(network)
    asks_gap = _asks_gap(network)
    into = np.argsort(network.link_to_lane, kind="stable").astype(np.int32)
    parts_start, parts_m = find_partings(network)
    return Statics(
        length=length,
        base_limit=np.concatenate([network.lane_speed_limit_mps, network.link_speed_limit_mps]),
        slot_start=np.concatenate([[0], np.cumsum(2 * capacity)]).astype(np.int32),
        capacity=capacity,
        lane_link_start=network.lane_link_start,
        lane_links=network.lane_links,
        parts_start=parts_start,
        parts_m=parts_m,
        lane_into_start=np.searchsorted(network.link_to_lane[into], np.arange(n_lanes + 1)).astype(np.int32),
        lane_into=into,
        lane_movement=_only_movement(network),
        lane_index=network.lane_index,
        lane_width=lanes_of_road[network.lane_road].astype(np.int32),
        lane_approach=signalled[network.road_to[network.lane_road]].astype(np.uint8).reshape(n_lanes),
        lane_queues=queue_lanes(network).astype(np.uint8),
        over_cuts=links_over_cuts(network),
        link_from=network.link_from_lane,
        link_to=network.link_to_lane,
        link_movement=network.link_movement,
        link_slows=(network.link_entry_speed_mps < LINK_SPEED_LIMIT_MPS).astype(np.uint8),
        link_entry_speed=network.link_entry_speed_mps,
        link_asks_gap=_any_of(network, asks_gap == BY_FILE, _own_link(network)),
        link_wait_m=_first_wait(network, asks_gap == BY_FILE),
        link_inside=waits_inside_m(network),
        link_is_asked=_any_of(network, asks_gap > 0, network.crossing_foe_link),
        link_is_kept_clear=_any_of(network, _is_conflict(network), _own_link(network)) * network.link_keeps_clear,
        mask_word=word,
        mask_bit=bit,
        mask_first=first,
        foe_mask=foes,
        mask_words=n_words,
        crossing_start=network.crossing_start,
        crossing_distance=network.crossing_distance_m,
        crossing_foe=network.crossing_foe_link,
        crossing_bit=bit[network.crossing_foe_link],
        crossing_foe_distance=network.crossing_foe_distance_m,
        crossing_right=network.crossing_right,
        crossing_setback=network.crossing_setback_m,
        crossing_foe_setback=network.crossing_foe_setback_m,
        crossing_asks_gap=asks_gap,
        crossing_inside=_about_those_inside(network, asks_gap),
        look_beyond=int(network.conventions == "sumo"),
        paced=int(any(one.speed_factor != 1.0 or one.speed_deviation != 0.0 for one in types)),
        types=table.reshape(-1),
        longest=float(table[:, LENGTH].max()),
        most_room=float((table[:, LENGTH] + table[:, MIN_GAP]).max()),
        fastest=float(table[:, MAX_SPEED].max()),
        widest_zone=float(table[:, ZONE].max()),
        widest_sight=_widest_sight(table),
        notify_reach=_notify_reach(network, table),
    )


def type_table(types: Sequence[VehicleType]) -> FloatArray:
    """(T, N_COLUMNS) parameters of the vehicle types, with the distances derived from them."""
    table = np.zeros((len(types), N_COLUMNS))
    for row, kind in zip(table, types, strict=True):
        row[LENGTH] = kind.length_m
        row[MIN_GAP] = kind.min_gap_m
        row[MAX_SPEED] = kind.max_speed_mps
        row[MAX_ACCEL] = kind.max_accel_mps2
        row[MAX_DECEL] = kind.max_decel_mps2
        row[USUAL_ACCEL] = kind.usual_accel_mps2
        row[USUAL_DECEL] = kind.usual_decel_mps2
        row[HEADWAY] = kind.headway_s
        # drivers mind the junction, and look for a leader, this far ahead
        row[ZONE] = kind.max_speed_mps * kind.max_speed_mps / kind.usual_decel_mps2 / 2.0 + kind.max_speed_mps * 2.0
        row[OCCUPANCY] = kind.occupancy
        row[KRAUSS] = kind.follows_krauss
        if kind.follows_krauss:
            braking_m = kind.max_speed_mps**2 / kind.max_decel_mps2 / 2.0
            headway_s = max(driving.STOP_HEADWAY_S, kind.headway_s)
            row[ZONE] = max(row[ZONE], braking_m + kind.max_speed_mps * (headway_s + 1.0) + STOP_LINE_GAP_M)
            row[STOP_GAP] = STOP_LINE_GAP_M
        row[DAWDLE] = kind.dawdle_mps
        row[HALF_PER_DECEL] = 0.5 / kind.max_decel_mps2
        row[STAY] = _stay(row)
        row[DEPART_SPEED] = kind.depart_speed_mps
    decel_equal = table[:, MAX_DECEL] == table[:, USUAL_DECEL]
    # where everybody's two decelerations agree, keeping the minimum gap implies not colliding
    table[:, SAME_DECEL] = float(decel_equal.all() and (table[:, MIN_GAP] >= 0.0).all())
    for row in table:
        row[FOLLOW_CUT] = _follow_cut(row, hardest_leader=float(table[:, [MAX_DECEL, USUAL_DECEL]].max()))
    return table


def _stay(row: FloatArray) -> float:
    """Distance [m] before a stop line within which nobody starts from a stand: `driving.stop_before_speed` is 0."""
    if row[KRAUSS] != 0.0:  # SUMO's drivers creep up to it
        return -1.0
    accel: float = row[USUAL_ACCEL]
    return float(min(accel * 0.5 + (accel * accel / row[USUAL_DECEL] / 2.0), row[ZONE]))


def _follow_cut(row: FloatArray, *, hardest_leader: float) -> float:
    """Gap [m] beyond which no following rule can ask for less than the driver's own maximum speed.

    Each term of the following speed is solved for the gap at which it reaches that maximum behind a standing
    leader, which is the worst case.
    """
    v, target = row[MAX_SPEED], row[MIN_GAP]
    braking = v + target + v * v / (2.0 * min(row[MAX_DECEL], row[USUAL_DECEL]))
    distance = target + (v + hardest_leader) / 2.0
    headway = v * (row[HEADWAY] + 0.5)
    if row[KRAUSS] != 0.0:
        headway = target + v * v / (2.0 * row[MAX_DECEL]) + v * (row[HEADWAY] + 1.0)
    return float(max(braking, distance, headway)) + 0.01


def _only_movement(network: RoadNetwork) -> IntArray:
    out = np.full(network.n_lanes, -1, np.int32)
    for lane in range(network.n_lanes):
        links = network.lane_links[network.lane_link_start[lane] : network.lane_link_start[lane + 1]]
        movements = np.unique(network.link_movement[links])
        if len(movements) == 1:
            out[lane] = movements[0]
    return out


def _asks_gap(network: RoadNetwork) -> ByteArray:
    """(X,) who yields at a junction of SUMO's, by the file or, where links stand for a lane change, to who keeps its
    lane; not at a lane change on one road."""
    own = _own_link(network)
    road = network.lane_road[network.link_from_lane]
    apart = road[own] != road[network.crossing_foe_link]
    asks = (network.crossing_right < 0) & apart & (network.conventions == "sumo")
    is_stated = network.crossing_setback_m != YIELD_DISTANCE_M  # see `sumo_right_of_way`
    return np.where(asks, np.where(is_stated, BY_FILE, BY_LANE), 0).astype(np.uint8)


def _about_those_inside(network: RoadNetwork, asks_gap: ByteArray) -> ByteArray:
    """(X,) where one yields by the file: FOLLOWS where both drive onto one lane and one waits at the line; PASSES_BY
    where the two lines do not even cross, as of two who turn left before each other; elsewhere UNTIL_CLEAR."""
    own, start = _own_link(network), network.link_point_start
    merges = network.link_to_lane[own] == network.link_to_lane[network.crossing_foe_link]
    at_line = network.crossing_setback_m >= network.crossing_distance_m
    out = np.where(merges & at_line, FOLLOWS, UNTIL_CLEAR).astype(np.uint8)
    for crossing in np.flatnonzero((asks_gap == BY_FILE) & ~merges).tolist():
        a, b = own[crossing], network.crossing_foe_link[crossing]
        crosses, _, _ = first_crossing(network.link_points, start[a], start[a + 1], start[b], start[b + 1])
        if not crosses:
            out[crossing] = PASSES_BY
    return out


def _is_conflict(network: RoadNetwork) -> BoolArray:
    """(X,) the two movements conflict, and do not only change lanes."""
    movements = np.repeat(np.arange(network.n_movements), np.diff(network.conflict_start))
    conflicts = movements * network.n_movements + network.conflict_with
    own = network.link_movement[_own_link(network)].astype(np.int64)
    pairs = own * network.n_movements + network.link_movement[network.crossing_foe_link]
    return np.asarray(np.isin(pairs, conflicts))


def _own_link(network: RoadNetwork) -> IntArray:
    """(X,) the link that each crossing is one of."""
    return np.repeat(np.arange(network.n_links, dtype=np.int32), np.diff(network.crossing_start))


def _any_of(network: RoadNetwork, crossings: BoolArray, link: IntArray) -> ByteArray:
    """(K,) 1 for the links of these crossings."""
    out = np.zeros(network.n_links, np.uint8)
    out[link[crossings]] = 1
    return out


def _first_wait(network: RoadNetwork, crossings: BoolArray) -> FloatArray:
    """(K,) m along each link to where a driver first waits before one of these crossings of it, else infinite."""
    out = np.full(network.n_links, np.inf)
    wait_m = network.crossing_distance_m - network.crossing_setback_m
    np.minimum.at(out, _own_link(network)[crossings], wait_m[crossings])
    return out


def _widest_sight(table: FloatArray) -> float:
    """The longest way to a stand [m] of SUMO's drivers: what `sight` asks of one, from its highest speed."""
    v = table[:, MAX_SPEED]
    return (
        float(
            (
                v * (1.0 + np.maximum(driving.STOP_HEADWAY_S, table[:, HEADWAY])) + v * v / (2.0 * table[:, MAX_DECEL])
            ).max()
        )
        + 0.01
    )


def _notify_reach(network: RoadNetwork, table: FloatArray) -> float:
    """Distance before a stop line [m] at which an arriving vehicle is surely later than all it could meet.

    The slowest reach of anyone in the decision zone, in seconds, times the fastest approach, and a second more.
    """
    longest_link = float(network.link_length_m.max(initial=0.0))
    slowest = 0.0
    slowest_turn = float(network.link_entry_speed_mps.min(initial=TURN_SPEED_MPS))
    for row in table:
        for target in (slowest_turn, row[MAX_SPEED]):
            steps = driving.reach_steps(row[ZONE] + longest_link, 0.0, target, row[USUAL_ACCEL])
            slowest = max(slowest, float(steps))
    fastest = float((table[:, MAX_SPEED] + table[:, USUAL_ACCEL]).max())
    braking = float((table[:, MAX_SPEED] ** 2 / table[:, MAX_DECEL]).max())
    setback_m = float(network.crossing_foe_setback_m.max(initial=YIELD_DISTANCE_M))
    return (slowest + 2.0) * fastest + braking + setback_m


def _capacity(length: FloatArray, table: FloatArray) -> IntArray:
    """Vehicles that fit on each drivable, bumper to bumper, with room for streams that merge into each other."""
    return (np.ceil(length / table[:, LENGTH].min()) + 8).astype(np.int32)


def _masks(
    network: RoadNetwork,
) -> tuple[IntArray, NDArray[np.uint64], IntArray, NDArray[np.uint64], int]:
    """Bit positions of the links inside their intersection, and per link the bits of the links it crosses."""
    n_links = network.n_links
    owner = network.movement_intersection[network.link_movement]
    counts = np.bincount(owner, minlength=network.n_intersections)
    n_words = max(1, -(-int(counts.max(initial=1)) // WORD_BITS))
    first_link = np.searchsorted(owner, np.arange(network.n_intersections))
    local = np.arange(n_links) - first_link[owner]
    first = (owner * n_words).astype(np.int32)
    word = (first + local // WORD_BITS).astype(np.int32)
    bit = np.left_shift(np.uint64(1), (local % WORD_BITS).astype(np.uint64))
    foes = np.zeros((n_links, n_words), np.uint64)
    me = np.repeat(np.arange(n_links), np.diff(network.crossing_start))
    foe = network.crossing_foe_link
    np.bitwise_or.at(foes, (me, local[foe] // WORD_BITS), bit[foe])
    return word, bit, first, foes.reshape(-1), n_words
