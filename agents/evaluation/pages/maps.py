"""Pictures of a run seen closely: where time is lost in the network, and who drove along an arterial when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.evaluation.pages.svg import Axes, element, number_text, picture, polyline, text, ticks
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.street_map import Paths

if TYPE_CHECKING:
    from intergreen.agents.evaluation.pages.close_up import CloseUp
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.network import RoadNetwork

N_HEATS = 7
_SIDE_PX, _MOST_NAMED = 420.0, 600
_WIDENING = 2.0


class RoadLines(NamedTuple):
    """The middle lines of all roads (n, 2) m, each to its own side; their extent: west, south, east, north."""

    lines: tuple[FloatArray, ...]
    extent: tuple[float, float, float, float]


class Glow(NamedTuple):
    """When a movement had green: from second to second."""

    begin_s: int
    end_s: int


def road_lines(network: RoadNetwork) -> RoadLines:
    """Lines to draw the roads by."""
    paths = Paths(network, _WIDENING)
    middles = (network.road_lane_start[:-1] + network.road_lane_start[1:] - 1) // 2
    lines = tuple(paths.points_of(int(lane)) for lane in middles)
    low = np.min([line.min(axis=0) for line in lines], axis=0)
    high = np.max([line.max(axis=0) for line in lines], axis=0)
    return RoadLines(lines, (float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def heat_bounds(values: Sequence[FloatArray]) -> list[float]:
    """N_HEATS + 1 bounds that suit all of the arrays: equal steps of the root, so that small values differ too.

    The scale ends at the 99th percentile; what lies above has the last colour.
    """
    together = np.concatenate(values)
    top = float(np.quantile(together, 0.99)) or 1.0
    return [top * (k / N_HEATS) ** 2 for k in range(N_HEATS + 1)]


def heat_of(value: FloatArray, bounds: Sequence[float]) -> list[int]:
    """Which colour each value has, 0 to N_HEATS - 1."""
    return np.clip(np.searchsorted(bounds, value, side="right") - 1, 0, N_HEATS - 1).tolist()


def heat_map(
    network: RoadNetwork, roads: RoadLines, delayed_veh: FloatArray, bounds: Sequence[float], name: str
) -> str:
    """The network with every road in the colour of what is lost there; roads say their name where they are few."""
    west, south, east, north = roads.extent
    margin = 8.0
    scale = (_SIDE_PX - 2 * margin) / max(east - west, (north - south) / 0.9, 1.0)
    width, height = _SIDE_PX, (north - south) * scale + 2 * margin
    left = (width - (east - west) * scale) / 2
    heats = heat_of(delayed_veh, bounds)
    stroke = float(np.clip(3.0 * float(network.lane_width_m.mean()) * _WIDENING * scale * 0.8, 1.0, 7.0))
    parts: list[list[str]] = [[] for _ in range(N_HEATS)]
    for road, line in enumerate(roads.lines):
        points = [(left + (x - west) * scale, margin + (north - y) * scale) for x, y in line.tolist()]
        title = ""
        if network.n_roads <= _MOST_NAMED:
            title = element("title", f"{_escaped(network.road_ids[road])}: {delayed_veh[road]:.1f} veh")
        drawn = polyline(points, class_=f"heat-{heats[road]}")
        parts[heats[road]].append(drawn if not title else drawn.replace("/>", f">{title}</path>"))
    group = element("g", "".join(path for heat in parts for path in heat), class_="heat", stroke_width=stroke)
    return picture([group], f"delay by road under {name}", width=width, height=max(height, 60.0))


def time_space(network: RoadNetwork, seen: CloseUp, number: int, name: str) -> str:
    """Everybody's line along the arterial; at each stop line a bar, red where the way straight on has no green."""
    arterial = seen.arterial
    if arterial is None:
        return ""
    first, last = seen.window_s
    height = float(np.clip(60 + 62 * len(arterial.movements), 240, 620))
    axes = Axes(
        x=(float(first), float(last)), y=(0.0, arterial.length_m), width=640.0, height=height, left=54.0, top=20.0
    )
    parts = [*axes.y_ticks(ticks(0.0, arterial.length_m)), *axes.x_ticks("time [min]", axes.minutes(10))]
    lines = [
        polyline([(axes.px(t), axes.py(y)) for t, y in zip(line.time_s.tolist(), line.along_m.tolist(), strict=True)])
        for line in seen.lines
    ]
    parts.append(element("g", "".join(lines) or " ", class_="drives", stroke=f"var(--series-{number % N_HEATS})"))
    for movement, stop_m in zip(arterial.movements, arterial.stop_lines_m.tolist(), strict=True):
        parts += _signal_bar(axes, stop_m, green_of(network, seen, movement))
    parts.append(text(axes.left - 6, 10, "[m]", text_anchor="end", class_="label"))
    return picture(parts, f"time-space diagram of the arterial under {name}", width=640.0, height=height)


def green_of(network: RoadNetwork, seen: CloseUp, movement: int) -> list[Glow] | None:
    """When the movement had green within the window; None: no signal stands there."""
    junction = int(network.movement_intersection[movement])
    at = np.flatnonzero(seen.plan.intersection == junction)
    if not len(at):
        return None
    local = movement - int(network.movement_start[junction])
    shown, displays = seen.signals.shown(), seen.signals.displays
    mine = shown.of == at[0]
    first, last = seen.window_s
    glows: list[Glow] = []
    ends = [*shown.time_s[mine][1:].tolist(), last]
    for begin, end, what in zip(shown.time_s[mine].tolist(), ends, shown.what[mine].tolist(), strict=True):
        begin, end = max(begin, first), min(end, last)
        if begin >= end or not displays[what].aspects[local] & GREEN:
            continue
        if glows and glows[-1].end_s == begin:
            begin = glows.pop().begin_s
        glows.append(Glow(begin, end))
    return glows


def heat_legend(bounds: Sequence[float]) -> str:
    """The colours in a row with their bounds."""
    width = 22.0
    parts = [element("rect", x=k * width, y=0, width=width, height=9, class_=f"fill-{k}") for k in range(N_HEATS)]
    at = ((0, "start"), (N_HEATS // 2, "middle"), (N_HEATS, "end"))
    parts += [text(k * width, 22, number_text(round(bounds[k], 1)), text_anchor=anchor) for k, anchor in at]
    drawn = picture(parts, "colours of the heat map", width=N_HEATS * width, height=26.0)
    return drawn.replace("<svg", '<svg class="scale"', 1)


def _signal_bar(axes: Axes, stop_m: float, glows: list[Glow] | None) -> list[str]:
    if glows is None:
        return []
    y = axes.py(stop_m)
    parts = [element("path", d=f"M{axes.left:.1f} {y:.1f}H{axes.width - axes.right:.1f}", class_="stop red")]
    greens = "".join(f"M{axes.px(glow.begin_s):.1f} {y:.1f}H{axes.px(glow.end_s):.1f}" for glow in glows)
    return [*parts, element("path", d=greens, class_="stop green")] if greens else parts


def _escaped(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;")
