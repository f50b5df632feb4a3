"""Files of a scenario folder: finding them, gzipped or not, and reading JSON with errors that name the file."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NoReturn

from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.numbers import cityflow_number

_FEW = 5  # names in a message


def find_file(folder: str | Path, name: str) -> Path:
    """Path of ``name`` or ``name.gz`` in a folder.

    Raises
    ------
    InputError
        If the folder or the file is not there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "", "no such folder", f"name a folder that holds {name}")
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    inner = [one.name for one in folder.iterdir() if (one / name).is_file() or (one / f"{name}.gz").is_file()]
    others = [one.name for one in folder.iterdir() if one.name.endswith((".json", ".json.gz"))]
    mend = f"put {name} or {name}.gz into the folder"
    if inner:
        mend = f"name one of its folders that have it: {', '.join(sorted(inner)[:_FEW])}"
    elif others:
        mend += f", or call one of its files so: {', '.join(sorted(others)[:_FEW])}"
    raise InputError(folder, name, "the file is missing", mend)


def read_json(path: str | Path) -> Any:
    """Content of a JSON file, plain or gzipped (by its first bytes, whatever its name).

    Raises
    ------
    InputError
        If the file cannot be read or is not JSON; NaN and Infinity are not JSON.
    """
    text = _read_text(Path(path))
    try:
        return json.loads(text, parse_float=cityflow_number, parse_constant=_refuse_constant)
    except RecursionError:
        raise InputError(path, "", "nested too deeply", "check that it is the right file") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InputError(path, place, f"not valid JSON: {error.msg}", "mend or fetch the file again") from None
    except ValueError as error:
        raise InputError(path, "", f"not valid JSON: {shown(str(error))}", "mend the number") from None


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text: byte {data[error.start]:#04x} at {error.start}"
        raise InputError(path, "", problem, "save the file as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, "", f"broken gzip file: {error}", "fetch the file again") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(path, "", f"cannot be read: {reason}", "check the path and its permissions") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
