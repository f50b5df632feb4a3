"""Small SUMO networks and demands, written by hand: the smallest that can go wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

ARM_M = 100.0
SPEED = 10.0
# Of the crossroads: south straight, north straight, north left, west straight; the left turn and the west give way.
REQUESTS = (("0000", "1100"), ("0000", "1000"), ("0001", "1001"), ("0111", "0111"))
PROGRAMME = ((20, "GGgr"), (3, "yyyr"), (25, "rrrG"), (2, "rrry"))
CONNECTIONS = (("S", "N", "s"), ("N", "S", "s"), ("N", "E", "l"), ("W", "E", "s"))
_ENDS = {"N": (0.0, 1.0), "E": (1.0, 0.0), "S": (0.0, -1.0), "W": (-1.0, 0.0)}


@dataclass
class Crossroads:
    """Four arms of one lane around junction C, and four connections; what a test needs otherwise it sets."""

    phases: Sequence[tuple[float, str]] = PROGRAMME
    requests: Sequence[tuple[str, str]] = REQUESTS
    signal: str = "C"
    offset: float = 0.0
    programme_kind: str = "static"
    lane_extra: dict[str, str] = field(default_factory=dict)  # attributes of the lane of an edge
    signal_of: dict[int, str] = field(default_factory=dict)  # of a connection by number, instead of `signal`
    waits_inside: tuple[int, ...] = ()
    more: str = ""  # elements at the end

    def xml(self) -> str:
        parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<net version="1.20">\n']
        parts += [self._inside(k, start, end) for k, (start, end, _) in enumerate(CONNECTIONS)]
        parts += [self._edge(arm, inward) for arm in _ENDS for inward in (True, False)]
        if self.signal:
            parts += [programme(self.signal, self.phases, self.offset, self.programme_kind)]
        parts += [
            f'<junction id="{arm}" type="dead_end" x="{x * 110}" y="{y * 110}"/>\n' for arm, (x, y) in _ENDS.items()
        ]
        kind = "traffic_light" if self.signal else "priority"
        parts += [f'<junction id="C" type="{kind}" x="0" y="0" incLanes="in_S_0 in_N_0 in_W_0 in_E_0">\n']
        for k, (response, foes) in enumerate(self.requests):
            inside = int(k in self.waits_inside)
            parts += [f'<request index="{k}" response="{response}" foes="{foes}" cont="{inside}"/>\n']
        parts += ["</junction>\n"]
        parts += [self._connection(k, *connection) for k, connection in enumerate(CONNECTIONS)]
        return "".join([*parts, self.more, "</net>\n"])

    def _edge(self, arm: str, inward: bool) -> str:
        name = f"in_{arm}" if inward else f"out_{arm}"
        far, near = _at(arm, 110.0), _at(arm, 10.0)
        shape = f"{far} {near}" if inward else f"{near} {far}"
        ends = f'from="{arm}" to="C"' if inward else f'from="C" to="{arm}"'
        extra = self.lane_extra.get(name, "")
        lane = f'<lane id="{name}_0" index="0" speed="{SPEED}" length="{ARM_M}" shape="{shape}" {extra}/>'
        return f'<edge id="{name}" {ends} priority="1">{lane}</edge>\n'

    def _inside(self, k: int, start: str, end: str) -> str:
        shape = f"{_at(start, 10.0)} {_at(end, 10.0)}" if k != 2 else f"{_at(start, 10.0)} 2,-2 {_at(end, 10.0)}"
        lane = f'<lane id=":C_{k}_0" index="0" speed="{SPEED}" length="20.0" shape="{shape}"/>'
        return f'<edge id=":C_{k}" function="internal">{lane}</edge>\n'

    def _connection(self, k: int, start: str, end: str, direction: str) -> str:
        signal = self.signal_of.get(k, self.signal)
        light = f'tl="{signal}" linkIndex="{k}"' if signal else ""
        ends = f'from="in_{start}" to="out_{end}" fromLane="0" toLane="0" via=":C_{k}_0"'
        return f'<connection {ends} dir="{direction}" state="M" {light}/>\n'


def _at(arm: str, metres: float) -> str:
    x, y = _ENDS[arm]
    return f"{x * metres:.1f},{y * metres:.1f}"


def programme(name: str, phases: Sequence[tuple[float, str]], offset: float = 0.0, kind: str = "static") -> str:
    states = "".join(f'<phase duration="{seconds}" state="{state}"/>' for seconds, state in phases)
    return f'<tlLogic id="{name}" type="{kind}" programID="0" offset="{offset}">{states}</tlLogic>\n'


def street(
    lanes: Sequence[int], lengths: Sequence[float], connections: str, *, inside: str = "", more: str = ""
) -> str:
    """A street of edges e0, e1, … over the nodes n0, n1, …; connections are given as they stand in the file."""
    parts, x = [f"<net>\n{inside}"], 0.0
    for k, (n_lanes, length) in enumerate(zip(lanes, lengths, strict=True)):
        shapes = [f"{x},{3.2 * (i - n_lanes)} {x + length},{3.2 * (i - n_lanes)}" for i in range(n_lanes)]
        rows = [
            f'<lane id="e{k}_{i}" index="{i}" speed="{SPEED}" length="{length}" shape="{shape}"/>'
            for i, shape in enumerate(shapes)
        ]
        parts.append(f'<edge id="e{k}" from="n{k}" to="n{k + 1}">{"".join(rows)}</edge>\n')
        x += length
    parts += [f'<junction id="n{k}" type="priority" x="{k}" y="0"/>\n' for k in range(len(lanes) + 1)]
    return "".join([*parts, more, connections, "</net>\n"])


def routes(*elements: str) -> str:
    return "<routes>\n" + "\n".join(elements) + "\n</routes>\n"
