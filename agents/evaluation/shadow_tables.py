"""A shadow run as tables. Reads the object of `shadow` and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intergreen.agents.evaluation.report import seed_text, setting_of
from intergreen.agents.evaluation.shadow import OWN_PROGRAMME
from intergreen.agents.tables import TextTable, cell_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_ROWS = 10  # signals and changes of rung; all of them stand in the JSON
_NAMES = {
    "average_travel_time_s": "travel time [s]",
    "delay_s": "delay [s]",
    "mean_queue_veh": "queue [veh]",
    "throughput_veh": "throughput [veh]",
}


def shadow_tables(result: Mapping[str, Any]) -> list[TextTable]:
    """What the policy wanted, where the two differ, what it would have changed, and the changes of its ladder."""
    tables = [_summary(result), _signals(result["shadow"]["signals"]), _estimates(result)]
    changes = result["shadow"]["rung_changes"]
    return [*tables, _rung_changes(changes)] if changes else tables


def _summary(result: Mapping[str, Any]) -> TextTable:
    setting = setting_of(result)
    seen = result["shadow"]
    rows = [
        ("decisions of all signals", cell_text(seen["decisions"])),
        ("both ask for the same phase", _percent(seen["agree"])),
        (f"{result['controller']} changes the phase", _percent(seen["changes_shown"])),
        (f"{result['policy']} would change it", _percent(seen["changes_wanted"])),
        ("phase shown is none that the protocol offers", _percent(seen["no_choice_shown"])),
        ("vehicles waiting where it is green", cell_text(seen["waiting_shown_veh"])),
        ("... where the policy would give green", cell_text(seen["waiting_wanted_veh"])),
        ("policy's phase has more of them waiting", _percent(seen["serves_more"])),
        ("policy's phase has fewer", _percent(seen["serves_fewer"])),
    ]
    rows += [(f"policy on rung: {rung}", _percent(share)) for rung, share in seen["rungs"].items()]
    rows.append(("monitor faults of the run in charge", cell_text(result["safety"]["monitor_faults"])))
    title = f"{result['policy']} beside {result['controller']} · {setting.title()} · seeds {seed_text(result['seeds'])}"
    if result["asked"] == OWN_PROGRAMME:
        title += " · in charge: the network's programme as it stands"
    return TextTable(title, ("the run in charge", "value"), tuple(rows))


def _signals(signals: Sequence[Mapping[str, Any]]) -> TextTable:
    rows = [
        (
            one["signal"],
            _percent(one["agree"]),
            _percent(one["changes_shown"]),
            _percent(one["changes_wanted"]),
            cell_text(one["waiting_shown_veh"]),
            cell_text(one["waiting_wanted_veh"]),
            _percent(one["serves_more"]),
        )
        for one in signals[:MOST_ROWS]
    ]
    title = "signals, least agreement first" + _first_of(len(signals))
    headings = ("signal", "agree", "changes", "would change", "waiting, shown", "waiting, wanted", "serves more")
    return TextTable(title, headings, tuple(rows))


def _estimates(result: Mapping[str, Any]) -> TextTable:
    estimate = result["estimate"]
    log, found = estimate["from_log"], estimate["counterfactual"]
    rows = [("estimated from the log alone: delay [s]", "–", "–", *_difference(log["delay_s"], log["resampled"]))]
    for name, one in (found or {}).items():
        over = "seeds" if len(one["difference"]["per_seed"]) > 1 else "one seed"
        cells = cell_text(one["in_charge"]), cell_text(one["policy"])
        rows.append((f"measured in a second run: {_NAMES[name]}", *cells, *_difference(one["difference"], over)))
    return TextTable(
        f"{result['policy']} in place of {result['controller']}",
        ("", result["controller"], result["policy"], "difference", "95 % interval", "over"),
        tuple(rows),
    )


def _rung_changes(changes: Sequence[Mapping[str, Any]]) -> TextTable:
    headings = ("second", "seed", "signal", "before", "after", "reason")
    rows = tuple(tuple(cell_text(one[key]) for key in headings) for one in changes[:MOST_ROWS])
    return TextTable("the policy's ladder" + _first_of(len(changes)), headings, rows)


def _difference(summary: Mapping[str, Any], over: str) -> tuple[str, str, str]:
    low, high = summary["ci95"]
    interval = "–" if low is None or over == "one seed" else f"[{_signed(low)}, {_signed(high)}]"
    return _signed(summary["mean"]), interval, over


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %"


def _first_of(count: int) -> str:
    return f" · {MOST_ROWS} of {count}, see --json" if count > MOST_ROWS else ""
