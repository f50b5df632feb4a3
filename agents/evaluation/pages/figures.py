"""The pictures of a comparison for papers: PDF and PNG, by matplotlib, with the same content as the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.evaluation.pages import maps
from intergreen.agents.evaluation.pages.charts import series_of
from intergreen.agents.evaluation.picture import COLOURS
from intergreen.envs.errors import InputError
from intergreen.envs.files import replacing

if TYPE_CHECKING:
    from intergreen.agents.evaluation.pages.comparison import Near, Section

_WIDTH_IN, _DPI = 6.4, 200
_SUFFIXES = (".pdf", ".png")
_GREEN, _RED, _MARK = "#009e73", "#c2362b", "#d55e00"
_PHASES, _BETWEEN = ("#93c9b2", "#bfdfd1"), "#f1dfb4"
_HEATS = ("#dde3ea", "#f4dcae", "#f0bb6b", "#e3903f", "#c5622c", "#963a24", "#5c1a1a")
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts as outlines that editors and journals can read
    "svg.hashsalt": "intergreen",
}


def require_matplotlib() -> None:
    """Refuse before hours of work what could not be drawn afterwards."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        mend = 'pip install "intergreen[plots]"'
        raise InputError("command line", "--figures", "matplotlib is not installed", mend) from None


