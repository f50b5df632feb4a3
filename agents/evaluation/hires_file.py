"""High-resolution logs as files: the events, the table of detectors, and what phases and detectors are.

The events' columns are those that UDOT's and Oregon's tools read: SignalID, Timestamp, EventCode, EventParam.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.evaluation.hires_map import ADVANCE_M, PRESENCE_M
from intergreen.envs.errors import InputError
from intergreen.envs.files import replacing, write_json, write_text

if TYPE_CHECKING:
    from intergreen.agents.evaluation.hires import HiresLog
    from intergreen.envs.network import RoadNetwork

EPOCH = datetime(2024, 1, 1)
EVENT_COLUMNS = ("SignalID", "Timestamp", "EventCode", "EventParam")
DETECTOR_COLUMNS = ("DeviceId", "Phase", "Parameter", "Function")
SUFFIXES = (".csv", ".parquet")


def require_log_file(target: Path | None) -> None:
    """Refuse a file whose name says no format that we write."""
    if target is not None and target.suffix not in SUFFIXES:
        raise InputError("command line", "--hires-log", f"{target.name!r} is no .csv or .parquet", "end it with .csv")
    if target is not None and target.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            mend = 'pip install "intergreen[results]", or end it with .csv'
            raise InputError("command line", "--hires-log", "Parquet needs pyarrow", mend) from None


def write_hires(log: HiresLog, network: RoadNetwork, target: Path) -> list[Path]:
    """Write the events to `target`, and beside it `NAME.detectors.csv` and `NAME.map.json`; returns the paths."""
    detectors, mapping = target.with_suffix(".detectors.csv"), target.with_suffix(".map.json")
    stated = log.map.stated(network)
    if target.suffix == ".parquet":
        _write_parquet(log, target)
    else:
        names = log.map.names
        write_text(
            target,
            _csv(
                EVENT_COLUMNS,
                [(names[one.signal], _stamp(one.tenths), one.code, one.parameter) for one in log.events],
            ),
        )
    write_text(
        detectors, _csv(DETECTOR_COLUMNS, [tuple(one[c] for c in DETECTOR_COLUMNS) for one in stated["detectors"]])
    )
    about = {
        "epoch": EPOCH.isoformat(),
        "advance_m": ADVANCE_M,
        "presence_m": PRESENCE_M,
        "detector_source": "simulated vehicles; advance in tenths of a second, presence read once a second",
    }
    write_json(mapping, {**about, **stated})
    return [target, detectors, mapping]


def _write_parquet(log: HiresLog, target: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = (
        pyarrow.array([log.map.names[one.signal] for one in log.events], pyarrow.string()),
        pyarrow.array([_time(one.tenths) for one in log.events], pyarrow.timestamp("ms")),
        pyarrow.array([one.code for one in log.events], pyarrow.int16()),
        pyarrow.array([one.parameter for one in log.events], pyarrow.int16()),
    )
    with replacing(target) as temporary:
        parquet.write_table(pyarrow.table(dict(zip(EVENT_COLUMNS, columns, strict=True))), temporary)


def _time(tenths: int) -> datetime:
    return EPOCH + timedelta(milliseconds=100 * tenths)


def _stamp(tenths: int) -> str:
    return _time(tenths).isoformat(sep=" ", timespec="milliseconds")[:-2]


def _csv(headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()
