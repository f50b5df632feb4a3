"""How every kernel is compiled; one place, so that they agree.

`_nrt=False` leaves out Numba's reference counting: kernels allocate nothing and only borrow the caller's arrays,
and counting every `state.array[...]` costs ten times the simulation itself. `error_model="numpy"` divides without a
check for zero. No fast-math: the order of operations is part of the model.
"""

from __future__ import annotations

import logging
from pathlib import Path

from numba import njit

_logger = logging.getLogger(__name__)
_ENVS = Path(__file__).parent.parent
_SOURCES = (
    "arrays.py", "simulation/*.py", "demand/lanes.py", "signals/state.py", "signals/shield.py", "signals/monitor.py",
    "signals/bits.py", "compiled_bits.py", "compiled_signals.py", "stop_lines.py", "observation.py", "reward.py",
    "senses.py", "period.py",
)  # fmt: skip
_CACHES = ("simulation/__pycache__/*.nb[ic]", "signals/__pycache__/*.nb[ic]", "__pycache__/*.nb[ic]")
_TESTS = "*/__pycache__/*.nb[ic]"  # in a checkout: they measure kernels of their own


def drop_stale_kernels() -> None:
    """Delete compiled kernels that are older than a source they are made of.

    Numba looks at the file of the outermost function alone, so without this a change in `driving.py` would not
    reach a kernel of `step.py` that has its code inlined.
    """
    cached = [path for pattern in _CACHES for path in _ENVS.glob(pattern)]
    cached += (_ENVS.parent / "tests").glob(_TESTS)
    if not cached:
        return
    edited = max(path.stat().st_mtime for pattern in _SOURCES for path in _ENVS.glob(pattern))
    try:
        if edited > min(path.stat().st_mtime for path in cached):
            _logger.info("sources have changed: dropping %d compiled kernels", len(cached))
            for path in cached:
                path.unlink(missing_ok=True)
    except OSError as error:  # read-only, or another process is at it
        _logger.info("compiled kernels stay as they are: %s", error)


drop_stale_kernels()

kernel = njit(cache=True, error_model="numpy", nogil=True, _nrt=False)
inlined = njit(cache=True, error_model="numpy", nogil=True, _nrt=False, forceinline=True)
# What an inlined function calls is inlined too, unless it says that it is not to be.
apart = njit(cache=True, error_model="numpy", nogil=True, _nrt=False, forceinline=False)
