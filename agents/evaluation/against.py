"""Every controller of a comparison beside advanced max-pressure, scenario by scenario and over all of them.

Only results under equal rules meet: within a table the scenario is the same as well, and over several scenarios the
protocol, the horizon, the simulator and the faults are. Runs are paired by seed; seeds that failed for either are left
out for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from intergreen.agents.evaluation.paired import Pairs, compared, stratified_iqm
from intergreen.agents.evaluation.report import group_by_setting
from intergreen.agents.tables import TextTable

REFERENCE = "advanced-max-pressure"
BOUND = "free-flow"
METRIC = "average_travel_time_s"

Result = Mapping[str, Any]
Rules = tuple[Any, ...]
_HEADINGS = ("controller", "interquartile mean [s]", "difference [s]", "probability of improvement", "score")


def with_comparisons(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The results, each with what `compared` says of it under `against`; None where there is no reference."""
    found = {id(result): None for result in results}
    for group in group_by_setting(results).values():
        for result in group:
            pairs = _pairs(result, group)
            if pairs is not None:
                found[id(result)] = {"reference": REFERENCE, "metric": METRIC, **compared([pairs])}  # type: ignore[assignment]
    return [{**result, "against": found[id(result)]} for result in results]


def against_tables(results: Sequence[Result]) -> list[TextTable]:
    """A table for each scenario and rules that have the reference and somebody else, and one over all scenarios."""
    tables = []
    for setting, group in group_by_setting(results).items():
        others = [one for one in group if one["controller"] not in (REFERENCE, BOUND)]
        rows = [(one["controller"], [_pairs(one, group)]) for one in others]
        tables += _table(f"{setting.title()} · against {REFERENCE}", rows)
    return [*tables, *_over_scenarios(results)]


def _over_scenarios(results: Sequence[Result]) -> list[TextTable]:
    """One table for all rules under which there are several scenarios; only controllers that ran on each of them."""
    by_rules: dict[Rules, list[list[Result]]] = {}
    for setting, group in group_by_setting(results).items():
        by_rules.setdefault(tuple(setting[1:]), []).append(group)
    tables = []
    for groups in by_rules.values():
        if len(groups) < 2:
            continue
        names = dict.fromkeys(one["controller"] for one in groups[0] if one["controller"] not in (REFERENCE, BOUND))
        rows = []
        for name in names:
            runs = [next((one for one in group if one["controller"] == name), None) for group in groups]
            if all(one is not None for one in runs):
                known = [one for one in runs if one is not None]
                rows.append((name, [_pairs(one, group) for one, group in zip(known, groups, strict=True)]))
        first = groups[0][0]
        rules = f"{first['protocol']} · {first['horizon_s']} s · {first['simulator']}"
        tables += _table(f"{len(groups)} scenarios together · {rules} · against {REFERENCE}", rows)
    return tables


def _table(title: str, rows: Sequence[tuple[str, Sequence[Pairs | None]]]) -> list[TextTable]:
    """No table where nobody has the reference beside it."""
    lines = []
    for name, pairs in rows:
        known = [one for one in pairs if one is not None]
        if len(known) < len(pairs) or not known:
            continue
        found = compared(known)
        middle = stratified_iqm([one.ours for one in known]).to_json()
        lines.append(
            (
                name,
                _text(middle, 1),
                _text(found["difference_s"], 1),
                _text(found["probability_of_improvement"], 2),
                _text(found["score"], 2),
            )
        )
    return [TextTable(title, _HEADINGS, tuple(lines))] if lines else []


def _pairs(result: Result, group: Sequence[Result]) -> Pairs | None:
    """The result beside the reference on the seeds that both have."""
    reference = next((one for one in group if one["controller"] == REFERENCE), None)
    bound = next((one for one in group if one["controller"] == BOUND), None)
    if reference is None or result["controller"] in (REFERENCE, BOUND):
        return None
    columns = [_by_seed(one) for one in (result, reference, *([bound] if bound is not None else []))]
    seeds = [seed for seed in columns[0] if all(seed in column for column in columns)]
    if not seeds:
        return None
    return Pairs(*(np.array([column[seed] for seed in seeds]) for column in columns))


def _by_seed(result: Result) -> dict[int, float]:
    """Travel time by seed, where there is one."""
    values = result["metrics"].get(METRIC, {}).get("per_seed", [])
    return {seed: value for seed, value in zip(result["seeds"], values, strict=False) if value is not None}


def _text(estimate: Mapping[str, Any] | None, decimals: int) -> str:
    if estimate is None or estimate["value"] is None:
        return "–"
    low, high = estimate["ci95"]
    text = f"{estimate['value']:.{decimals}f}"
    return text if low == high else f"{text} [{low:.{decimals}f}, {high:.{decimals}f}]"
