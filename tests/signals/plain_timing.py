"""Rules and card of one intersection in plain Python, a movement and a pair at a time, written from the words in
`conflicts`, `profiles` and `rules`: the twin of what the library makes of all intersections at once."""

from itertools import product
from math import atan2, ceil, degrees

from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.signals import FieldTiming, FixedClearance
from intergreen.envs.signals.conflicts import OPPOSITE_IF_SHOWN_WITHIN_DEG, OPPOSITE_WITHIN_DEG
from intergreen.envs.signals.profiles import Kinematic

LONG_AGO_S = 10_000


def whole(seconds):
    return ceil(seconds - 1e-9)


class Junction:
    """One intersection; movements and phases by their number in it."""

    def __init__(self, network, j):
        self.network, self.first = network, int(network.movement_start[j])
        self.movements = range(int(network.movement_start[j + 1]) - self.first)
        self.turn = [int(network.movement_turn[self.first + m]) for m in self.movements]
        self.ends = [(int(network.movement_from_road[self.first + m]), int(network.movement_to_road[self.first + m]))
                     for m in self.movements]  # fmt: skip
        self.links = [list(range(*network.movement_link_start[self.first + m :][:2].tolist())) for m in self.movements]
        self.phases = [
            {
                int(m) - self.first
                for m in network.phase_movements[slice(*network.phase_movement_start[p:][:2].tolist())]
            }
            for p in range(*network.phase_start[j:][:2].tolist())
        ]
        self.stated = {
            (m, int(network.conflict_with[k]) - self.first): k
            for m in self.movements
            for k in range(*network.conflict_start[self.first + m :][:2].tolist())
        }

    # Who may go together

    def may(self, a, b):
        return a == b or (a, b) not in self.stated or self.yields(a, b)

    def yields(self, a, b):
        same_exit, one_stream = self.ends[a][1] == self.ends[b][1], self.ends[a] == self.ends[b]
        if one_stream:
            return True
        if len(self.network.conflict_permitted):
            return bool(self.network.conflict_permitted[self.stated[a, b]])
        turns = {self.turn[a], self.turn[b]}
        if self.is_open():
            return turns != {STRAIGHT}
        shown_together = any({a, b} <= phase for phase in self.phases)
        if TURN_RIGHT in turns or (shown_together and self.ends[a][0] == self.ends[b][0]):
            return True
        return self.face(a, b, shown_together) and (
            turns == {TURN_LEFT, STRAIGHT} or (turns == {TURN_LEFT} and not same_exit)
        )

    def is_open(self):
        everybody = set(self.movements)
        others = [phase for phase in self.phases if phase != everybody]
        straight = [m for m in self.movements if self.turn[m] == STRAIGHT]
        return (
            everybody in self.phases
            and all(self.turn[m] == TURN_RIGHT for phase in others for m in phase)
            and not any(p in self.stated and self.ends[p[0]] != self.ends[p[1]] for p in product(straight, straight))
        )

    def face(self, a, b, shown_together):
        within_deg = OPPOSITE_IF_SHOWN_WITHIN_DEG if shown_together else OPPOSITE_WITHIN_DEG
        apart = abs((self.heading_deg(a) - self.heading_deg(b) + 180.0) % 360.0 - 180.0)
        return apart >= 180.0 - within_deg

    def heading_deg(self, m):
        n = self.network
        past = n.lane_point_start[n.road_lane_start[self.ends[m][0]] + 1]
        (x0, y0), (x1, y1) = n.lane_points[past - 2 : past].tolist()
        return degrees(atan2(y1 - y0, x1 - x0))

    # Least and longest times

    def lanes(self, m):
        n, road = self.network, self.ends[m][0]
        return {int(n.link_from_lane[k]) for k in self.links[m]} or set(range(*n.road_lane_start[road:][:2].tolist()))

    def speeds_mps(self, m):
        limits = [min(max(float(self.network.lane_speed_limit_mps[lane]), 1.0), 100.0) for lane in self.lanes(m)]
        return max(limits), min(limits)

    def yellow_s(self, profile, m):
        change, fast = profile.change, self.speeds_mps(m)[0]
        if isinstance(change, Kinematic):
            seconds = change.reaction_s + fast / (2.0 * change.deceleration_mps2)
        else:
            kmph = fast * 3.6 - 0.5
            steps = (50.0, change.yellow_to_50_kmph_s), (60.0, change.yellow_to_60_kmph_s)
            seconds = next((s for limit, s in steps if kmph <= limit), change.yellow_above_60_kmph_s)
            through = set().union(*(self.lanes(o) for o in self.movements if self.turn[o] == STRAIGHT))
            if self.turn[m] != STRAIGHT and not self.lanes(m) & through:
                seconds = change.yellow_turn_s
        return min(max(seconds, profile.shortest_yellow_s), profile.longest_yellow_s)

    def least_s(self, profile, m):
        return profile.min_green_through_s if self.turn[m] == STRAIGHT else profile.min_green_turn_s

    def longest_s(self, profile, m):
        if self.turn[m] == TURN_LEFT:
            return profile.max_green_left_s
        is_fast = self.speeds_mps(m)[0] > profile.fast_above_mps
        return profile.max_green_fast_s if is_fast else profile.max_green_through_s

    def intergreen_s(self, profile, a, b):
        """Of a pair that conflicts, yielding or not."""
        if (a, b) not in self.stated:
            return 0.0
        change, slow, yellow = profile.change, self.speeds_mps(a)[1], self.yellow_s(profile, a)
        longest = yellow
        for clear_m, enter_m in self.meetings(a, b):
            if isinstance(change, Kinematic):
                seconds = min((clear_m + change.vehicle_length_m) / slow, change.longest_red_clearance_s) + yellow
            else:
                goes_on = self.turn[a] == STRAIGHT
                overrun = change.overrun_straight_s if goes_on else change.overrun_turn_s
                clearing = min(change.clearing_straight_mps if goes_on else change.clearing_turn_mps, slow)
                seconds = overrun + (clear_m + change.vehicle_length_m) / clearing - enter_m / change.entering_mps
            longest = max(longest, seconds)
        return longest

    def meetings(self, a, b):
        """Where no path is drawn to meet, the conflict is beyond the paths."""
        n, drawn = self.network, list(self.drawn_meetings(a, b))
        past_m = max((float(n.link_length_m[own]) + self.width_m(own) / 2.0 for own in self.links[a]), default=0.0)
        return drawn if drawn or n.conventions != "cityflow" else [(past_m, 0.0)]

    def drawn_meetings(self, a, b):
        n = self.network
        for own in self.links[a]:
            for x in range(*n.crossing_start[own:][:2].tolist()):
                foe = int(n.crossing_foe_link[x])
                if foe in self.links[b]:
                    enter_m = float(n.crossing_foe_distance_m[x]) - self.width_m(own) / 2.0
                    yield float(n.crossing_distance_m[x]) + self.width_m(foe) / 2.0, max(enter_m, 0.0)
            for foe in self.links[b]:
                if foe != own and n.link_to_lane[foe] == n.link_to_lane[own]:
                    yield float(n.link_length_m[own]), 0.0

    def width_m(self, link):
        n = self.network
        return max(float(n.lane_width_m[n.link_from_lane[link]]), float(n.lane_width_m[n.link_to_lane[link]]))


