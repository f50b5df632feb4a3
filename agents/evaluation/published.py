"""Published results of the CoLight and LLMLight family beside ours, on their networks and under their rules.

What others print as average travel time is `approach_time_literature_s` here. A figure is compared under its own
timing only: deciding more often changes every method's travel time by more than the methods differ.

Sources, by the names used below; all of them drive CityFlow:

LLMLight's code          max-pressure and advanced max-pressure of that library, run on the same files. What the paper
                         (KDD 2025) prints comes out, but for max-pressure on jinan_3x4 at 30 s: 281.58 in print
rebuilt                  advanced max-pressure by another's hand, one run each; at 15 s it came out 0.6 % above
                         LLMLight's code on jinan_3x4, 0.4 % on hangzhou_4x4
EvoSignal                the preprint's tables 2 and 3, which also reprint the LLMLight paper's
DiffLight                the paper's table 4; that its decisions are every 15 s is inferred
Advanced_XLight, again   the authors' public code run by a student, 80 rounds
CoordLight               T-ITS 2025, from digests: without lane changing, and which Jinan file it is and whether whole
                         trips is not clear
all green                every trip alone and no signals, cut at the horizon: nothing can be faster. Ours beside it is
                         counted as theirs seems to have been, see `alone_as_published`
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intergreen.agents.controllers import controller_names
from intergreen.agents.evaluation.compare import Cell, comparison_cells, run_cells
from intergreen.agents.evaluation.free_flow import alone_as_published
from intergreen.agents.evaluation.statistics import percentile_interval, summarise
from intergreen.agents.progress import Progress, part_of
from intergreen.agents.tables import TextTable
from intergreen.envs.benchmarks import DATA_VARIABLE
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names

METRIC, WHOLE = "approach_time_literature_s", "average_travel_time_s"
HORIZON_S = 3600  # of the published figures
SEEDS = (0,)  # the trips are the file's; the seed only decides between lanes

Row = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """What others measured, in seconds.

    approach_s  their "average travel time", our `approach_time_literature_s`
    whole_s     the engine's average of the same run, our `average_travel_time_s`; None: not known
    """

    approach_s: float
    whole_s: float | None = None
    source: str = "LLMLight's code"


@dataclass(frozen=True, slots=True)
class Published:
    """The figures for one network and timing; None: not known. `best` is the best learned or evolved one."""

    max_pressure: Figure | None = None
    advanced_max_pressure: Figure | None = None
    best: Figure | None = None


FREE_FLOW = {
    "jinan_3x4": Figure(183.7, 230.7, "all green"),
    "jinan_3x4_2000": Figure(189.9, 236.3, "all green"),
    "hangzhou_4x4": Figure(244.8, 289.1, "all green"),
}
# (network, decision interval - clearance, both in s)
PUBLISHED = {
    ("jinan_3x4", "30-5"): Published(
        Figure(282.58, 326.86),
        Figure(277.43, 321.58),
        Figure(271.85, source="TT-QL, evolved; EvoSignal"),
    ),
    ("jinan_3x4_2000", "30-5"): Published(
        Figure(273.20, 317.84),
        Figure(271.38, 315.70),
        Figure(266.94, source="LightGPT and TT-QL; EvoSignal"),
    ),
    ("hangzhou_4x4", "30-5"): Published(
        Figure(325.33, 365.72),
        Figure(314.24, 355.48),
        Figure(304.47, source="Advanced-CoLight; EvoSignal"),
    ),
    ("jinan_3x4", "15-5"): Published(
        Figure(274.99, 319.99),
        Figure(256.35, 301.72),
        Figure(236.71, source="Advanced-CoLight; Advanced_XLight, again (DiffLight: 247.32)"),
    ),
    ("jinan_3x4_2000", "15-5"): Published(
        None, Figure(245.4, source="rebuilt"), Figure(233.53, source="Advanced-CoLight; DiffLight")
    ),
    ("hangzhou_4x4", "15-5"): Published(
        Figure(289.55, 334.20),
        Figure(284.54, 328.57),
        Figure(271.73, source="Advanced-CoLight; DiffLight (Advanced_XLight, again: 291.47)"),
    ),
    ("jinan_3x4", "10-5"): Published(Figure(317.51, 360.70)),
    ("hangzhou_4x4", "10-5"): Published(Figure(280.62, 325.94)),
    ("jinan_3x4", "10-2"): Published(Figure(227.34, 275.16), Figure(222.6, source="rebuilt")),
    ("hangzhou_4x4", "10-2"): Published(Figure(266.69, 312.39), Figure(268.2, source="rebuilt")),
    ("jinan_3x4", "5-2"): Published(
        None,
        Figure(215.6, 263.5, "rebuilt"),
        Figure(199.24, source="CoordLight; no lane changing, Jinan file and metric not clear"),
    ),
    ("jinan_3x4_2000", "5-2"): Published(None, Figure(211.4, 260.2, "rebuilt")),
    ("hangzhou_4x4", "5-2"): Published(None, Figure(258.3, 304.5, "rebuilt")),
}
# How often advanced max-pressure counts arriving vehicles: twice at 5-2, but for Hangzhou
_TWICE = {("jinan_3x4", "5-2"), ("jinan_3x4_2000", "5-2")}


def advanced_max_pressure(network: str, timing: str) -> str:
    """Name of the baseline with the weight that the published figures were made with."""
    return "advanced-max-pressure:2" if (network, timing) in _TWICE else "advanced-max-pressure"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network and timing with everybody who is to drive there, checked."""

    network: str
    timing: str
    controllers: tuple[str, ...]  # those asked for
    cells: tuple[Cell, ...]  # those and the baselines


