"""What all tests share: how hypothesis runs, and where the real benchmark networks are."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# PyTorch reads it when it is loaded: idle threads that spin make tests that run side by side many times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The first example may compile a kernel, so no deadline; the same examples on every run, so that a failure repeats.
settings.register_profile("intergreen", deadline=None, derandomize=True)
settings.load_profile("intergreen")


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder that INTERGREEN_DATA names; tests that need it skip where it is unset."""
    folder = os.environ.get("INTERGREEN_DATA")
    if not folder:
        pytest.skip("INTERGREEN_DATA is not set: no real benchmark networks here")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def kernels_compiled_in_silence() -> None:
    """What a command says does not depend on which test is the first to need a kernel; `test_notice.py` tells more."""
    from intergreen.envs.simulation import compile_notice

    compile_notice._said.append("nothing in tests")


@pytest.fixture
def sumo_in_process(monkeypatch):
    """Simulations in SUMO run in this process, whatever ran here before, so that a test can look and reach inside."""
    from intergreen.envs.simulation import sumo
    from intergreen.envs.simulation.sumo_library import load_libsumo

    monkeypatch.setattr(sumo, "has_run_here", lambda: bool(load_libsumo().isLoaded()))
