"""What a controller makes of readings that cannot be true. The one rule of all controllers that look at traffic.

No controller judges readings; that is the work of whoever stands before it. But none may fail by them: what is no
finite number >= 0 counts as 0, as on an empty lane, and no lane holds more than `MOST_VEH`. Whole numbers come from a
simulator and are true: they pass as they are.
"""

from __future__ import annotations

import numpy as np

from intergreen.envs.arrays import FloatArray, IntArray

MOST_VEH = 1_000_000.0  # more than any lane holds; sums of it over a network stay numbers


def usable(values: IntArray | FloatArray) -> IntArray | FloatArray:
    """The values, each of them one to reckon with.

    >>> usable(np.array([2.0, np.nan, np.inf, -1.0, 1e300]))
    array([2.e+00, 0.e+00, 0.e+00, 0.e+00, 1.e+06])
    """
    if values.dtype.kind in "iu":
        return values
    return np.where(np.isfinite(values) & (values >= 0.0), np.minimum(values, MOST_VEH), 0.0)


def usable_whole(values: IntArray | FloatArray) -> IntArray:
    """The same, rounded to whole numbers, for compiled code that takes counts.

    >>> usable_whole(np.array([2.6, np.nan]))
    array([3, 0], dtype=int32)
    """
    if values.dtype == np.int32:
        return values  # type: ignore[return-value]
    return np.ascontiguousarray(np.rint(usable(values)), np.int32)
