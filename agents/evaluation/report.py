"""Comparison tables: controllers as rows, metrics as columns, one table per scenario and protocol.

Reads the objects that `evaluate --json` writes and nothing else, so that a table can be made again from files.
Numbers measured under different rules (scenario, protocol, horizon, simulator) never share a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import IO, Any, NamedTuple

from intergreen.agents.controllers.registry import bound_names
from intergreen.agents.evaluation.picture import travel_time_svg, write_travel_time_png
from intergreen.agents.tables import TextTable, cell_text, markdown_text, markdown_words, print_table
from intergreen.envs.files import write_text

Result = Mapping[str, Any]
"""One object of `evaluate --json`."""


class Column(NamedTuple):
    """How one metric is shown: its key in the JSON, its heading with the unit, its decimals."""

    metric: str
    heading: str
    decimals: int
    lower_is_better: bool = True
    with_interval: bool = False


COLUMNS = (
    Column("average_travel_time_s", "travel time [s]", 1, with_interval=True),
    Column("approach_time_s", "approach [s]", 1),
    Column("delay_s", "delay [s]", 1),
    Column("mean_queue_veh", "queue [veh]", 1),
    Column("stops_per_veh", "stops", 2),
    Column("throughput_veh", "throughput [veh]", 0, lower_is_better=False),
    Column("waiting_outside_veh", "outside [veh]", 0),
)


class Setting(NamedTuple):
    """What must be equal for two results to stand in one table."""

    scenario: str
    protocol: str
    horizon_s: int
    simulator: str
    faults: str = ""

    def title(self) -> str:
        """The setting in one line."""
        faults = f" · {self.faults}" if self.faults else ""
        return f"{self.scenario} · {self.protocol} · {self.horizon_s} s · {self.simulator}{faults}"


def setting_of(result: Result) -> Setting:
    """Under which rules the result was measured."""
    faults = ", ".join(_fault_text(fault) for fault in result.get("faults", ()))
    return Setting(result["scenario"], result["protocol"], result["horizon_s"], result["simulator"], faults)


def group_by_setting(results: Sequence[Result]) -> dict[Setting, list[Result]]:
    """The results that may share a table, in the order in which the settings first appear."""
    groups: dict[Setting, list[Result]] = {}
    for result in results:
        groups.setdefault(setting_of(result), []).append(result)
    return groups


def comparisons(results: Sequence[Result]) -> list[TextTable]:
    """One table for each setting; the best mean of each column is marked, of controllers that finished every seed."""
    return [_comparison(setting, group) for setting, group in group_by_setting(results).items()]


def metrics_table(result: Result) -> TextTable:
    """All metrics of one result, one row each; the metrics' names carry their units."""
    title = f"{result['controller']} · {setting_of(result).title()}"
    title += f" · seeds {seed_text(result['seeds'])}{_dropped(result)}"
    rows = []
    for name, summary in result["metrics"].items():
        lower, upper = (cell_text(bound) for bound in summary["ci95"])
        rows.append((name, cell_text(summary["mean"]), f"[{lower}, {upper}]" if len(summary["per_seed"]) > 1 else "–"))
    return TextTable(title, ("metric", "mean", "95 % interval"), tuple(rows))


def print_comparisons(results: Sequence[Result], file: IO[str] | None = None) -> None:
    """Print the tables in the form that suits a terminal or a pipe."""
    for table in comparisons(results):
        print_table(table, file)


def markdown(results: Sequence[Result], more: Sequence[TextTable] = ()) -> str:
    """All tables as Markdown, `more` behind them; the best mean of each column is bold."""
    tables = (*comparisons(results), *more)
    sections = [f"## {markdown_words(table.title)}\n\n{markdown_text(table)}" for table in tables]
    return "\n".join(["# Comparison of controllers\n", f"{_READING}\n", *sections])


def html(results: Sequence[Result], more: Sequence[TextTable] = ()) -> str:
    """All tables, each with its picture of travel time over time, and `more`, as one page that loads nothing from
    elsewhere."""
    sections = []
    for table, group in zip(comparisons(results), group_by_setting(results).values(), strict=True):
        sections.append(f"<h2>{escape(table.title)}</h2>\n{html_table(table)}\n{travel_time_svg(group)}")
    sections += [f"<h2>{escape(table.title)}</h2>\n{html_table(table)}" for table in more]
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Comparison of controllers</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>Comparison of controllers</h1>\n<p>{escape(_READING)}</p>\n"
        f"{body}\n</body></html>\n"
    )


def write_report(results: Sequence[Result], folder: Path, more: Sequence[TextTable] = ()) -> list[Path]:
    """Write `report.md`, `report.html`, both with `more` tables behind their own, and, where matplotlib is installed, a
    picture per table; returns the paths."""
    written = [folder / "report.md", folder / "report.html"]
    write_text(written[0], markdown(results, more))
    write_text(written[1], html(results, more))
    for number, (setting, group) in enumerate(group_by_setting(results).items(), start=1):
        picture = folder / f"travel_time_{number}.png"
        if write_travel_time_png(group, picture, title=setting.title()):
            written.append(picture)
    return written


