"""Finished runs on disk: one Parquet file for each table, a row for each controller and seed.

What must be equal within a table (scenario and demand, protocol, simulator, horizon, faults) stands in the file's
metadata together with the layout's number and the versions of the library; so numbers of two protocols or two versions
never meet in one file. A file is replaced as a whole: a killed run leaves the old one or the new one. One process at a
time has a store.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.agents.evaluation.metrics import SERIES
from intergreen.agents.evaluation.provenance import library_identity
from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import json_text, replacing

if TYPE_CHECKING:
    import pyarrow

LAYOUT = 1  # of the files: raised whenever a column changes its name or meaning
LOCK = ".lock"
_METADATA = b"intergreen"
_AS_JSON = ("safety", "fallback", "timing", "cost", "versions")
_HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{10}\.[0-9]+\.parquet")  # as `replacing` calls the file of a table
_AGAIN = "move it away, and its runs are made again"

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TableKey:
    """What all rows of a table share.

    demand  fingerprint of the network and its trips
    faults  as results state them, JSON
    """

    scenario: str
    demand: str
    protocol: str
    simulator: str
    horizon_s: int
    faults: str = "[]"

    def stated(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def file_name(self) -> str:
        """Readable, and different for different keys."""
        digest = hashlib.sha256(json.dumps(self.stated(), sort_keys=True).encode()).hexdigest()[:10]
        return f"{_plain(self.scenario)}.{_plain(self.protocol)}.{digest}.parquet"


@dataclass(frozen=True, slots=True)
class RowKey:
    """Who decided, with which weights (empty: a baseline), and on which trips."""

    controller: str
    policy: str
    seed: int


@dataclass(slots=True)
class Table:
    """The finished runs of one file, one result of a single seed each."""

    path: Path
    key: TableKey
    rows: dict[RowKey, Result] = field(default_factory=dict)

    def save(self) -> None:
        """Replace the file.

        Raises
        ------
        InputError
            If it cannot be written, because the disk is full for example; the old file is then still there.
        """
        content = _parquet(self)
        try:
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            mend = "free some space or name another folder; what it held before is kept"
            raise InputError(self.path, "", f"cannot be written: {error.strerror or error}", mend) from None


class ResultStore:
    """A folder of tables, read when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[TableKey, Table] = {}

    def table(self, key: TableKey) -> Table:
        """The finished runs under these rules; none at first.

        Raises
        ------
        InputError
            If there is a file that cannot be read, or that another version has written.
        """
        if key not in self._tables:
            path = self.folder / key.file_name
            rows = _read(path, key) if path.exists() else {}
            self._tables[key] = Table(path, key, rows)
        return self._tables[key]


@contextmanager
def opened(folder: Path) -> Iterator[ResultStore]:
    """The store in `folder`, made if it is not there, for this process alone until the block ends.

    Raises
    ------
    InputError
        If pyarrow is missing, the folder cannot be made, or another process has the store.
    """
    _require_pyarrow()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise InputError(folder, "", f"cannot be used: {error.strerror}", "name another folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with the process, however it ends
        except OSError:
            mend = "wait for it, or name another folder"
            raise InputError(folder, "", "is in use by another process", mend) from None
        for left in folder.glob(".*.parquet"):
            if _HALF_WRITTEN.fullmatch(left.name):  # by one that was killed; a file of somebody else's stays
                left.unlink(missing_ok=True)
        yield ResultStore(folder)


def _read(path: Path, key: TableKey) -> dict[RowKey, Result]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        stated = json.loads((table.schema.metadata or {})[_METADATA])
    except KeyError:
        raise InputError(path, "", "is no table of results", _AGAIN) from None
    except (pyarrow.ArrowInvalid, OSError, ValueError) as error:
        raise InputError(path, "", f"cannot be read: {shown(str(error), 90)}", _AGAIN) from None
    _refuse_other_version(path, stated)
    try:
        if stated["table"] != key.stated():
            raise InputError(path, "table", f"holds {shown(stated['table'], 200)}", _AGAIN)
        rows = [_result_of(row, key) for row in table.to_pylist()]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, "", f"has not the columns of layout {LAYOUT}: {shown(str(error))}", _AGAIN) from None
    return dict(rows)


