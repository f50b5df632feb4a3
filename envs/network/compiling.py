"""Numba's `njit` where Numba is installed; where it is not, the plain functions: the same numbers, only slower.

A street computer that runs an exported policy reads one junction once and needs no compiler for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from numba import njit
except ImportError:

    def njit(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Leave the function as it is."""
        return lambda function: function


__all__ = ["njit"]
