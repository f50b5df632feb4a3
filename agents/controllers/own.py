"""A controller of one's own by `package.module:name`, a class or a function that makes one.

Nothing is imported but what the user names, looked for where Python looks and then in the working folder, which comes
last: what is installed is never taken for a file that happens to lie there.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from intergreen.agents.controllers.base import Controller, check_controller
from intergreen.envs.errors import InputError, meant, shown

if TYPE_CHECKING:
    from types import ModuleType

_NAME = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")
_FILE = re.compile(r"(?:(.*)/)?([^/]*)\.py:(.*)", re.DOTALL)
_MEND = "name a class, or a function, that gives one without arguments"
_FILES: dict[str, str] = {}  # of the modules that were named, and by what name


def names_own(name: str) -> bool:
    """Is it written like `package.module:name`?"""
    return _NAME.fullmatch(name) is not None


def refuse_file(name: str) -> None:
    """Raise InputError where a module is named by its file."""
    match = _FILE.fullmatch(name)
    if match:
        start = f"start in {match[1]} and " if match[1] else ""
        raise InputError(name, "", "names a file, not a module", f"{start}write {match[2]}:{match[3]}")


def own_controller(name: str) -> Controller:
    """A fresh controller from what `name`, as in `package.module:name`, stands for.

    Raises
    ------
    InputError
        If there is no such module or name in it, importing or making fails, or what is made is no controller.
    """
    module_name, _, attribute = name.partition(":")
    with _working_folder_last():
        module = _module(name, module_name)
        _FILES[module.__file__ or ""] = name
        made = _made(name, _attribute(name, module, attribute))
    try:
        check_controller(made)
    except (TypeError, ValueError) as error:
        raise InputError(name, "", str(error), "the README shows one") from None
    return made


def failure_of_own(error: BaseException) -> str | None:
    """What a controller of one's own raised while it ran, and in which line of its file; None: it was not one."""
    place = None
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file in _FILES:
            place = f"{_FILES[file]}: {type(error).__name__}: {error}; line {line} of {file}"
    return place


@contextmanager
def _working_folder_last() -> Iterator[None]:
    here = os.getcwd()
    is_new = here not in sys.path
    if is_new:
        sys.path.append(here)
    try:
        yield
    finally:
        if is_new and here in sys.path:
            sys.path.remove(here)


def _module(name: str, module_name: str) -> ModuleType:
    importlib.invalidate_caches()  # it may have been written a moment ago
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            mend = f"install it, or start where {error.name.rpartition('.')[2]}.py lies; a run's folder is a path"
            raise InputError(name, "", f"there is no module {error.name!r}", mend) from None
        raise _failed(name, "cannot be imported", error) from error
    except Exception as error:  # whatever a user's file does
        raise _failed(name, "cannot be imported", error) from error


def _attribute(name: str, module: ModuleType, attribute: str) -> Any:
    if hasattr(module, attribute):
        return getattr(module, attribute)
    public = [one for one in vars(module) if not one.startswith("_")]
    problem = f"{module.__file__ or module.__name__} has no {attribute!r}"
    raise InputError(name, "", problem, meant(attribute, public).rstrip() or _MEND)


def _made(name: str, make: Any) -> Any:
    if not callable(make):
        what = "a controller that is made already" if isinstance(make, Controller) else shown(make)
        raise InputError(name, "", f"is {what}", _MEND)
    _check_needs_nothing(name, make)
    try:
        return make()
    except Exception as error:  # whatever a user's function does
        raise _failed(name, "makes none", error) from error


def _check_needs_nothing(name: str, make: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(make)
    except ValueError:  # written in C
        return
    try:
        signature.bind()
    except TypeError as error:
        raise InputError(name, "", f"cannot be called without arguments: {error}", _MEND) from None


def _failed(name: str, what: str, error: Exception) -> InputError:
    return InputError(name, "", f"{what}: {type(error).__name__}: {error}", "mend the file")