def rules_of(network, j, choices, clearance, timing):
    """A dict by the names of `Rules`."""
    one = Junction(network, j)
    n, movements = len(one.phases), one.movements
    if not isinstance(timing, FieldTiming):
        seconds = timing.seconds if isinstance(timing, FixedClearance) else 0
        return {
            "clearance_phase": clearance, "may_show": [1] * n, "transition": [seconds] * (n * (n + 1)),
            "min_green": [0] * n, "max_green": [0] * n, "yellow": [seconds] * len(movements), "red_amber": 0,
            "overdue": 0, "turns": [],
        }  # fmt: skip
    profile = timing.profile
    least, longest = ([whole(of(profile, m)) for m in movements] for of in (one.least_s, one.longest_s))
    min_green = [max((least[m] for m in phase), default=0) for phase in one.phases]
    between = transitions_s(one, choices, min_green, profile)
    turns = turns_of(one, choices)
    begin_s = ceil(profile.startup_red_s)
    change = max((between[p, q] for p in choices for q in choices if p != q), default=0)
    service = {p: max(1, min_green[p]) + max((between[p, q] for q in choices if p != q), default=0) for p in choices}
    slowest = sorted((service[p] for p in turns), reverse=True)
    limits = [
        timing.longest_wait_s - max(change, begin_s) - 1 - max(service.values()) - sum(slowest[:k])
        for k in range(len(turns))
    ]
    return {
        "clearance_phase": -1,
        "may_show": [int(p in choices) for p in range(n)],
        "transition": [begin_s] * n + [between[p, q] for p in range(n) for q in range(n)],
        "min_green": min_green,
        "max_green": [
            max([low, *(longest[m] for m in phase)]) for phase, low in zip(one.phases, min_green, strict=True)
        ],
        "yellow": [whole(one.yellow_s(profile, m)) for m in movements],
        "red_amber": ceil(profile.red_amber_s),
        "overdue": limits[-1],
        "turns": turns,
        "call_limit": limits,
        "service": max(service.values()),
    }