def _refuse_other_version(path: Path, stated: Mapping[str, Any]) -> None:
    if not isinstance(stated, dict) or stated.get("layout") != LAYOUT:
        found = stated.get("layout") if isinstance(stated, dict) else stated
        raise InputError(path, "layout", f"is {shown(found)}, and this version writes {LAYOUT}", _AGAIN)
    mine, theirs = library_identity(), stated.get("library")
    if theirs == mine:
        return
    theirs = theirs if isinstance(theirs, dict) else {}
    what = next(name for name in (*mine, *theirs) if mine.get(name) != theirs.get(name))
    problem = f"was made with {what} {shown(theirs.get(what))}, and this is {mine.get(what)}: numbers would not compare"
    raise InputError(path, "library", problem, f"name another folder, or {_AGAIN}")


def _parquet(table: Table) -> bytes:
    import pyarrow
    from pyarrow import parquet

    rows = sorted(table.rows.items(), key=lambda item: (item[0].controller, item[0].policy, item[0].seed))
    flat = pyarrow.Table.from_pylist([_row(key, result) for key, result in rows], schema=_schema(table, pyarrow))
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(flat, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _schema(table: Table, pa: Any) -> pyarrow.Schema:
    """A column for every metric, a list for every series, JSON for what has more structure."""
    metrics = dict.fromkeys(name for result in table.rows.values() for name in result["metrics"])
    columns = [
        ("controller", pa.string()),
        ("policy", pa.string()),
        ("seed", pa.int64()),
        ("dropped_flows", pa.int64()),
        *((f"metric.{name}", pa.float64()) for name in metrics),
        ("series.t", pa.list_(pa.int64())),
        *((f"series.{name}", pa.list_(pa.float64())) for name in SERIES),
        *((name, pa.string()) for name in _AS_JSON),
    ]
    stated = {"layout": LAYOUT, "library": library_identity(), "table": table.key.stated()}
    return pa.schema(columns, metadata={_METADATA: json_text(stated)})


def _row(key: RowKey, result: Result) -> dict[str, Any]:
    return {
        "controller": key.controller,
        "policy": key.policy,
        "seed": key.seed,
        "dropped_flows": result["dropped_flows"],
        **{f"metric.{name}": summary["per_seed"][0] for name, summary in result["metrics"].items()},
        "series.t": result["series"]["t"],
        **{f"series.{name}": [row[0] for row in result["series"][name]] for name in SERIES},
        **{name: json_text(result[name]) for name in _AS_JSON},
    }


def _result_of(row: Mapping[str, Any], key: TableKey) -> tuple[RowKey, Result]:
    """The result of one seed, as `evaluate` gave it."""
    metrics = {name.removeprefix("metric."): value for name, value in row.items() if name.startswith("metric.")}
    result = {
        "scenario": key.scenario,
        "controller": row["controller"],
        "protocol": key.protocol,
        "simulator": key.simulator,
        "horizon_s": key.horizon_s,
        "seeds": [row["seed"]],
        "dropped_flows": row["dropped_flows"],
        "faults": json.loads(key.faults),
        "metrics": {
            name: {"mean": value, "ci95": [value, value], "per_seed": [value]} for name, value in metrics.items()
        },
        "series": {
            "t": row["series.t"],
            **{name: [[value] for value in row[f"series.{name}"]] for name in SERIES},
        },
        **{name: json.loads(row[name]) for name in _AS_JSON},
    }
    return RowKey(row["controller"], row["policy"], row["seed"]), result


def _require_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        mend = 'pip install "intergreen[results]"'
        raise InputError("command line", "--store", "needs pyarrow, which is not installed", mend) from None


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_+-]+", "-", name).strip("-")[:80]
