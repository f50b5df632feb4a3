"""The errors a user can mend: wrong input, with one line that says where, what and how; and runs that end early."""

import difflib
import reprlib
from collections.abc import Iterable
from pathlib import Path

# A YAML file of ten lines can hold a list whose whole repr would fill the memory.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring = 3, 20, 20, 120


class InputError(ValueError):
    """Wrong input: ``file: field: problem; mend`` on one line.

    Parameters
    ----------
    file : the file or folder, as the user named it
    field : where in it, e.g. ``intersections[3].roadLinks[0]``; may be empty
    problem : what is wrong, with the value found
    mend : what to do about it; may be empty
    """

    def __init__(self, file: str | Path, field: str, problem: str, mend: str = "") -> None:
        super().__init__(str(file), field, problem, mend)
        self.file, self.field, self.problem, self.mend = str(file), field, problem, mend

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.field, self.problem) if part)
        return one_line(f"{place}; {self.mend}" if self.mend else place)


class AnswerError(ValueError):
    """A controller decided something else than a number for every signal: which one, when, and what."""


class CapacityError(RuntimeError):
    """More vehicles on a lane or lane link than its slots can hold."""


class SimulationError(RuntimeError):
    """A simulator outside this program failed in the middle of a run: which seed, when, and its words."""


def one_line(text: str) -> str:
    """Text with control characters and unpaired surrogates escaped, so that it prints on one line anywhere."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii") for c in text
    )


def shown(value: object, limit: int = 60) -> str:
    """Value as an error message shows it: ``repr``, shortened."""
    try:
        text = _SHORT.repr(value) if isinstance(value, (dict, list)) else repr(value)
    except (ValueError, RecursionError):  # integers beyond Python's digit limit, endless nesting
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def meant(name: str, known: Iterable[str]) -> str:
    """`did you mean 'queue'? `, to go before the rest of a mend, where a known name is like this one; else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
