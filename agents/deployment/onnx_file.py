"""What stands in a `policy.onnx`, read without running anything: the weights, the metadata, and that the graph is ours.

A graph from a stranger could loop for ever or fill the memory. So the nodes must be, byte for byte, those that
`graph.py` writes; only the weights differ, and their names and shapes are checked. Reads the few fields of the protocol
buffer that ONNX defines (onnx.proto3); whatever else stands in the file is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the nodes, inputs and outputs that `graph.policy_graph` writes, `<n>` for numbers of columns; a test makes it anew.
GRAPH_DIGEST = "69c7468ef61506eb11eb03820c4243f00c61c13a7c40a6541911d182e14d9b52"
_VARINT, _BYTES = 0, 2
_FLOAT, _INT64 = 1, 7
_MOST_AXES = 4
_KINDS: dict[int, np.dtype[Any]] = {_FLOAT: np.dtype("<f4"), _INT64: np.dtype("<i8")}


class BrokenModelError(ValueError):
    """The file is no graph of ours."""


@dataclass(slots=True)
class OnnxFile:
    """The content of a file; arrays as they stand there, weights transposed against `PolicyNetwork`."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    digest: str = ""


def read_onnx(data: bytes) -> OnnxFile:
    """The weights and metadata of a policy's graph.

    Raises
    ------
    BrokenModelError
        If it is cut off, or holds anything but what `graph.policy_graph` writes.
    """
    content = OnnxFile()
    for number, value in _fields(data, {1: "ir_version", 2: "producer", 7: "graph", 8: "opset", 14: "metadata"}):
        if number == 7:
            _read_graph(_bytes(value), content)
        elif number == 14:
            name, text = _strings(_bytes(value), 1, 2)
            content.metadata[name] = text
    return content


def _read_graph(data: bytes, content: OnnxFile) -> None:
    digest = hashlib.sha256()
    for number, value in _fields(data, {1: "node", 2: "name", 5: "initializer", 11: "input", 12: "output"}):
        if number == 5:
            name, array = _tensor(_bytes(value))
            content.arrays[name] = array
        elif number in (11, 12):
            digest.update(b"%d %s\n" % (number, _name_of(_bytes(value))))
        else:
            digest.update(b"%d %s\n" % (number, _bytes(value)))
    content.digest = digest.hexdigest()


def _tensor(data: bytes) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    kind, name, raw = 0, "", b""
    for number, value in _fields(data, {1: "dims", 2: "data_type", 8: "name", 9: "raw_data"}):
        if number == 1:
            dims += _varints(value) if isinstance(value, bytes) else [value]
        elif number == 2:
            kind = value if isinstance(value, int) else 0
        elif number == 8:
            name = _text(_bytes(value))
        else:
            raw = _bytes(value)
    if kind not in _KINDS:
        raise BrokenModelError(f"array {name!r} is of the kind {kind}")
    array = np.frombuffer(raw, _KINDS[kind]) if len(raw) % _KINDS[kind].itemsize == 0 else np.empty(0)
    size = 1
    for length in dims:
        size *= length
    if size != array.size or len(dims) > _MOST_AXES:
        raise BrokenModelError(f"array {name!r} has not the size of its shape {dims[:8]}")
    return name, array.reshape(dims)


def _fields(data: bytes, known: dict[int, str]) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, one after the other."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number not in known:
            raise BrokenModelError(f"a field {number} that no graph of ours has")
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire == _BYTES:
            length, at = _varint(data, at)
            if length > len(data) - at:
                raise BrokenModelError("cut off")
            yield number, data[at : at + length]
            at += length
        else:
            raise BrokenModelError(f"{known[number]} is of the wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise BrokenModelError("cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BrokenModelError("a number without end")


def _varints(data: bytes) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def _strings(data: bytes, *numbers: int) -> list[str]:
    found = dict.fromkeys(numbers, "")
    for number, value in _fields(data, dict.fromkeys(numbers, "string")):
        found[number] = _text(_bytes(value))
    return [found[number] for number in numbers]


def _name_of(value_info: bytes) -> bytes:
    for number, value in _fields(value_info, {1: "name", 2: "type"}):
        if number == 1:
            return _bytes(value)
    raise BrokenModelError("an input without a name")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BrokenModelError("a number where bytes should be")
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BrokenModelError("a name that is no text") from None
