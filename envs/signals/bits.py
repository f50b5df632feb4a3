"""Rows of bytes compared `WIDTH` entries at a time, as the bits of a number.

What a processor does with one instruction; so compiled code does, see `intergreen.envs.compiled_bits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray

WIDTH = 32
ALL = (1 << WIDTH) - 1


def alike(one: ByteArray, other: ByteArray, first: int) -> int:
    """Bit k: are entry `first` + k of one row and of the other the same?"""
    bits = 0
    for k in range(WIDTH):
        bits |= int(one[first + k] == other[first + k]) << k
    return bits


def lit(row: ByteArray, lamp: int, first: int) -> int:
    """Bit k: has entry `first` + k the lamp, or any of them?"""
    bits = 0
    for k in range(WIDTH):
        bits |= int(row[first + k] & lamp != 0) << k
    return bits


def lowest(bits: int) -> int:
    """The number of the lowest bit that is set; some bit must be."""
    return (bits & -bits).bit_length() - 1
