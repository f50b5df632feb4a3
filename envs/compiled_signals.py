"""Shield and monitor of `intergreen.envs.signals` in compiled code: the same functions, unchanged."""

from __future__ import annotations

from collections.abc import Callable

from numba.extending import register_jitable

from intergreen.envs.compiled_bits import compile_bits
from intergreen.envs.signals import monitor, shield
from intergreen.envs.signals.state import replica_state
from intergreen.envs.simulation.compile import inlined, kernel

compile_bits()
for _helper in shield.HELPERS + monitor.HELPERS:
    register_jitable(_nrt=False, error_model="numpy", forceinline=True)(_helper)
request = inlined(shield.request)
tick = inlined(shield.tick)  # handing all their arrays over takes as long as most of the seconds that they watch
watch = inlined(monitor.watch)
replica_rows = kernel(monitor.replica_rows)
replica_signals = kernel(replica_state)
tell_granted = kernel(shield.granted)
tell_red_s = kernel(shield.red_seconds)
tell_overruled = kernel(shield.overruled)


def compiled_shield() -> dict[str, Callable[..., None]]:
    """`request` and `tick` of `intergreen.envs.signals.shield` as the core runs them."""
    return {"request": request, "tick": tick}
