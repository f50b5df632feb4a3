"""Many arrays handed to a kernel as one pointer.

Numba takes every array of every named tuple apart in every call: for the two hundred of a network, scattered over
memory, that takes as long as a small network's second. Here it is written down once where each of them lies and how
large it is; inside the kernel `opened` makes the same tuple of the same arrays of it again. The types, which the
machine code depends on, are part of the signature that the kernel is compiled for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.extending import NativeValue, intrinsic, register_model, unbox
from numba.np.arrayobj import populate_array

_WORD = ir.IntType(64)


class Packed:
    """Arguments of a kernel: arrays, whole numbers, floats, None, and tuples of them.

    It holds the arguments, so that no array goes while somebody has the address. Numbers are as they were.
    """

    __slots__ = ("_arguments", "_words", "address")

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self._arguments = arguments
        self._words = np.array([*_words(arguments)], np.int64)
        self.address: int = self._words.ctypes.data


class PackedType(types.Type):  # type: ignore[misc]
    """Numba's type of a `Packed` whose arguments have the types `members`, a tuple type."""

    def __init__(self, members: types.BaseTuple) -> None:
        self.members = members
        super().__init__(name=f"Packed({members})")

    @property
    def key(self) -> types.BaseTuple:
        return self.members


def _words(value: Any) -> Iterator[int]:
    """One after the other what `_Reader` reads."""
    if isinstance(value, np.ndarray):
        yield value.ctypes.data
        yield from value.shape
        yield from value.strides
    elif isinstance(value, tuple):
        for member in value:
            yield from _words(member)
    elif isinstance(value, float):
        yield int(np.float64(value).view(np.int64))
    elif isinstance(value, int | np.integer):
        yield int(value)
    elif value is not None:
        raise TypeError(f"a kernel takes arrays, numbers and tuples of them, got {type(value).__name__}")


@register_model(PackedType)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: PackedType) -> None:
        super().__init__(manager, kind, _WORD)


@unbox(PackedType)
def _unbox(_: PackedType, value: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(value, "address")
    word = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(word)


@intrinsic
def opened(_: Any, packed: Any) -> Any:
    """The arguments of a `Packed`, inside a kernel."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _Reader(context, builder, arguments[0]).value(signature.return_type)

    return packed.members(packed), generate


class _Reader:
    """Reads values from memory, in the order in which `_words` tells them."""

    def __init__(self, context: Any, builder: Any, address: Any) -> None:
        self._context, self._builder = context, builder
        self._words = builder.inttoptr(address, _WORD.as_pointer())
        self._constant = builder.module.add_metadata([])
        self._at = 0

    def value(self, kind: types.Type) -> Any:
        context, builder = self._context, self._builder
        if isinstance(kind, types.BaseTuple):
            return context.make_tuple(builder, kind, [self.value(member) for member in kind.types])
        if isinstance(kind, types.Array):
            return self._array(kind)
        if isinstance(kind, types.NoneType):
            return context.get_dummy_value()
        if isinstance(kind, types.Float):
            return builder.bitcast(self._word(), ir.DoubleType())
        width = context.get_value_type(kind)
        return self._word() if width == _WORD else builder.trunc(self._word(), width)

    def _array(self, kind: types.Array) -> Any:
        context, builder = self._context, self._builder
        array = context.make_array(kind)(context, builder)
        entry = context.get_data_type(kind.dtype)
        populate_array(
            array,
            data=builder.inttoptr(self._word(), entry.as_pointer()),
            shape=[self._word() for _ in range(kind.ndim)],
            strides=[self._word() for _ in range(kind.ndim)],
            itemsize=_WORD(context.get_abi_sizeof(entry)),
            meminfo=None,  # borrowed
        )
        return array._getvalue()

    def _word(self) -> Any:
        word = self._builder.load(self._builder.gep(self._words, [_WORD(self._at)]))
        word.set_metadata("invariant.load", self._constant)  # nobody writes to a `Packed`
        self._at += 1
        return word
