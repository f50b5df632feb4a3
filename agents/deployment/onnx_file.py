"""What stands in a `policy.onnx`, read without running anything: the weights, the metadata, and that the graph is ours.

A graph from a stranger could loop for ever or fill the memory. So versions, nodes, inputs and outputs must be, byte
for byte, those that `graph.py` writes; only the weights differ, and their names and shapes are checked. Reads the few
fields of the protocol buffer that ONNX defines (onnx.proto3); whatever else stands in the file is refused, and so is a
field that comes twice where one is meant: other readers would merge the two, and run what nobody has looked at.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of all that `graph.policy_graph` writes but for the weights, `<n>` for numbers of columns; a test makes it anew.
GRAPH_DIGEST = "63ac7ef1e08e87f4ffd4e16b5f8a51a4a9f13957d9d9311dc97be244486b5d9c"
_VARINT, _BYTES = 0, 2
_FLOAT, _INT64 = 1, 7
_MOST_AXES, _LONGEST_AXIS = 4, 2**15
_MOST_FIELDS = 1000  # of one message; ours have a hundred. Millions of empty ones would take minutes to read
_KINDS: dict[int, np.dtype[Any]] = {_FLOAT: np.dtype("<f4"), _INT64: np.dtype("<i8")}


class BrokenModelError(ValueError):
    """The file is no graph of ours."""


class _Message(NamedTuple):
    """The fields that one kind of message has in our graphs, by number; `once`: those that stand there once at most."""

    names: dict[int, str]
    once: frozenset[int]


def _message(*repeated: int, **numbers: int) -> _Message:
    return _Message({number: name for name, number in numbers.items()}, frozenset(numbers.values()) - set(repeated))


_MODEL = _message(8, 14, ir_version=1, producer=2, graph=7, opset=8, metadata=14)
_GRAPH = _message(1, 5, 11, 12, node=1, name=2, initializer=5, input=11, output=12)
_TENSOR = _message(1, dims=1, data_type=2, name=8, raw_data=9)
_ENTRY = _message(key=1, value=2)
_VALUE, _TYPE, _TENSOR_TYPE = _message(name=1, type=2), _message(tensor_type=1), _message(elem_type=1, shape=2)
_SHAPE, _AXIS = _message(1, dim=1), _message(dim_value=1, dim_param=2)


@dataclass(slots=True)
class OnnxFile:
    """The content of a file; arrays as they stand there, weights transposed against `PolicyNetwork`."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    columns: list[int] = field(default_factory=list)  # of the inputs
    digest: str = ""


def read_onnx(data: bytes) -> OnnxFile:
    """The weights and metadata of a policy's graph.

    Raises
    ------
    BrokenModelError
        If it is cut off, or holds anything but what `graph.policy_graph` writes.
    """
    content, digest = OnnxFile(), hashlib.sha256()
    for number, value in _fields(data, _MODEL):
        if number == 7:
            _read_graph(_bytes(value), content, digest)
        elif number == 14:
            entry = dict(_fields(_bytes(value), _ENTRY))
            content.metadata[_text(_bytes(entry.get(1, b"")))] = _text(_bytes(entry.get(2, b"")))
        else:
            _add(digest, number, value)
    content.digest = digest.hexdigest()
    return content


def _read_graph(data: bytes, content: OnnxFile, digest: Any) -> None:
    for number, value in _fields(data, _GRAPH):
        if number == 5:
            name, array = _tensor(_bytes(value))
            if name in content.arrays:
                raise BrokenModelError(f"array {name!r} stands there twice")
            content.arrays[name] = array
        elif number in (11, 12):
            _add(digest, number, _value_info(_bytes(value), content.columns))
        else:
            _add(digest, number, value)


def _add(digest: Any, number: int, value: int | bytes) -> None:
    """With its length, so that two fields are never taken for one."""
    content = value if isinstance(value, bytes) else b"%d" % value
    digest.update(b"%d %d %s\n" % (number, len(content), content))


def _tensor(data: bytes) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    kind, name, raw = 0, "", b""
    for number, value in _fields(data, _TENSOR):
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
    if len(dims) > _MOST_AXES or max(dims, default=0) > _LONGEST_AXIS or math.prod(dims) != array.size:
        raise BrokenModelError(f"array {name!r} has not the size of its shape {dims[:8]}")
    return name, array.reshape(dims)


def _value_info(data: bytes, columns: list[int]) -> bytes:
    """Name, kind and axes of an input or output, `<n>` for a number of columns, which joins those before."""
    stated = dict(_fields(data, _VALUE))
    tensor = dict(_fields(_bytes(dict(_fields(_bytes(stated.get(2, b"")), _TYPE)).get(1, b"")), _TENSOR_TYPE))
    axes = []
    for _, axis in _fields(_bytes(tensor.get(2, b"")), _SHAPE):
        for number, value in _fields(_bytes(axis), _AXIS):
            axes.append(_bytes(value) if number == 2 else b"<n>")
            columns += [] if number == 2 else [_number(value)]
    return b"%s %d %s" % (_bytes(stated.get(1, b"")), _number(tensor.get(1, 0)), b",".join(axes))


def _fields(data: bytes, message: _Message) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, one after the other."""
    at = 0
    met: list[int] = []
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number not in message.names:
            raise BrokenModelError(f"a field {number} that no graph of ours has")
        if len(met) == _MOST_FIELDS or (number in message.once and number in met):
            raise BrokenModelError(f"{message.names[number]} stands there too often")
        met.append(number)
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
            raise BrokenModelError(f"{message.names[number]} is of the wire type {wire}")


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
    values: list[int] = []
    at = 0
    while at < len(data) and len(values) <= _MOST_AXES:
        value, at = _varint(data, at)
        values.append(value)
    return values


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BrokenModelError("a number where bytes should be")
    return value


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise BrokenModelError("bytes where a number should be")
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BrokenModelError("a name that is no text") from None
