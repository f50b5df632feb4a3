"""Recordings: the traffic is the same with and without, and the file holds what was there."""

from __future__ import annotations

import numpy as np
import pytest

from intergreen.envs.core import TrafficCore
from intergreen.envs.recording import Recording
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FixedClearance, make_plan

SECONDS = 60


@pytest.fixture
def core() -> TrafficCore:
    scenario = load_scenario("single")
    core = TrafficCore(scenario.network, make_plan(scenario.network, timing=FixedClearance(5)), scenario.demand)
    core.reset([scenario.trips(0)], [0], np.ones((1, 1), np.int32))
    return core


def drive(core, run) -> None:
    for period in range(SECONDS // 10):
        run(np.array([[1 + period % 4]], np.int32), 10)


def test_recorded_run_is_the_run_without_recording(core):
    recording = Recording()
    drive(core, lambda *asked: recording.run(core, *asked))
    recorded, first = core.totals(), core.positions()
    scenario = load_scenario("single")
    core.reset([scenario.trips(0)], [0], np.ones((1, 1), np.int32))
    drive(core, core.run)
    assert all(np.array_equal(a, b) for a, b in zip(recorded, core.totals(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first, core.positions(), strict=True))


def test_file_holds_every_second_and_the_last_positions(core, tmp_path):
    recording = Recording()
    drive(core, lambda *asked: recording.run(core, *asked))
    path = tmp_path / "run.npz"
    recording.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]  # nothing temporary stays
    with np.load(path, allow_pickle=False) as kept:
        assert kept["time_s"].tolist() == list(range(1, SECONDS + 1))
        assert kept["phase"].shape == (SECONDS, 1)
        # a change at 10 s: 5 s of clearance, then green
        assert kept["phase"][9:16, 0].tolist() == [
            1,
            0,
            0,
            0,
            0,
            0,
            2,
        ]
        last = kept["second"] == SECONDS
        assert np.array_equal(kept["trip"][last], core.positions().trip)
        assert kept["distance_m"][last] == pytest.approx(core.positions().distance)


def test_empty_recording_can_be_saved(tmp_path):
    Recording().save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as kept:
        assert kept["phase"].shape == (0, 0)


def test_save_that_fails_leaves_the_old_file(core, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Recording().save(path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
