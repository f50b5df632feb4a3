"""Travel time over time, one line per controller: as SVG text for a page, and as PNG where matplotlib is installed.

Both read the `series` of `evaluate --json` objects that share one setting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from intergreen.envs.files import replacing

# Okabe and Ito: safe for all eyes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
WIDTH, HEIGHT = 720, 320  # px
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 16, 44  # px, margins; the legend stands in the right one


class Line(NamedTuple):
    """One controller's mean over the seeds: `t` [s] and `value` [s] of equal length."""

    name: str
    t: list[float]
    value: list[float]


def travel_time_lines(results: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Each controller's average travel time so far, from series of shape (T, S), times × seeds.

    Results without a series, and times at which no vehicle had departed yet, are left out.
    """
    lines = []
    for result in results:
        series = result.get("series", {})
        rows = zip(series.get("t", []), series.get("average_travel_time_s", []), strict=True)
        means = [(float(t), _mean(per_seed)) for t, per_seed in rows]
        known = [(t, mean) for t, mean in means if mean is not None]
        if known:
            lines.append(Line(result["controller"], [t for t, _ in known], [mean for _, mean in known]))
    return lines


def travel_time_svg(results: Sequence[Mapping[str, Any]]) -> str:
    """The picture as one `<svg>` element; an empty text where no result has a series."""
    lines = travel_time_lines(results)
    if not lines:
        return ""
    last_t = max(line.t[-1] for line in lines)
    top_value = _round_up(max(max(line.value) for line in lines))
    parts = [_axes(last_t, top_value)]
    for k, line in enumerate(lines):
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(
            f"{_x(t, last_t):.1f},{_y(v, top_value):.1f}" for t, v in zip(line.t, line.value, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(WIDTH - RIGHT + 12, TOP + 14 + 20 * k, line.name, colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        f'aria-label="average travel time over time" font-family="sans-serif" font-size="13">{"".join(parts)}</svg>'
    )


def write_travel_time_png(results: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> bool:
    """Write the picture to `path`; False without matplotlib or without a series (nothing is written then)."""
    lines = travel_time_lines(results)
    if not lines:
        return False
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    for k, line in enumerate(lines):
        axes.plot(line.t, line.value, label=line.name, color=COLOURS[k % len(COLOURS)])
    axes.set(title=title, xlabel="time [s]", ylabel="average travel time so far [s]", xlim=(0, None), ylim=(0, None))
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return True


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _round_up(value: float) -> float:
    """The next larger 1, 2 or 5 times a power of ten: the top of the axis."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power)


def _x(t: float, last_t: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * t / last_t


def _y(value: float, top_value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top_value


def _axes(last_t: float, top_value: float) -> str:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share * top_value, top_value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{share * top_value:g}", anchor="end"))
        parts.append(_text(_x(share * last_t, last_t), HEIGHT - BOTTOM + 18, f"{share * last_t:g}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "time [s]", anchor="middle"))
    parts.append(_text(LEFT, TOP - 4, "average travel time so far [s]"))
    return "".join(parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
