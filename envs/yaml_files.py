"""Reading YAML: plain values and no Python objects, and one line for whatever is wrong with a file."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from intergreen.envs.errors import InputError, shown

_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, without Python objects.

    Raises
    ------
    InputError
        If the file cannot be read, is not YAML, holds nothing, or writes a key twice.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise InputError(path, place, f"not valid YAML: {error.problem}", "mend the file") from None
    except (LookupError, AttributeError):  # PyYAML's constructors, for `!!bool x` and `!!timestamp x`
        raise InputError(path, "", "not valid YAML: a value does not fit its !!tag", "leave the tag out") from None
    except UnicodeDecodeError as error:
        problem = f"not valid YAML: byte {error.start} is no UTF-8"
        raise InputError(path, "", problem, "save the file as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(path, "", f"not valid YAML: {shown(str(error))}", "mend the file") from None
    except OSError as error:
        raise InputError(path, "", f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    if content is None:
        raise InputError(path, "", "is empty", "write keys and values")
    return content


class _Loader(yaml.SafeLoader):
    """PyYAML's own lets the last of two equal keys win in silence; YAML 1.2, 3.2.1.3, asks for unique ones."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = set()
        for written, _ in node.value:
            key = None if written.tag == _MERGE else self.construct_object(written, deep=True)
            if key is None or not isinstance(key, Hashable):  # merged sections may be overridden; PyYAML refuses lists
                continue
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {shown(key)} stands twice", written.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep=deep)
