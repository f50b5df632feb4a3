"""`intergreen.envs.signals.bits` in compiled code: one load, one comparison and one instruction that gathers bits."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from intergreen.envs.signals import bits

_WORD, _WIDE = ir.IntType(64), ir.VectorType(ir.IntType(8), bits.WIDTH)


def _entries(context: Any, builder: Any, kind: Any, row: Any, first: Any) -> Any:
    data = context.make_array(kind)(context, builder, row).data
    there = builder.bitcast(builder.gep(data, [first]), _WIDE.as_pointer())
    return builder.load(there, align=1)


def _gathered(builder: Any, truths: Any) -> Any:
    return builder.zext(builder.bitcast(truths, ir.IntType(bits.WIDTH)), _WORD)


@intrinsic
def _alike(_: Any, one: Any, other: Any, first: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = arguments[2]
        mine, its = (
            _entries(context, builder, kind, row, at)
            for kind, row in zip(signature.args[:2], arguments[:2], strict=True)
        )
        return _gathered(builder, builder.icmp_unsigned("==", mine, its))

    return types.int64(one, other, types.int64), generate


@intrinsic
def _lit(_: Any, row: Any, lamp: Any, first: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries = _entries(context, builder, signature.args[0], arguments[0], arguments[2])
        one = builder.trunc(arguments[1], ir.IntType(8))
        empty = ir.Constant(_WIDE, None)
        mask = builder.insert_element(empty, one, ir.IntType(32)(0))
        mask = builder.shuffle_vector(mask, empty, ir.Constant(ir.VectorType(ir.IntType(32), bits.WIDTH), None))
        return _gathered(builder, builder.icmp_unsigned("!=", builder.and_(entries, mask), empty))

    return types.int64(row, types.int64, types.int64), generate


@intrinsic
def _lowest(_: Any, number: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


@cache
def compile_bits() -> None:
    """From now on kernels may call the functions of `bits`."""
    options = {"_nrt": False, "error_model": "numpy", "forceinline": True}
    for plain, compiled in (
        (bits.alike, lambda one, other, first: lambda one, other, first: _alike(one, other, first)),
        (bits.lit, lambda row, lamp, first: lambda row, lamp, first: _lit(row, lamp, first)),
        (bits.lowest, lambda bits: lambda bits: _lowest(bits)),
    ):
        overload(plain, jit_options=options, strict=False)(compiled)
