"""Checking what was typed on the command line; every refusal is an `InputError` that names the option and the mend."""

from __future__ import annotations

import os
from pathlib import Path

from intergreen.envs.errors import InputError

MOST_SEEDS = 10_000
MOST_WORKERS = 256
STDOUT = "-"
# What scenarios, runs and bundles are read from.
_READ_SUFFIXES = frozenset({".sumocfg", ".xml", ".yaml", ".yml", ".py", ".gz", ".npz", ".onnx", ".pt"})
_READ_NAMES = frozenset({"roadnet.json", "flow.json", "run.json", "observation.json", "proof.json", "signals.json"})


def parse_seeds(text: str) -> list[int]:
    """Seeds from a range, a list, or a mix of both.

    >>> parse_seeds("0-3"), parse_seeds("0,1,5"), parse_seeds("3"), parse_seeds("7,0-1")
    ([0, 1, 2, 3], [0, 1, 5], [3], [7, 0, 1])
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        last = last if dash else first
        if not (_is_seed(first) and _is_seed(last)) or int(first) > int(last):
            raise _seeds_error(f"cannot read {text!r} as seeds")
        if int(last) - int(first) + len(seeds) >= MOST_SEEDS:
            raise _seeds_error(f"{text!r} is more than {MOST_SEEDS} seeds")
        seeds += range(int(first), int(last) + 1)
    if len(set(seeds)) < len(seeds):
        raise _seeds_error(f"{text!r} names a seed twice")
    return seeds


def parse_levels(text: str) -> list[float]:
    """Factors on the demand from a list with commas.

    >>> parse_levels("0.5,1,1.5")
    [0.5, 1.0, 1.5]
    """
    from intergreen.envs.unseen import HIGHEST_LEVEL

    try:
        levels = [float(part) for part in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0.0 < level <= HIGHEST_LEVEL for level in levels) or len(set(levels)) < len(levels):
        mend = f"write different numbers above 0 and at most {HIGHEST_LEVEL:g}, as in 0.5,1,1.5"
        raise InputError("command line", "--demand-level", f"cannot read {text!r} as levels", mend)
    return levels


def parse_names(text: str, where: str = "--controllers") -> list[str]:
    """Names from a list with commas, each once; `where` it was given, for messages."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError("command line", where, f"an empty name in {text!r}", "write A,B,C")
    if len(set(names)) < len(names):
        raise InputError("command line", where, f"{text!r} has a name twice", "name each one once")
    return names


def require_simulator(simulator: str) -> None:
    """Refuse simulators that are not there, or not installed."""
    from intergreen.envs.simulators import check_simulator

    check_simulator(simulator, "--simulator")


def require_positive(option: str, value: float | None) -> None:
    """Refuse zero, negative and not-a-number values; None is an option that was not given."""
    if value is not None and not 0 < value < float("inf"):
        raise InputError("command line", option, f"must be greater than 0, got {value}", "give a positive number")


def require_horizon(horizon_s: int | None) -> None:
    """Refuse a horizon that is no time, or a slip of the keyboard."""
    require_positive("--horizon", horizon_s)
    from intergreen.envs.protocol import LONGEST_HORIZON_S

    if horizon_s is not None and horizon_s > LONGEST_HORIZON_S:
        problem = f"{horizon_s} s is very long"
        raise InputError("command line", "--horizon", problem, f"use at most {LONGEST_HORIZON_S} s")


def require_threads(threads: int) -> None:
    """Refuse more threads than there are cores to run them; compiled code has no more to give."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    if not 1 <= threads <= available:
        raise InputError("command line", "--threads", f"cannot run on {threads}", f"use 1 to {available}")


def require_workers(workers: int) -> None:
    """Refuse more processes than could be meant."""
    if not 1 <= workers <= MOST_WORKERS:
        raise InputError("command line", "--workers", f"cannot be {workers}", f"use 1 to {MOST_WORKERS}")


def require_writable(option: str, target: str | None) -> None:
    """Refuse a file that could not be written, before hours of work end there."""
    if target is None or target == STDOUT:
        return
    path = Path(target)
    if path.is_dir():
        raise InputError("command line", option, f"{target!r} is a folder", "name a file")
    if path.exists() and (path.suffix in _READ_SUFFIXES or path.name in _READ_NAMES):
        raise InputError(
            "command line", option, f"would overwrite {target!r}, which other commands read", "name another"
        )
    if not path.parent.is_dir():
        raise InputError("command line", option, f"there is no folder {str(path.parent)!r}", "create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError("command line", option, f"{target!r} cannot be written", "check the permissions")


def require_apart(**outputs: str | Path | None) -> None:
    """Refuse two outputs, by option, that would go into one place: the last would be all that is left."""
    seen: dict[Path, str] = {}
    for name, target in outputs.items():
        if target is None or str(target) == STDOUT:
            continue
        option, place = f"--{name.replace('_', '-')}", Path(target).resolve()
        if place in seen:
            problem = f"{str(target)!r} is what {seen[place]} writes"
            raise InputError("command line", option, problem, "name another")
        seen[place] = option


def require_folder(option: str, folder: Path | None) -> None:
    """Refuse a folder that could not be made, before hours of work end there."""
    if folder is None:
        return
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError("command line", option, f"{str(nearest)!r} is a file", "name a folder")
    if not os.access(nearest, os.W_OK):
        raise InputError("command line", option, f"{str(nearest)!r} cannot be written", "check the permissions")


def _is_seed(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 10 and int(word) < 2**32


def _seeds_error(problem: str) -> InputError:
    return InputError("command line", "--seeds", problem, "write 0-9, 0,1,5 or 3")