def seed_text(seeds: Sequence[int]) -> str:
    """Seeds in few characters.

    >>> seed_text([0, 1, 2, 3]), seed_text([0, 1, 5]), seed_text([3])
    ('0-3', '0,1,5', '3')
    """
    if not seeds:
        return "none"
    consecutive = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if consecutive else ",".join(str(seed) for seed in seeds)


_READING = (
    "Mean over the seeds; in brackets the 95 % interval of the mean where there are several seeds (bootstrap-t, below "
    "eight seeds Student's t). Travel time counts every vehicle whose departure time has come, the waiting outside the "
    "network included."
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin-bottom:1.5rem;display:block;overflow-x:auto}"
    "td,th{padding:.25rem .5rem;border-bottom:1px solid #ccc;text-align:right}td{white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}.best{font-weight:bold}svg{max-width:100%;height:auto}"
)


def _comparison(setting: Setting, results: Sequence[Result]) -> TextTable:
    columns = [column for column in COLUMNS if any(column.metric in result["metrics"] for result in results)]
    same_seeds = all(result["seeds"] == results[0]["seeds"] for result in results)
    title = f"{setting.title()} · seeds {seed_text(results[0]['seeds'])}" if same_seeds else setting.title()
    title += _dropped(results[0])
    headings = ["controller", *(column.heading for column in columns), "faults"]
    rows = [[r["controller"], *(_cell(r, column) for column in columns), _faults(r)] for r in results]
    if not same_seeds:
        headings.append("seeds")
        rows = [[*row, seed_text(result["seeds"])] for row, result in zip(rows, results, strict=True)]
    if any(result.get("failed") for result in results):
        headings.append("failed")
        rows = [[*row, _failed(result)] for row, result in zip(rows, results, strict=True)]
    best = {(r, c) for c, column in enumerate(columns, start=1) for r in _best_rows(results, column)}
    return TextTable(title, tuple(headings), tuple(tuple(row) for row in rows), frozenset(best))


def _dropped(result: Result) -> str:
    """How many flows the reader left out, where it left out any: the demand is then not the file's. Of SUMO's files
    vehicles are counted, one by one."""
    flows = result.get("dropped_flows", 0)
    what = f"flow{'' if flows == 1 else 's'} or vehicle{'' if flows == 1 else 's'}"
    return f" · {flows} {what} left out, with no way for cars" if flows else ""


def _fault_text(fault: Mapping[str, Any]) -> str:
    """One injected fault in few words: its kind, where, how, from when to when."""
    own = {name: value for name, value in fault.items() if name not in ("kind", "share", "lanes", "begin_s", "end_s")}
    where = fault.get("lanes") or ([f"{100.0 * fault['share']:.6g} %"] if fault.get("share") is not None else [])
    how = [f"{name} {value}" for name, value in own.items()]
    end = "" if fault["end_s"] is None else f" to {fault['end_s']}"
    return " ".join([fault["kind"], *where, *how, f"from {fault['begin_s']}{end} s"])


def _cell(result: Result, column: Column) -> str:
    summary = result["metrics"].get(column.metric)
    if summary is None or summary["mean"] is None:
        return "–"
    text = f"{summary['mean']:.{column.decimals}f}"
    lower, upper = summary["ci95"]
    if column.with_interval and len(summary["per_seed"]) > 1 and lower is not None:
        text += f" [{lower:.{column.decimals}f}, {upper:.{column.decimals}f}]"
    return text


def _faults(result: Result) -> str:
    return cell_text(result.get("safety", {}).get("monitor_faults"))


def _failed(result: Result) -> str:
    """How many seeds did not come to their end, and why the first of them did not."""
    failed = result.get("failed", ())
    return f"{len(failed)} of {len(failed) + len(result['seeds'])}: {failed[0]['why']}" if failed else "–"


def _best_rows(results: Sequence[Result], column: Column) -> list[int]:
    """Rows with the best printed mean; none where there is nothing to compare.

    A bound is no controller and would always be the best; who failed on a seed may have been spared the worst one.
    """
    means = {
        r: _printed_mean(result, column)
        for r, result in enumerate(results)
        if result["controller"] not in bound_names() and not result.get("failed")
    }
    known = [mean for mean in means.values() if mean is not None]
    if len(known) < 2:
        return []
    best = min(known) if column.lower_is_better else max(known)
    return [r for r, mean in means.items() if mean == best]


def _printed_mean(result: Result, column: Column) -> float | None:
    mean = result["metrics"].get(column.metric, {}).get("mean")
    return None if mean is None else round(mean, column.decimals)


def html_table(table: TextTable) -> str:
    """The table as a page has it; the marked cells are of class `best`."""

    def line(tag: str, cells: Sequence[str], r: int) -> str:
        marked = (
            f"<{tag}{' class=best' if (r, c) in table.marked else ''}>{escape(cell)}</{tag}>"
            for c, cell in enumerate(cells)
        )
        return f"<tr>{''.join(marked)}</tr>"

    rows = "\n".join(line("td", row, r) for r, row in enumerate(table.rows))
    return f"<table>\n{line('th', table.headings, -1)}\n{rows}\n</table>"
