"""Compiled kernels are dropped once a source is newer."""

from __future__ import annotations

import os

import pytest

from intergreen.envs.simulation import compile as compiling

KERNELS = (
    "envs/simulation/__pycache__/step.f.nbi",
    "envs/simulation/__pycache__/step.f.1.nbc",
    "envs/__pycache__/period.g.nbi",
    "tests/benchmarks/__pycache__/test_safety.h.nbi",
)
SOURCES = ("envs/simulation/driving.py", "envs/period.py")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder with sources of second 100 and compiled kernels of second 200."""
    monkeypatch.setattr(compiling, "_ENVS", tmp_path / "envs")
    for name, second in [*((name, 100) for name in SOURCES), *((name, 200) for name in KERNELS)]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (second, second))
    return tmp_path


def kept(tree) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*.nb[ic]")}


def test_kernels_newer_than_their_sources_stay(tree):
    compiling.drop_stale_kernels()
    assert kept(tree) == set(KERNELS)


@pytest.mark.parametrize("edited", SOURCES)
def test_one_edited_source_drops_them_all(tree, edited):
    os.utime(tree / edited, (300, 300))
    compiling.drop_stale_kernels()
    assert kept(tree) == set()


def test_nothing_compiled_yet_is_fine(tree):
    for name in KERNELS:
        (tree / name).unlink()
    compiling.drop_stale_kernels()
    assert kept(tree) == set()