def prepare_published(
    controllers: Sequence[str], *, settings: Sequence[tuple[str, str]] = tuple(PUBLISHED)
) -> list[Comparison]:
    """What is to be run, with everything read and checked.

    Parameters
    ----------
    controllers : names or run folders; several policies count as training seeds of one recipe and get a mean as well
    settings : keys of `PUBLISHED`

    Raises
    ------
    InputError
        If the networks are not there, a name is wrong, or a policy does not fit.
    """
    _require_data({network for network, _ in settings})
    return [_comparison(network, timing, controllers) for network, timing in settings]


def beside_published(
    comparisons: Sequence[Comparison], *, horizon_s: int | None = None, progress: Progress | None = None
) -> list[Result]:
    """One object per network and timing: its rules, and a row for everybody's figures, ours measured now.

    Parameters
    ----------
    horizon_s : None: that of the published figures
    """
    results = []
    bounds = {one.network: _bound(one.network, horizon_s or HORIZON_S) for one in comparisons}
    for number, one in enumerate(comparisons):
        part = part_of(progress, number, len(comparisons), f"{one.network} {one.timing}")
        measured = run_cells(one.cells, seeds=SEEDS, horizon_s=horizon_s, progress=part)
        ours = {cell.controller_name: result for cell, result in zip(one.cells, measured, strict=True)}
        results.append(_result(one, ours, bounds[one.network]))
    return results


def published_tables(results: Sequence[Result]) -> list[TextTable]:
    """A table for each network and timing with all rows, and one with all settings that compares the first metric."""
    headings = ("method", f"{METRIC} [s]", f"{WHOLE} [s]", "source")
    tables = [
        TextTable(
            _title(result),
            headings,
            tuple((row["method"], _with_interval(row, METRIC), _with_interval(row, WHOLE), row["source"])
                  for row in result["rows"]),
        )
        for result in results
    ]  # fmt: skip
    return [*tables, _overview(results)] if results else []


def _require_data(networks: set[str]) -> None:
    missing = sorted(networks - {name.removeprefix("cityflow/") for name in scenario_names()})
    if missing:
        mend = f"set {DATA_VARIABLE} to the folder that holds cityflow/{missing[0]}"
        raise InputError("published", "", f"there is no network {', '.join(missing)} here", mend)


def _comparison(network: str, timing: str, controllers: Sequence[str]) -> Comparison:
    names = dict.fromkeys(["max-pressure", advanced_max_pressure(network, timing), *controllers])
    protocol = f"literature-{timing}-lane-change"
    cells = comparison_cells([f"cityflow/{network}"], list(names), protocol_name=protocol)
    return Comparison(network, timing, tuple(controllers), tuple(cells))


