"""The processes that simulate in SUMO end, and nobody waits for one without a limit."""

import os
import signal
import subprocess
import sys
from multiprocessing import Pipe

import pytest
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.envs.simulation import sumo_nursery
from intergreen.envs.simulation.sumo_nursery import UNKNOWN, NurseryGone, exit_status, fork_worker

LOST_IN_THE_MIDDLE = f"""
import gc, sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from simulation.test_sumo_simulator import simulator_of
from simulation.sumo_scenarios import generated
from intergreen.envs.simulation import sumo_nursery

def begun():
    simulator = simulator_of(scenario, Path(sys.argv[1]), replicas=2)
    simulator.reset([scenario.trips(0)] * 2, [0, 1])
    return simulator

def lose():
    lost = begun()
    lost.itself = lost
    return lost.worker_pids

scenario = generated()
gc.disable()
pids = lose()
usual, sumo_nursery._nursery = sumo_nursery._nursery, lambda: (gc.collect(), usual())[1]
begun()
alive = [pid for pid in pids if Path(f"/proc/{{pid}}").exists()]
assert not alive, alive
"""


@pytest.fixture
def nursery(monkeypatch):
    """One of the test's own, which has forked and answered; its limits are short."""
    monkeypatch.setattr(sumo_nursery, "_ours", None)
    monkeypatch.setattr(sumo_nursery, "LONGEST_END_S", 0.5)
    mine, theirs = Pipe()
    pid = fork_worker(theirs.fileno())
    theirs.close()
    mine.close()
    assert exit_status(pid) == 0
    _, one = sumo_nursery._ours
    one._socket.settimeout(0.5)
    yield one
    one.close()


@NEEDS_SUMO
def test_a_simulator_that_the_collector_finds_while_another_begins_stops_nobody(tmp_path):
    subprocess.run([sys.executable, "-c", LOST_IN_THE_MIDDLE, str(tmp_path)], check=True, timeout=600)


@NEEDS_SUMO
def test_a_nursery_that_answers_no_more_is_ended_and_another_takes_its_place(nursery):
    os.kill(nursery._process.pid, signal.SIGSTOP)
    mine, theirs = Pipe()
    with pytest.raises(NurseryGone, match="ended with status -9"):
        fork_worker(theirs.fileno())
    pid = fork_worker(theirs.fileno())
    theirs.close()
    mine.close()
    assert exit_status(pid) == 0


@NEEDS_SUMO
def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_ones(nursery, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    mine, theirs = Pipe()
    with monkeypatch.context() as patch:
        patch.setattr(nursery._socket.__class__, "recv", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fork_worker(theirs.fileno())
    pid = fork_worker(theirs.fileno())
    assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath(sys.executable)
    theirs.close()
    mine.close()
    assert exit_status(pid) == 0


def test_nobody_is_started_to_be_asked_how_another_ended(monkeypatch):
    monkeypatch.setattr(sumo_nursery, "_ours", None)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert exit_status(os.getpid()) == UNKNOWN


@NEEDS_SUMO
def test_a_process_that_was_left_is_seen_off_by_the_next(nursery):
    theirs = Pipe()[1]
    left = fork_worker(theirs.fileno())
    theirs.close()
    sumo_nursery.leave(left)
    other = Pipe()[1]
    fork_worker(other.fileno())
    assert not os.path.exists(f"/proc/{left}")
    assert sumo_nursery._left == []
