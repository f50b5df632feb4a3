"""What every value of an observation means, for whoever wires a detector to it: unit, range and words by column."""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.observation import ARRIVAL_BOUNDS_S, HIGHEST


class Column(NamedTuple):
    """One value of a movement, a choice or a signal."""

    unit: str
    range: tuple[float, float]
    meaning: str


_COUNT, _SHARE, _FLAG = (0.0, HIGHEST), (0.0, HIGHEST), (0.0, 1.0)
_BOUNDS_S = (0.0, *ARRIVAL_BOUNDS_S)

COLUMNS: dict[str, Column] = {
    "exists": Column("flag", _FLAG, "1 for a movement that is there"),
    "queue": Column("10 vehicles", _COUNT, "vehicles slower than 0.1 m/s on the lanes that the movement starts from"),
    **{
        f"arriving_{k}": Column(
            "10 vehicles",
            _COUNT,
            f"moving vehicles {_BOUNDS_S[k]:g} to {_BOUNDS_S[k + 1]:g} s from the stop line at the speed limit",
        )
        for k in range(len(ARRIVAL_BOUNDS_S))
    },
    "occupied": Column("share", _SHARE, "all vehicles as a share of the lanes' room, 7.5 m each"),
    "out_queue": Column("10 vehicles", _COUNT, "vehicles slower than 0.1 m/s per lane of the road ahead"),
    "out_free": Column("share", _FLAG, "free share of the road ahead"),
    "green": Column("flag", _FLAG, "1 if the phase last shown as green serves the movement"),
    "right": Column("flag", _FLAG, "1 for a right turn"),
    "left": Column("flag", _FLAG, "1 for a left turn"),
    "straight": Column("flag", _FLAG, "1 for straight on"),
    "lanes": Column("lanes", _COUNT, "lanes that the movement starts from, a shared one divided by its movements"),
    "up_queue": Column("10 vehicles", _COUNT, "vehicles slower than 0.1 m/s upstream that come to the movement's road"),
    "up_green": Column("10 vehicles", _COUNT, "those of them that have green now"),
    "red_time": Column("60 s", _COUNT, "time since the movement had green"),
    "out_fullest": Column(
        "share", _SHARE, "all vehicles on the fullest lane of the road ahead, as a share of its room"
    ),
    "passing": Column("10 vehicles", _COUNT, "vehicles that would cross within the next slot if it had green"),
    "green_time": Column("30 s", _COUNT, "time since the present green began"),
    "interval": Column("10 s", _COUNT, "time between decisions"),
    "clearance": Column("5 s", _COUNT, "longest transition between two choices"),
    "current": Column("flag", _FLAG, "1 for the phase last shown as green"),
    "allowed": Column("flag", _FLAG, "1 for a phase that may be asked for now"),
    "serves": Column("flag", _FLAG, "1 where the choice gives the movement green"),
}


def runs(columns: list[int]) -> list[slice]:
    """Ascending columns as stretches without a gap, which are read without being copied."""
    found: list[slice] = []
    for k in columns:
        goes_on = bool(found) and found[-1].stop == k
        found[-1:] = [slice(found[-1].start, k + 1)] if goes_on else [*found[-1:], slice(k, k + 1)]
    return found
