"""Charts of results: intervals, lines over time, learning. Each reads objects of `evaluate --json` and gives an SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from intergreen.agents.evaluation.pages.svg import Axes, colour, element, picture, polyline, text, ticks

Result = Mapping[str, Any]
_ROW, _TOP = 26.0, 10.0
_WIDE, _LOW = 470.0, 200.0
_NARROW = 370.0
_LONGEST_NAME = 22


class Series(NamedTuple):
    """A line over time with the spread around it: mean, least and most over the seeds; of equal length."""

    name: str
    number: int
    t: tuple[float, ...]
    mean: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]


class Curve(NamedTuple):
    """A training: minutes, and the travel time [s] that its own evaluations saw."""

    name: str
    number: int
    minutes: tuple[float, ...]
    travel_time_s: tuple[float, ...]


def series_of(results: Sequence[Result], key: str) -> list[Series]:
    """One line per result, where it has values."""
    found = []
    for number, result in enumerate(results):
        series = result.get("series", {})
        rows = list(zip(series.get("t", []), series.get(key, []), strict=True))
        known = [(float(t), [v for v in per_seed if v is not None]) for t, per_seed in rows]
        known = [(t, values) for t, values in known if values]
        if known:
            t, values = zip(*known, strict=True)
            means = tuple(sum(v) / len(v) for v in values)
            found.append(
                Series(result["controller"], number, t, means, tuple(map(min, values)), tuple(map(max, values)))
            )
    return found


def line_chart(lines: Sequence[Series], title: str) -> str:
    """Means over time, with a band from the least to the most seed; an empty text without a line."""
    if not lines:
        return ""
    last, most = max(line.t[-1] for line in lines), max(max(line.most) for line in lines)
    axes = Axes(x=(0.0, last), y=(0.0, _top(most)), width=_WIDE, height=_LOW)
    parts = [*axes.y_ticks(ticks(*axes.y)), *axes.x_ticks("time [min]", axes.minutes())]
    for line in lines:
        forth = [(axes.px(t), axes.py(v)) for t, v in zip(line.t, line.most, strict=True)]
        back = [(axes.px(t), axes.py(v)) for t, v in zip(line.t, line.least, strict=True)]
        parts.append(polyline([*forth, *back[::-1]], fill=colour(line.number), class_="band"))
    for line in lines:
        points = [(axes.px(t), axes.py(v)) for t, v in zip(line.t, line.mean, strict=True)]
        parts.append(polyline(points, stroke=colour(line.number), class_="line"))
    return picture(parts, f"{title} over time", width=_WIDE, height=_LOW)


def interval_chart(results: Sequence[Result], metric: str, title: str) -> str:
    """Mean and 95 % interval of a metric, one row per controller, with a dot for every seed."""
    known = [(n, r) for n, r in enumerate(results) if r["metrics"].get(metric, {}).get("mean") is not None]
    if not known:
        return ""
    values = [v for _, r in known for v in _spread(r["metrics"][metric])]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or max(1.0, 0.05 * abs(high))
    height = _TOP + _ROW * len(known) + 36
    left = 16.0 + 7.2 * min(_LONGEST_NAME, max(len(result["controller"]) for _, result in known))
    x = max(0.0, low - margin), high + margin
    axes = Axes(x=x, y=(0.0, 1.0), width=_NARROW, height=height, left=left, top=_TOP)
    base = height - axes.bottom
    parts = [element("path", d=f"M{axes.px(t):.1f} {_TOP}V{base:.1f}", class_="grid") for t in ticks(*axes.x, 4)]
    parts += axes.x_ticks(title, [(t, f"{t:,.10g}") for t in ticks(*axes.x, 4)])
    for row, (number, result) in enumerate(known):
        parts += _interval_row(axes, _TOP + _ROW * (row + 0.5), number, result["controller"], result["metrics"][metric])
    return picture(parts, f"{title}, mean and 95 % interval per controller", width=_NARROW, height=height)


def learning_chart(curves: Sequence[Curve], baselines: Mapping[str, float]) -> str:
    """Travel time over the minutes of training; dashed, what baselines reach on the same trips."""
    curves = [curve for curve in curves if curve.minutes]
    if not curves:
        return ""
    values = [value for curve in curves for value in curve.travel_time_s] + list(baselines.values())
    margin = 0.12 * (max(values) - min(values)) or 1.0
    y = max(0.0, min(values) - margin), max(values) + margin
    axes = Axes(x=(0.0, max(curve.minutes[-1] for curve in curves)), y=y, width=_WIDE, height=_LOW)
    at = [(t, f"{t:,.10g}") for t in ticks(*axes.x)]
    parts = [*axes.y_ticks(ticks(*axes.y)), *axes.x_ticks("training [min]", at)]
    for rank, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: -item[1])):
        y_px, right = axes.py(value), axes.width - axes.right
        parts.append(element("path", d=f"M{axes.left:.1f} {y_px:.1f}H{right:.1f}", class_="dashed"))
        parts.append(text(right, y_px + (13 if rank else -4), name, text_anchor="end", class_="label"))
    for curve in curves:
        points = [(axes.px(m), axes.py(v)) for m, v in zip(curve.minutes, curve.travel_time_s, strict=True)]
        parts.append(polyline(points, stroke=colour(curve.number), class_="line"))
    return picture(parts, "travel time over training", width=_WIDE, height=_LOW)


def _interval_row(axes: Axes, y: float, number: int, name: str, summary: Mapping[str, Any]) -> list[str]:
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    parts = [text(axes.left - 8, y + 4, shown, text_anchor="end", class_="name")]
    for value in summary["per_seed"]:
        if value is not None:
            parts.append(element("circle", cx=axes.px(value), cy=y, r=2.2, fill=colour(number), class_="seed"))
    low, high = summary["ci95"]
    if low is not None and len(summary["per_seed"]) > 1:
        d = f"M{axes.px(low):.1f} {y:.1f}H{axes.px(high):.1f}"
        parts.append(element("path", d=d, stroke=colour(number), class_="whisker"))
    parts.append(element("circle", cx=axes.px(summary["mean"]), cy=y, r=4.5, fill=colour(number), class_="mean"))
    return parts


def _spread(summary: Mapping[str, Any]) -> list[float]:
    return [v for v in (summary["mean"], *summary["ci95"], *summary["per_seed"]) if v is not None]


def _top(value: float) -> float:
    """A little above the largest value."""
    return value * 1.05 if value > 0 and math.isfinite(value) else 1.0