def write_figures(sections: Sequence[Section], folder: Path) -> list[Path]:
    """Write every picture of every section to `folder`, as PDF and as PNG; returns the paths."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    written = []
    with mpl.rc_context(_STYLE):
        for section in sections:
            for name, size, draw in _pictures(section):
                figure = Figure(figsize=size, layout="constrained")
                draw(figure)
                stem = re.sub(r"[^\w.-]+", "-", f"{section.title}-{name}").strip("-")
                for suffix in _SUFFIXES:
                    path = folder / f"{stem}{suffix}"
                    with replacing(path) as temporary:
                        figure.savefig(
                            temporary, dpi=_DPI, metadata={"CreationDate": None} if suffix == ".pdf" else None
                        )
                    written.append(path)
    return written


Drawing = tuple[str, tuple[float, float], Callable[[Any], None]]


def _pictures(section: Section) -> Iterator[Drawing]:
    """Name, size in inches and what draws it, of all pictures that the section has something to show for."""
    rows = len(section.results)
    yield "intervals", (_WIDTH_IN, 0.9 + 0.26 * rows), lambda figure: _intervals(figure, section)
    if series_of(section.results, "halted_veh"):
        yield "queues", (_WIDTH_IN, 2.6), lambda figure: _queues(figure, section)
    if not section.near:
        return
    count, network = len(section.near), section.near[0].cell.scenario.network
    columns = min(count, 3)
    tall = 0.4 + 2.3 * -(-count // columns)
    yield "delay-map", (_WIDTH_IN, tall), lambda figure: _heats(figure, section, columns)
    if section.near[0].seen.arterial is not None:
        yield "time-space", (_WIDTH_IN, 2.6 * count), lambda figure: _drives(figure, section)
    if network.n_intersections:
        yield "timing", (_WIDTH_IN, 0.8 + 0.42 * count), lambda figure: _timing(figure, section)


def _intervals(figure: Any, section: Section) -> None:
    axes = figure.add_subplot()
    axes.grid(axis="y", visible=False)
    for row, result in enumerate(section.results):
        summary, colour = result["metrics"].get("average_travel_time_s", {}), _colour(row)
        if summary.get("mean") is None:
            continue
        seeds = [value for value in summary["per_seed"] if value is not None]
        axes.plot(seeds, [row] * len(seeds), "o", color=colour, alpha=0.3, markersize=3, markeredgewidth=0)
        if len(seeds) > 1 and summary["ci95"][0] is not None:
            axes.plot(summary["ci95"], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot([summary["mean"]], [row], "o", color=colour, markersize=5.5)
    axes.set_yticks(range(len(section.results)), [result["controller"] for result in section.results])
    axes.set_ylim(len(section.results) - 0.5, -0.5)
    axes.set_xlabel("average travel time [s]: mean, 95 % interval, seeds")


def _queues(figure: Any, section: Section) -> None:
    axes = figure.add_subplot()
    for line in series_of(section.results, "halted_veh"):
        minutes = np.array(line.t) / 60.0
        axes.fill_between(minutes, line.least, line.most, color=_colour(line.number), alpha=0.15, linewidth=0)
        axes.plot(minutes, line.mean, color=_colour(line.number), label=line.name, linewidth=1.4)
    axes.set(xlabel="time [min]", ylabel="vehicles waiting", xlim=(0, None), ylim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _heats(figure: Any, section: Section, columns: int) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    colours = LinearSegmentedColormap.from_list("heat", _HEATS)
    roads = maps.road_lines(section.near[0].cell.scenario.network)
    top = maps.heat_bounds([near.seen.delayed_veh for near in section.near])[-1]
    grid = figure.subplots(-(-len(section.near) // columns), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, near in zip(grid.flat, section.near, strict=False):
        lines = LineCollection(roads.lines, cmap=colours, norm=PowerNorm(0.5, 0, top), linewidths=2.2)
        lines.set_array(near.seen.delayed_veh)
        axes.add_collection(lines)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.set_title(_name(section, near), fontsize=9)
    figure.colorbar(lines, ax=grid, label="vehicles held up", shrink=0.7, extend="max")


def _drives(figure: Any, section: Section) -> None:
    from matplotlib.collections import LineCollection

    grid = figure.subplots(len(section.near), 1, squeeze=False, sharex=True)[:, 0]
    for axes, near in zip(grid, section.near, strict=True):
        seen, network = near.seen, near.cell.scenario.network
        assert seen.arterial is not None
        lines = [np.column_stack([line.time_s / 60.0, line.along_m]) for line in seen.lines]
        axes.add_collection(
            LineCollection(lines, colors=_colour(near.number), linewidths=0.5, rasterized=len(lines) > 2000)
        )
        for movement, stop_m in zip(seen.arterial.movements, seen.arterial.stop_lines_m.tolist(), strict=True):
            glows = maps.green_of(network, seen, movement)
            if glows is None:
                continue
            axes.plot([s / 60.0 for s in seen.window_s], [stop_m] * 2, color=_RED, linewidth=2, solid_capstyle="butt")
            for glow in glows:
                axes.plot(
                    [glow.begin_s / 60.0, glow.end_s / 60.0],
                    [stop_m] * 2,
                    color=_GREEN,
                    linewidth=3,
                    solid_capstyle="butt",
                )
        axes.set(xlim=[s / 60.0 for s in seen.window_s], ylim=(0, seen.arterial.length_m), ylabel="way [m]")
        axes.grid(axis="y", visible=False)
        axes.set_title(_name(section, near), fontsize=9)
    grid[-1].set_xlabel("time [min]")


def _timing(figure: Any, section: Section) -> None:
    """Bars of the signal that the shield overruled most, with the others' at the same place below."""
    axes = figure.add_subplot()
    axes.grid(visible=False)
    signal = _most_overruled(section)
    for row, near in enumerate(section.near):
        clearance = int(near.seen.plan.clearance_phase[signal])
        for begin, end, phase in _shown(near, signal):
            is_between = phase < 0 or phase == clearance
            colour = _BETWEEN if is_between else _PHASES[phase % 2]
            axes.barh(row, (end - begin) / 60.0, left=begin / 60.0, height=0.7, color=colour, linewidth=0)
            if not is_between and end - begin >= 15:
                axes.text((begin + end) / 120.0, row, str(phase), ha="center", va="center", fontsize=6)
        overruled = near.seen.signals.interventions()
        at = overruled.time_s[overruled.of == signal]
        axes.plot(at / 60.0, np.full(len(at), row + 0.42), "^", color=_MARK, markersize=3.5, markeredgewidth=0)
    axes.set_yticks(range(len(section.near)), [_name(section, near) for near in section.near])
    axes.set(xlim=[s / 60.0 for s in section.near[0].seen.window_s], ylim=(len(section.near) - 0.5, -0.5))
    network, plan = section.near[0].cell.scenario.network, section.near[0].seen.plan
    axes.set_xlabel(
        f"time [min]; phases of {network.intersection_ids[plan.intersection[signal]]}; triangles: the shield"
    )


def _most_overruled(section: Section) -> int:
    counts = np.zeros(section.near[0].seen.plan.n_signals, int)
    for near in section.near:
        counts += np.bincount(near.seen.signals.interventions().of, minlength=len(counts))
    return int(counts.argmax())


def _shown(near: Near, signal: int) -> Iterator[tuple[int, int, int]]:
    """Begin, end and phase of what the signal showed within the window."""
    first, last = near.seen.window_s
    shown, displays = near.seen.signals.shown(), near.seen.signals.displays
    mine = shown.of == signal
    begins = shown.time_s[mine].tolist()
    for begin, end, what in zip(begins, [*begins[1:], last], shown.what[mine].tolist(), strict=True):
        if max(begin, first) < min(end, last):
            yield max(begin, first), min(end, last), displays[what].phase


def _name(section: Section, near: Near) -> str:
    return str(section.results[near.number]["controller"])


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
