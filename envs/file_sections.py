"""Sections of YAML files as dataclasses: unknown keys, missing ones and values of a wrong kind get one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from intergreen.envs.errors import InputError, meant, shown


def section_of_kind(path: Path, name: str, section: dict[str, Any], kinds: Mapping[str, type]) -> Any:
    """The specification that a section with a `kind` becomes."""
    values = dict(section)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        problem = "is missing" if kind is None else f"is {shown(kind)}"
        raise InputError(path, f"{name}.kind", problem, f"use one of {', '.join(kinds)}")
    return checked(path, (name,), values, kinds[kind])


def checked(path: Path, place: tuple[str, ...], values: Any, spec: type) -> Any:
    """`values` as an instance of the dataclass `spec`."""
    _refuse_unknown(path, place, values, spec)
    try:
        return TypeAdapter(spec).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        written = _written_keys(values, first["loc"])
        if first["type"] == "missing":
            where = ".".join((*place, *written, str(first["loc"][-1])))
            raise InputError(path, where, "is missing", "add it") from None
        where = ".".join((*place, *written))
        problem = first["msg"].removeprefix("Value error, ")
        value = "" if first["type"] == "value_error" else f", got {shown(first['input'])}"
        raise InputError(path, where, f"{problem[0].lower()}{problem[1:]}{value}", "mend the value") from None


def takes_bool(annotation: Any) -> bool:
    """May a value of this type be true or false?"""
    return annotation is bool or any(takes_bool(one) for one in get_args(annotation))


def bools_within(value: Any) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Where true or false stands, and which: here, in lists, or below keys; what anchors repeat is looked at once."""
    left: list[tuple[tuple[str, ...], Any]] = [((), value)]
    seen: set[int] = set()
    while left:
        place, one = left.pop()
        if isinstance(one, bool):
            yield place, one
        elif isinstance(one, dict | list | tuple) and id(one) not in seen:
            seen.add(id(one))
            inner = one.items() if isinstance(one, dict) else enumerate(one)
            left.extend(((*place, str(key)), item) for key, item in inner)


def _refuse_unknown(path: Path, place: tuple[str, ...], values: Any, spec: type) -> None:
    """Look for keys that are no fields of `spec`, also in the sections within."""
    if not isinstance(values, dict):
        raise InputError(path, ".".join(place), f"is {shown(values)}", "write a section of keys and values")
    known = [spec_field.name for spec_field in fields(spec)]
    kind = ["kind"] if place and len(place) == 1 else []
    for key, value in values.items():
        if key not in known:
            mend = f"{meant(str(key), known)}known keys: {', '.join(kind + known)}"
            raise InputError(path, ".".join((*place, str(key))), "unknown key", mend)
        inner = get_type_hints(spec)[key]
        for within, one in () if _may_hold_bools(inner) else bools_within(value):  # pydantic would make them 1 or 0
            found = ".".join((*place, str(key), *within))
            raise InputError(path, found, f"is {str(one).lower()}", "write a number, or what the key stands for")
        for within, section, kind_of_section in _sections_within(inner, value):
            _refuse_unknown(path, (*place, str(key), *within), section, kind_of_section)


def _may_hold_bools(annotation: Any) -> bool:
    """May true or false stand there, or a section, which looks through its own values?"""
    return is_dataclass(annotation) or annotation in (bool, Any) or any(map(_may_hold_bools, get_args(annotation)))


def _sections_within(annotation: Any, value: Any) -> Iterator[tuple[tuple[str, ...], Any, type]]:
    """Where below a key sections stand, what stands there and what it should become: one, by name, or in a list."""
    if is_dataclass(annotation) and isinstance(annotation, type):
        yield (), value, annotation
        return
    inner = [one for one in get_args(annotation) if is_dataclass(one) and isinstance(one, type)]
    if get_origin(annotation) is dict and isinstance(value, dict):
        yield from (((str(name),), section, one) for one in inner for name, section in value.items())
    if get_origin(annotation) is list and isinstance(value, list):
        yield from (((str(number),), section, one) for one in inner for number, section in enumerate(value))


def _written_keys(values: Any, location: tuple[int | str, ...]) -> list[str]:
    """The part of a pydantic location that stands in the file: unions add names of types to it."""
    keys = []
    for part in location:
        in_section = isinstance(values, dict) and part in values
        in_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not (in_section or in_list):
            break
        keys.append(str(part))
        values = values[part]
    return keys
