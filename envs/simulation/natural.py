"""A promise to the compiler that a number is no negative one; it changes no result.

An index that may be negative counts from the end, as in NumPy, so every access looks at its sign and at the array's
length first. What the engine's arrays hold as an index is never negative where it is used. Promised where it is read,
it is not asked again, nor is what comes of it by counting up.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

_PAST_ALL = 1 << 31  # no index of the engine is greater, so that what is added to one does not overflow either


@intrinsic
def natural(typing_context, number):
    """`number`, an int32 or int64; nothing may be expected of a program that gives a negative or greater one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(1)])
        promise = builder.module.declare_intrinsic("llvm.assume", (), kind)
        sign = builder.icmp_unsigned("<", value, ir.Constant(value.type, _PAST_ALL))
        builder.call(promise, [sign])
        return value

    return number(number), generate
