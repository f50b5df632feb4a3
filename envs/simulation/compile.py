"""How every kernel is compiled; one place, so that they agree.

`_nrt=False` leaves out Numba's reference counting: kernels allocate nothing and only borrow the caller's arrays,
and counting every `state.array[...]` costs ten times the simulation itself. `error_model="numpy"` divides without a
check for zero. No fast-math: the order of operations is part of the model.
"""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, error_model="numpy", nogil=True, _nrt=False)
inlined = njit(cache=True, error_model="numpy", nogil=True, _nrt=False, forceinline=True)
