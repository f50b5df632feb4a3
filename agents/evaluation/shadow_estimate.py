"""Two answers to what the policy would have changed: from the log alone, and from a second run with it in charge.

On a street there is only the log. Its estimate, for decisions d of all signals i with D seconds between two decisions:

    delay difference [s/veh] = - D / N * sum over d, i of (released(wanted) - released(shown))
    released(phase)          = sum over the lanes that the phase serves of min(waiting + near, s * g)
    g                        = D where the same side asked for that phase one decision before as well,
                               else D - transition - 2 s of start-up
    s                        = 1800 veh/h a lane
    near                     = moving, but able to reach the stop line before the next decision

N vehicles drove. A vehicle that leaves one slot earlier waits D seconds less. Every decision is weighed by itself, in
the traffic that the controller in charge has made, and that is the estimate's limit: the queue that the policy would
have served still stands at the next decision and counts again; and a vehicle that leaves lets all behind it move up for
as long as the queue lasts, which no single slot shows: in congestion the estimate is far too small, and even its sign
may be wrong (`docs/deployment.md` has figures). It tells where and when the two differ and is no promise in seconds.
Where the other world can be run, as here, the second answer stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.evaluation.statistics import json_number, mean_interval, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from intergreen.agents.evaluation.shadow_watch import Watched
    from intergreen.envs.arrays import FloatArray

BLOCK_S = 300
COMPARED = ("average_travel_time_s", "delay_s", "mean_queue_veh", "throughput_veh")


def estimate_from_log(watched: Sequence[Watched], interval_s: int, *, same_trips: bool) -> dict[str, Any]:
    """The estimate with its 95 % bootstrap interval: over the seeds, or over blocks of five minutes of the mean day
    where there is one seed or all seeds drive the same trips (`same_trips`); none of a single block."""
    blocks = np.concatenate([_by_block(one, interval_s) for one in watched])  # (S, K)
    per_seed = blocks.sum(axis=1)
    by_time = same_trips or len(per_seed) == 1
    sample = blocks.mean(axis=0) * blocks.shape[1] if by_time else per_seed
    is_spread = len(sample) > 1 and bool(np.isfinite(sample).all())  # a single block says nothing about it
    low, high = mean_interval(sample) if is_spread else (np.nan, np.nan)
    return {
        "delay_s": {
            "mean": json_number(float(per_seed.mean())),
            "ci95": [json_number(low), json_number(high)],
            "per_seed": [json_number(value) for value in per_seed.tolist()],
        },
        "resampled": f"blocks of {BLOCK_S} s" if by_time else "seeds",
    }


def _by_block(watched: Watched, interval_s: int) -> FloatArray:
    """(B, K) delay difference per vehicle [s], split by the blocks in which the decisions fell; what is left behind the
    last whole block belongs to it."""
    gain = (watched.wanted.released - watched.shown.released).sum(axis=2)  # (T, B) veh
    whole = max(1, (int(watched.second[-1]) + interval_s) // BLOCK_S)
    block = np.minimum(watched.second // BLOCK_S, whole - 1)
    saved_s = np.zeros((int(block[-1]) + 1, gain.shape[1]))
    np.add.at(saved_s, block, interval_s * gain)
    vehicles = watched.vehicles.astype(np.float64)
    none = np.full_like(saved_s, np.nan)
    difference: FloatArray = np.divide(-saved_s, vehicles, out=none, where=vehicles > 0).T
    return difference


def paired_difference(in_charge: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """Policy minus controller in charge on the same trips, seed by seed: mean and 95 % bootstrap interval."""
    found = {}
    for name in COMPARED:
        before, after = in_charge["metrics"][name], policy["metrics"][name]
        pairs = zip(_numbers(before["per_seed"]), _numbers(after["per_seed"]), strict=True)
        found[name] = {
            "in_charge": before["mean"],
            "policy": after["mean"],
            "difference": summarise([b - a for a, b in pairs]).to_json(),
        }
    return found


def same_sign(a: float | None, b: float | None) -> bool | None:
    """Do both say the same of who is better? None where one says nothing."""
    return None if a is None or b is None else bool(np.sign(a) == np.sign(b))


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]
