"""Reading parsed JSON field by field: every getter checks kind and range and, if wrong, names file, place and mend."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from intergreen.envs.errors import InputError, shown

_MISSING: Any = object()
MAX_MAGNITUDE = 1e9  # metres or seconds: beyond it float64 no longer resolves what the engine needs


class Field:
    """One value of a JSON document and where it stands.

    >>> document = Field("roadnet.json", {"roads": [{"id": "a", "width": -3}]})
    >>> road = document.item("roads").items()[0]
    >>> road.text("id")
    'a'
    >>> road.number("width", above=0)
    Traceback (most recent call last):
        ...
    intergreen.envs.errors.InputError: roadnet.json: roads[0].width: is -3; use a number > 0
    """

    __slots__ = ("_file", "_key", "_parent", "value")

    def __init__(self, file: str, value: Any, parent: "Field | None" = None, key: str | int = "") -> None:
        self._file, self.value, self._parent, self._key = file, value, parent, key

    @property
    def path(self) -> str:
        """Where the value stands, e.g. ``roads[3].lanes[0].width``."""
        if self._parent is None:
            return ""
        above = self._parent.path
        if isinstance(self._key, int):
            return f"{above}[{self._key}]"
        return f"{above}.{self._key}" if above else self._key

    def fail(self, problem: str, mend: str) -> NoReturn:
        """Raise the InputError of this place."""
        raise InputError(self._file, self.path, problem, mend)

    def wrong(self, mend: str) -> NoReturn:
        """Raise the InputError of this place, with its value."""
        self.fail(f"is {shown(self.value)}", mend)

    def item(self, key: str, default: Any = _MISSING) -> "Field":
        """The member ``key`` of an object."""
        if not isinstance(self.value, dict):
            self.wrong("use an object {...}")
        value = self.value.get(key, default)
        if value is _MISSING:
            Field(self._file, None, self, key).fail("is missing", "add it")
        return Field(self._file, value, self, key)

    def items(self, at_least: int = 0) -> list["Field"]:
        """The members of a list."""
        if not isinstance(self.value, list):
            self.wrong("use a list [...]")
        if len(self.value) < at_least:
            self.fail(f"has {len(self.value)} entries", f"give at least {at_least}")
        return [Field(self._file, value, self, i) for i, value in enumerate(self.value)]

    def each(self, key: str, at_least: int = 0) -> list["Field"]:
        """The members of the list ``key`` of an object."""
        return self.item(key).items(at_least)

    def text(self, key: str) -> str:
        """A string that is not empty."""
        field = self.item(key)
        if not isinstance(field.value, str) or not field.value:
            field.wrong("use a text in quotes")
        return str(field.value)

    def flag(self, key: str) -> bool:
        field = self.item(key)
        if not isinstance(field.value, bool):
            field.wrong("use true or false")
        return bool(field.value)

    def number(
        self, key: str, *, above: float | None = None, least: float | None = None, default: float = _MISSING
    ) -> float:
        """A finite number, > above and >= least where they are given."""
        return self.item(key, default).as_number(above=above, least=least)

    def as_number(self, *, above: float | None = None, least: float | None = None) -> float:
        limit = f" > {above:g}" if above is not None else f" >= {least:g}" if least is not None else ""
        mend = f"use a number{limit}"
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self.wrong(mend)
        if not abs(self.value) <= MAX_MAGNITUDE:  # also NaN
            self.wrong(f"{mend}, within {MAX_MAGNITUDE:g}")
        if (above is not None and not self.value > above) or (least is not None and not self.value >= least):
            self.wrong(mend)
        return float(self.value)

    def index(self, key: str, count: int, what: str) -> int:
        """A whole number that counts one of ``count`` things from 0."""
        return self.item(key).as_index(count, what)

    def as_index(self, count: int, what: str) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.wrong("use a whole number")
        if not 0 <= self.value < count:
            self.wrong(f"use 0 to {count - 1}, {what}" if count else f"leave it out: there are no {what}")
        return self.value

    def choice(self, key: str, known: Mapping[str, int]) -> int:
        """What a known word stands for."""
        field = self.item(key)
        if not isinstance(field.value, str) or field.value not in known:
            field.wrong(f"use one of {', '.join(known)}")
        return known[field.value]

    def lookup(self, key: str, known: Mapping[str, int], what: str) -> int:
        """The position of the thing that an id names."""
        return self.item(key).as_lookup(known, what)

    def as_lookup(self, known: Mapping[str, int], what: str) -> int:
        if not isinstance(self.value, str):
            self.wrong(f"use the id of {what}")
        if self.value not in known:
            self.wrong(f"use the id of {what} that exists")
        return known[self.value]

    def point(self, key: str) -> tuple[float, float]:
        return self.item(key).as_point()

    def as_point(self) -> tuple[float, float]:
        return self.number("x"), self.number("y")

    def points(self, key: str, at_least: int) -> tuple[tuple[float, float], ...]:
        """A list of objects with x and y [m]."""
        field = self.item(key)
        try:  # nearly all of a network file is points: check them without a Field for each
            points = tuple((float(p["x"]), float(p["y"])) for p in field.value)
            if len(points) >= at_least and all(_is_plain(p["x"]) and _is_plain(p["y"]) for p in field.value):
                return points
        except (TypeError, KeyError, ValueError, OverflowError):
            pass
        return tuple(p.as_point() for p in field.items(at_least))

    def ids(self, key: str, at_least: int = 0) -> dict[str, int]:
        """Positions of the members of the list ``key`` by their ``id``, which must be unique."""
        positions: dict[str, int] = {}
        for i, field in enumerate(self.each(key, at_least)):
            name = field.text("id")
            if name in positions:
                field.item("id").fail(f"{shown(name)} is also the id of {key}[{positions[name]}]", "rename one")
            positions[name] = i
        return positions

    def __iter__(self) -> Iterator["Field"]:
        return iter(self.items())


def _is_plain(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= MAX_MAGNITUDE