def transitions_s(one, choices, min_green, profile):
    """{(old, new): seconds}: whole yellow and red revert of what ends, the intergreens of what ends before what begins,
    and what is left of those of movements that ended in phases before."""
    apart = {(a, b): whole(one.intergreen_s(profile, a, b)) for a, b in product(one.movements, one.movements)}
    way = [whole(one.yellow_s(profile, m)) + ceil(profile.red_revert_s) for m in one.movements]
    changes = list(product(range(len(one.phases)), range(len(one.phases))))
    seconds = {}
    for p, q in changes:
        ends, begins = one.phases[p] - one.phases[q], one.phases[q] - one.phases[p]
        seconds[p, q] = max([0, *(way[m] for m in ends), *(apart[pair] for pair in product(ends, begins))])
    ended = {(p, m): LONG_AGO_S for p in range(len(one.phases)) for m in one.movements}
    while True:
        before = dict(ended), dict(seconds)
        earlier, now = before
        for q, m in ended:
            if m not in one.phases[q]:
                since = [
                    (0 if m in one.phases[p] else earlier[p, m] + min_green[p]) + now[p, q]
                    for p in choices if p != q and q in choices
                ]  # fmt: skip
                ended[q, m] = min([LONG_AGO_S, *since])
        for p, q in changes:
            if p != q and p in choices and q in choices:
                gone = set(one.movements) - one.phases[p]
                owed = [
                    apart[a, b] - earlier[p, a] - min_green[p] for a, b in product(gone, one.phases[q] - one.phases[p])
                ]
                seconds[p, q] = max([now[p, q], *owed])
        if (ended, seconds) == before:
            break
    for p, q in changes:
        if one.phases[q] - one.phases[p]:
            seconds[p, q] = max(seconds[p, q], ceil(profile.red_amber_s))
    return seconds


def turns_of(one, choices):
    unserved, turns = set().union(*(one.phases[p] for p in choices)), []
    while unserved:
        best = max(choices, key=lambda p: (len(one.phases[p] & unserved), -p))
        turns.append(best)
        unserved -= one.phases[best]
    return sorted(turns)


def card_of(network, j, timing):
    """A dict by the names of `MonitorCard`."""
    one = Junction(network, j)
    each, pairs = one.movements, list(product(one.movements, one.movements))
    may = [one.may(a, b) for a, b in pairs]
    if not isinstance(timing, FieldTiming):
        seconds = timing.seconds if isinstance(timing, FixedClearance) else 0
        none, every = [0] * len(each), [seconds] * len(each)
        return {
            "permissive": may, "clearance_before": [0 if go else seconds for go in may], "yellow": every,
            "longest_yellow": every, "green": none, "red_revert": none, "longest_wait": none, "red_amber": [0],
        }  # fmt: skip
    profile = timing.profile
    apart = [0 if go else whole(one.intergreen_s(profile, b, a)) for go, (a, b) in zip(may, pairs, strict=True)]
    return {
        "permissive": may,
        "clearance_before": apart,
        "yellow": [whole(one.yellow_s(profile, m)) for m in each],
        "longest_yellow": [ceil(profile.longest_yellow_s)] * len(each),
        "green": [whole(one.least_s(profile, m)) for m in each],
        "red_revert": [ceil(profile.red_revert_s)] * len(each),
        "longest_wait": [timing.longest_wait_s if one.links[m] else 0 for m in each],
        "red_amber": [ceil(profile.red_amber_s)],
    }
