"""A hint to the processor that an entry of an array is needed soon; it changes no result.

The lanes of a large network do not fit the caches, and the few vehicles of each lie far from those of the next: without
the hint a step waits for memory once for every array and lane.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_FOR_READING, _KEEP, _DATA = 0, 3, 1  # the constants of LLVM's `llvm.prefetch`


@intrinsic
def fetch_ahead(typing_context, array, index):
    """Begin to load `array[index]`; an index outside the array does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        hint = builder.module.declare_intrinsic("llvm.prefetch", (address.type,), kind)
        builder.call(hint, [address, number(_FOR_READING), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, index), generate
