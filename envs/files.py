"""Writing files so that a killed run leaves either the old file or the new one; reading YAML with one-line errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intergreen.envs.errors import InputError, shown


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block ends without an error.

    The temporary name keeps the suffix, because writers such as matplotlib choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a device or a pipe is written to, never replaced
        yield path
        return
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` at once."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_text(value: object) -> str:
    """`value` as JSON, one line; NaN is refused because other readers refuse it too."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON to `path` at once."""
    write_text(path, json_text(value) + "\n")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, without Python objects.

    Raises
    ------
    InputError
        If the file cannot be read or is not YAML.
    """
    import yaml  # here, because whoever runs an exported policy writes files and reads no YAML

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise InputError(path, place, f"not valid YAML: {error.problem}", "mend the file") from None
    except (LookupError, AttributeError):  # PyYAML's constructors, for `!!bool x` and `!!timestamp x`
        raise InputError(path, "", "not valid YAML: a value does not fit its !!tag", "leave the tag out") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(path, "", f"not valid YAML: {shown(str(error))}", "mend the file") from None
    except OSError as error:
        raise InputError(path, "", f"cannot be read: {error.strerror}", "check the path and its permissions") from None
