"""The page of a comparison: one section for each setting, with its table, its charts and what was seen closely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from intergreen.agents.controllers.registry import bound_names
from intergreen.agents.evaluation.pages import maps
from intergreen.agents.evaluation.pages.assemble import page
from intergreen.agents.evaluation.pages.charts import interval_chart, learning_chart, line_chart, series_of
from intergreen.agents.evaluation.pages.codec import pack
from intergreen.agents.evaluation.pages.learning import Learnt, learnt
from intergreen.agents.evaluation.pages.svg import colour
from intergreen.agents.evaluation.report import comparisons, group_by_setting, html_table
from intergreen.envs.signals.state import INTERVENTIONS

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.evaluation.pages.close_up import CloseUp
    from intergreen.agents.tables import TextTable

MOST_CLOSE = 6  # controllers of a setting that are looked at closely
INTERVALS = (
    ("average_travel_time_s", "travel time [s]"),
    ("delay_s", "delay [s]"),
    ("mean_queue_veh", "mean queue [veh]"),
)
OVER_TIME = (
    ("halted_veh", "Vehicles waiting on lanes"),
    ("average_travel_time_s", "Travel time so far [s]"),
    ("running_veh", "Vehicles in the network"),
    ("waiting_outside_veh", "Vehicles waiting outside"),
)


class Near(NamedTuple):
    """A cell, the place of its result among those of its setting, and what was seen closely."""

    cell: Cell
    number: int
    seen: CloseUp


class Section(NamedTuple):
    """One setting: its results, its table, the runs seen closely, and the trainings behind its controllers."""

    title: str
    results: list[Mapping[str, Any]]
    table: TextTable
    near: list[Near]
    learnt: Learnt


def runs_to_see(cells: Sequence[Cell], results: Sequence[Mapping[str, Any]]) -> list[tuple[Cell, int]]:
    """The first `MOST_CLOSE` cells of every scenario that came to an end, and the first seed with which all did.

    Bounds are left out: there are no signals and no traffic to look at.

    results  of the cells, in their order; `seeds` are those that came to an end
    """
    chosen = []
    for name in dict.fromkeys(cell.scenario.name for cell in cells):
        ended = [
            (cell, result["seeds"])
            for cell, result in zip(cells, results, strict=True)
            if cell.scenario.name == name and result["seeds"] and cell.controller_name not in bound_names()
        ][:MOST_CLOSE]
        common = [seed for seed in ended[0][1] if all(seed in seeds for _, seeds in ended)] if ended else []
        chosen += [(cell, common[0] if common else seeds[0]) for cell, seeds in ended]
    return chosen


def sections_of(
    results: Sequence[Mapping[str, Any]], names: Mapping[str, str], seen: Sequence[tuple[Cell, CloseUp]]
) -> list[Section]:
    """Results by setting, with what belongs to them.

    names  what the user called each controller, by its name in the results
    """
    sections = []
    for (setting, group), table in zip(group_by_setting(results).items(), comparisons(results), strict=True):
        number = {result["controller"]: k for k, result in enumerate(group)}
        near = [
            Near(cell, number[cell.controller_title], close)
            for cell, close in seen
            if cell.scenario.name == setting.scenario and cell.controller_title in number
        ]
        found = learnt([(k, names.get(r["controller"], r["controller"]), r["controller"]) for k, r in enumerate(group)])
        sections.append(Section(setting.title(), list(group), table, near, found))
    return sections


def comparison_page(sections: Sequence[Section], more: Sequence[TextTable] = ()) -> str:
    """The page as text, `more` tables at its end."""
    at_end = [
        f'<section><h2>{escape(table.title)}</h2><div class="card scroll">{html_table(table)}</div></section>'
        for table in more
    ]
    facts: dict[str, Any] = {"interventions": list(INTERVENTIONS), "sections": [_facts(s) for s in sections]}
    data = {
        f"timing-{k}-{n}": _packed(near) for k, section in enumerate(sections) for n, near in enumerate(section.near)
    }
    scenarios = list(dict.fromkeys(section.results[0]["scenario"] for section in sections))
    heading = scenarios[0] if len(scenarios) == 1 else f"{len(scenarios)} scenarios"
    return page(
        "comparison.html",
        title=f"Comparison: {heading}",
        styles=("theme.css", "comparison.css"),
        scripts=("unpack.js", "theme.js", "events.js", "timing.js"),
        facts=facts,
        data=data,
        heading=escape(heading),
        contents=_contents(sections),
        body="\n".join([*(_section(k, section) for k, section in enumerate(sections)), *at_end]),
    )


def _contents(sections: Sequence[Section]) -> str:
    if len(sections) < 2:
        return ""
    links = "".join(
        f'<li><button type="button" data-to="s{k}">{escape(s.title)}</button></li>' for k, s in enumerate(sections)
    )
    return f'<nav aria-label="Settings"><ul>{links}</ul></nav>'


def _section(k: int, section: Section) -> str:
    parts = [
        f'<section id="s{k}"><h2>{escape(section.table.title)}</h2>',
        _legend(section),
        f'<div class="card scroll">{_table(section)}</div>',
        _charts("Intervals", "Mean, 95 % interval, a dot for every seed.", _intervals(section)),
        _charts(
            "Over time", "Mean over the seeds; the band reaches from the least to the most.", _over_time(section), "two"
        ),
        _charts("Learning", _LEARNING, [("", learning_chart(section.learnt.curves, section.learnt.baselines))], "two"),
        _near_parts(k, section),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


_LEARNING = (
    "Travel time [s] that each training reached on its own evaluation trips; dashed, baselines on the same trips."
)


def _intervals(section: Section) -> list[tuple[str, str]]:
    return [("", interval_chart(section.results, metric, title)) for metric, title in INTERVALS]


def _over_time(section: Section) -> list[tuple[str, str]]:
    return [(title, line_chart(series_of(section.results, key), title)) for key, title in OVER_TIME]


def _legend(section: Section) -> str:
    items = "".join(
        f'<li><i class="swatch" style="background:{colour(number)}"></i>{escape(result["controller"])}</li>'
        for number, result in enumerate(section.results)
    )
    return f'<ul class="legend" aria-label="Colours">{items}</ul>'


def _table(section: Section) -> str:
    table = section.table

    def line(tag: str, cells: Sequence[str], r: int) -> str:
        drawn = []
        for c, words in enumerate(cells):
            scope = ' scope="row"' if c == 0 and r >= 0 else ' scope="col"' if r < 0 else ""
            best = ' class="best"' if (r, c) in table.marked else ""
            name = "th" if c == 0 else tag
            drawn.append(f"<{name}{scope}{best}>{_cell(words)}</{name}>")
        return f"<tr>{''.join(drawn)}</tr>"

    rows = "\n".join(line("td", row, r) for r, row in enumerate(table.rows))
    return f"<table><thead>{line('th', table.headings, -1)}</thead>\n<tbody>{rows}</tbody></table>"


def _cell(words: str) -> str:
    """The interval behind a mean in quiet colours."""
    mean, bracket, interval = words.partition(" [")
    if not bracket:
        return escape(words)
    return f'{escape(mean)} <span class="quiet">[{escape(interval)}</span>'


def _charts(title: str, words: str, charts: Sequence[tuple[str, str]], kind: str = "") -> str:
    drawn = [(caption, svg) for caption, svg in charts if svg]
    if not drawn:
        return ""
    figures = "".join(
        f'<figure class="card">{f"<figcaption>{caption}</figcaption>" if caption else ""}{svg}</figure>'
        for caption, svg in drawn
    )
    return f'<h3>{escape(title)}</h3><p class="quiet">{escape(words)}</p><div class="charts {kind}">{figures}</div>'


def _near_parts(k: int, section: Section) -> str:
    """Heat maps, time-space diagrams and timing bars of the runs that were seen closely."""
    if not section.near:
        return ""
    names = [section.results[near.number]["controller"] for near in section.near]
    captions = [
        f'<i class="swatch" style="background:{colour(near.number)}"></i>{escape(name)}'
        for near, name in zip(section.near, names, strict=True)
    ]
    first = section.near[0]
    seed, network = first.seen.seed, first.cell.scenario.network
    bounds, roads = maps.heat_bounds([near.seen.delayed_veh for near in section.near]), maps.road_lines(network)
    heats = [
        (caption, maps.heat_map(network, roads, near.seen.delayed_veh, bounds, name))
        for caption, near, name in zip(captions, section.near, names, strict=True)
    ]
    drives = [
        (caption, maps.time_space(network, near.seen, near.number, name))
        for caption, near, name in zip(captions, section.near, names, strict=True)
    ]
    left_out = len(section.results) - len(section.near)
    only = f" The first {len(section.near)} controllers only." if left_out > 0 else ""
    lost = f"Vehicles held up on each road, on average over seed {seed}.{only}"
    way = f"Everybody on the lanes of the longest way straight on, seed {seed}; metres upwards, signals red or green."
    heat = _charts("Where time is lost", lost, heats)
    legend = f'<div class="scale-row"><span class="quiet">vehicles held up</span>{maps.heat_legend(bounds)}</div>'
    return "\n".join(
        [
            heat.replace('<div class="charts', f'{legend}<div class="charts', 1),
            _charts("Along the arterial", way, drives, "wide"),
            _timing(k, section),
        ]
    )


def _timing(k: int, section: Section) -> str:
    """The place for timing bars, which the script draws for the signal that is chosen."""
    ids = section.near[0].cell.scenario.network.intersection_ids
    signals = [ids[j] for j in section.near[0].seen.plan.intersection.tolist()]
    if not signals:
        return ""
    options = "".join(f'<option value="{i}">{escape(name)}</option>' for i, name in enumerate(signals))
    return (
        f'<h3>Signal timing</h3><p class="quiet">What one signal showed, seed {section.near[0].seen.seed}; '
        "a mark where the shield overruled the controller.</p>"
        f'<div class="card timing" data-section="{k}"><div class="choose">'
        f"<label>Signal <select>{options}</select></label>"
        '<label class="from">From <input type="range" min="0" value="0" step="30"> <output></output></label></div>'
        '<div class="bars"></div><p class="quiet key"><span><i class="lamp phase"></i> green, with the number of the '
        'phase</span><span><i class="lamp clearance"></i> between two greens</span><span><i class="tick"></i> shield'
        "</span></p></div>"
    )


def _facts(section: Section) -> dict[str, Any]:
    near = section.near
    if not near:
        return {"near": []}
    return {
        "horizon_s": int(section.results[0]["horizon_s"]),
        "window_s": list(near[0].seen.window_s),
        "signals": len(near[0].seen.plan.intersection),
        "near": [
            {
                "name": section.results[one.number]["controller"],
                "number": one.number,
                "clearance": one.seen.plan.clearance_phase.tolist(),
                "phases": [display.phase for display in one.seen.signals.displays],
            }
            for one in near
        ],
    }


def _packed(near: Near) -> str:
    shown, overruled = near.seen.signals.shown(), near.seen.signals.interventions()
    arrays = {f"shown_{name}": values for name, values in shown._asdict().items()}
    arrays |= {f"overruled_{name}": values for name, values in overruled._asdict().items()}
    return pack(arrays, ascending=("shown_time_s", "overruled_time_s"))
