"""How a signal of ours reads in the words of a field controller's log: phases by number, detectors on lanes.

A phase in such a log is what one approach is shown, where ours are sets of movements that have green together. So the
movements of one approach that always have green together become a log phase: through movements even numbers, left turns
odd ones, as in North America. Movements that always have green have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT

if TYPE_CHECKING:
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

ADVANCE_M = 110.0  # before the stop line: 350 to 400 ft is usual
PRESENCE_M = 12.0  # before the stop line, 40 ft
_RANK = {STRAIGHT: 0, TURN_LEFT: 1, TURN_RIGHT: 2}  # whose phase a lane that serves several turns belongs to


@dataclass(frozen=True, slots=True)
class LogPhase:
    """One phase of the log; `number` is unique at its signal, `signal` counts the plan's."""

    signal: int
    number: int
    movements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LogDetector:
    """One detector of the log; `number` is unique at its signal, `distance_m` from the start of its lane."""

    signal: int
    number: int
    function: str  # Advance or Presence
    lane: int
    distance_m: float
    phase: int  # index in the list of log phases


@dataclass(frozen=True, slots=True)
class LogMap:
    """All phases and detectors, and the signals' names."""

    names: tuple[str, ...]
    phases: tuple[LogPhase, ...]
    detectors: tuple[LogDetector, ...]

    def stated(self, network: RoadNetwork) -> dict[str, Any]:
        """What goes beside the log: which movements a phase is, and where the detectors are."""
        roads = network.road_ids
        return {
            "phases": [
                {
                    "DeviceId": self.names[one.signal],
                    "Phase": one.number,
                    "movements": [
                        [roads[network.movement_from_road[m]], roads[network.movement_to_road[m]]]
                        for m in one.movements
                    ],
                }
                for one in self.phases
            ],
            "detectors": [
                {
                    "DeviceId": self.names[one.signal],
                    "Parameter": one.number,
                    "Function": one.function,
                    "Phase": self.phases[one.phase].number,
                    "lane": network.lane_name(one.lane),
                    "from_stop_line_m": round(float(network.lane_length_m[one.lane]) - one.distance_m, 1),
                }
                for one in self.detectors
            ],
        }


def log_map(network: RoadNetwork, plan: SignalPlan) -> LogMap:
    """The log's phases and detectors of every controlled signal."""
    phases: list[LogPhase] = []
    detectors: list[LogDetector] = []
    for i, j in enumerate(plan.intersection.tolist()):
        mine = _phases(network, i, j)
        detectors += _detectors(network, i, mine, len(phases))
        phases += mine
    names = tuple(network.intersection_ids[j] for j in plan.intersection.tolist())
    return LogMap(names, tuple(phases), tuple(detectors))


def _phases(network: RoadNetwork, i: int, j: int) -> list[LogPhase]:
    first, past = network.movement_start[j], network.movement_start[j + 1]
    greens = network.phase_matrix(j)  # (phases, movements of the intersection)
    groups: dict[tuple[int, bytes], list[int]] = {}
    for m in range(first, past):
        column = greens[:, m - first]
        if column.any() and not column.all():
            groups.setdefault((int(network.movement_from_road[m]), column.tobytes()), []).append(m)
    odd, even = iter(range(1, 255, 2)), iter(range(2, 255, 2))
    phases = []
    for _, movements in sorted(groups.items()):
        is_left = all(network.movement_turn[m] == TURN_LEFT for m in movements)
        phases.append(LogPhase(i, next(odd if is_left else even), tuple(movements)))
    return phases


def _detectors(network: RoadNetwork, i: int, phases: list[LogPhase], first: int) -> list[LogDetector]:
    """On every lane the phase of its through movement, else of the left, else of the right turn."""
    of_lane: dict[int, tuple[int, int]] = {}
    for number, phase in enumerate(phases):
        for m in phase.movements:
            for lane in network.start_lanes(m).tolist():
                rank = _RANK[int(network.movement_turn[m])]
                of_lane[lane] = min(of_lane.get(lane, (9, 0)), (rank, first + number))
    found: list[LogDetector] = []
    for lane, (_, phase_number) in sorted(of_lane.items()):
        length = float(network.lane_length_m[lane])
        for function, distance in (("Advance", ADVANCE_M), ("Presence", PRESENCE_M)):
            place = max(length - distance, 0.0)
            found.append(LogDetector(i, len(found) + 1, function, lane, place, phase_number))
    return found