def _bound(network: str, horizon_s: int) -> Row:
    alone = alone_as_published(load_scenario(f"cityflow/{network}"), horizon_s=horizon_s)
    on_approaches, whole = float(alone.approach_span_s.mean()), float(alone.travel_s.mean())
    return _row("no signals at all, ours", "measured here", [on_approaches], [whole])


def _result(one: Comparison, ours: Mapping[str, Result], bound: Row) -> Result:
    first = next(iter(ours.values()))
    protocol, theirs = protocol_by_name(first["protocol"]), PUBLISHED[one.network, one.timing]
    advanced = advanced_max_pressure(one.network, one.timing)
    rows = [
        _row_of_figure("no signals at all, theirs", FREE_FLOW[one.network]),
        bound,
        _row_of_figure("max-pressure, theirs", theirs.max_pressure),
        _row_of_results("max-pressure, ours", [ours["max-pressure"]]),
        _row_of_figure(f"{advanced}, theirs", theirs.advanced_max_pressure),
        _row_of_results(f"{advanced}, ours", [ours[advanced]]),
        _row_of_figure("best learned or evolved, published", theirs.best),
    ]
    asked = [name for name in one.controllers if name not in ("max-pressure", advanced)]
    rows += [_row_of_results(ours[name]["controller"], [ours[name]]) for name in asked]
    policies = [ours[name] for name in asked if name.partition(":")[0] not in controller_names()]
    if len(policies) > 1:
        rows.append(_row_of_results(f"mean of {len(policies)} policies", policies))
    return {
        "scenario": first["scenario"],
        "protocol": protocol.name,
        "interval_s": protocol.interval_s,
        "clearance_s": protocol.clearance_s,
        "phases": 8 if protocol.choices == "literature-8" else 4,
        "lane_change": protocol.lane_change,
        "monitor_faults": sum(result["safety"]["monitor_faults"] for result in ours.values()),
        "metric": METRIC,
        "horizon_s": first["horizon_s"],
        "seeds": first["seeds"],
        "rows": [row for row in rows if row is not None],
        "versions": first["versions"],
    }


def _row_of_figure(method: str, figure: Figure | None) -> Row | None:
    if figure is None:
        return None
    return _row(method, figure.source, [figure.approach_s], [math.nan if figure.whole_s is None else figure.whole_s])


def _row_of_results(method: str, results: Sequence[Result]) -> Row:
    approach, whole = ([result["metrics"][name]["mean"] for result in results] for name in (METRIC, WHOLE))
    return _row(method, "measured here", approach, whole)


def _row(method: str, source: str, approach_s: Sequence[float], whole_s: Sequence[float]) -> Row:
    metrics = {
        METRIC: summarise(approach_s, interval=percentile_interval).to_json(),
        WHOLE: summarise(whole_s, interval=percentile_interval).to_json(),
    }
    return {"method": method, "source": source, **metrics}


def _title(result: Result) -> str:
    return (
        f"{result['scenario']} · {result['protocol']} · decision every {result['interval_s']} s, "
        f"{result['clearance_s']} s clearance inside, phases 1-{result['phases']}, lane changing on · "
        f"{result['horizon_s']} s · seed {result['seeds'][0]}"
    )


def _with_interval(row: Row, metric: str) -> str:
    summary = row[metric]
    if summary["mean"] is None:
        return "–"
    text = f"{summary['mean']:.2f}"
    if len(summary["per_seed"]) > 1:
        lower, upper = summary["ci95"]
        text += f" [{lower:.2f}, {upper:.2f}]"
    return text


def _overview(results: Sequence[Result]) -> TextTable:
    """All settings as rows, all methods as columns; the published figures and ours side by side."""
    methods = list(dict.fromkeys(_common(row["method"]) for result in results for row in result["rows"]))
    rows = []
    for result in results:
        cells = {_common(row["method"]): _with_interval(row, METRIC) for row in result["rows"]}
        timing = result["protocol"].removeprefix("literature-").removesuffix("-lane-change")
        rows.append((f"{result['scenario']} {timing}", *(cells.get(method, "–") for method in methods)))
    return TextTable(f"{METRIC} [s], all settings", ("network, timing", *methods), tuple(rows))


def _common(method: str) -> str:
    """Advanced max-pressure has one column for theirs and one for ours, whatever weight a timing calls for."""
    return method.replace("advanced-max-pressure:2,", "advanced-max-pressure,")
