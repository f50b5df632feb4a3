"""SUMO behind the simulator's protocol: what goes in is displayed, what comes out is what SUMO itself counts."""

import copy
import gc
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from simulation.sumo_scenarios import NEEDS_SUMO, generated, written

from intergreen.envs.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.errors import SimulationError
from intergreen.envs.layout import arrival_bounds_m
from intergreen.envs.network.sumo_index import SignalLamps
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation import sumo_library
from intergreen.envs.simulation.sumo import SumoSimulator
from intergreen.envs.simulation.sumo_lamps import Lamps, state_of
from intergreen.envs.simulation.sumo_world import SumoSettings, sumo_world
from intergreen.envs.sumo_core import SumoCore
from intergreen.envs.traffic_env import TrafficSignalEnv

THREE = SignalLamps("C", 4, character=(3, 0, 1), movement=(0, 0, 1), yields_to=((2,), (), ()))


def simulator_of(scenario, folder, *, replicas=1, **world_settings):
    from intergreen.envs.sumo_net_file import net_of

    names = net_of(scenario, folder)
    settings = {"hears_calls": False, "folder": folder} | world_settings
    world = sumo_world(scenario.network, scenario.demand, names, SumoSettings(), **settings)
    return SumoSimulator(scenario.network, world, replicas=replicas)


@pytest.fixture
def make(tmp_path):
    """Simulators of the generated crossing, closed at the end."""
    made = []

    def one(scenario=None, **settings):
        made.append(simulator_of(scenario or generated(), tmp_path, **settings))
        return made[-1]

    yield one
    for simulator in made:
        simulator.close()


def greens_of_phase(network, phase):
    first, past = network.phase_movement_start[phase : phase + 2]
    green = np.zeros(network.n_movements, np.uint8)
    green[network.phase_movements[first:past]] = 1
    return green


# --- lamps -------------------------------------------------------------------------------------------------------


def test_a_green_yields_only_where_one_that_goes_first_is_green_too():
    assert state_of(THREE, np.array([GREEN, GREEN, GREEN], np.uint8)) == "GGrg"
    assert state_of(THREE, np.array([GREEN, GREEN, YELLOW], np.uint8)) == "GyrG"
    assert state_of(THREE, np.array([RED, RED, RED_AMBER], np.uint8)) == "rurr"


def test_no_display_ever_allows_a_turn_on_red():
    every = [DARK, RED, YELLOW, GREEN, RED_AMBER]
    states = {state_of(THREE, np.array([a, b, c], np.uint8)) for a in every for b in every for c in every}
    assert set("".join(states)) <= set("Ggyru")


def test_lamps_of_one_movement_that_differ_are_both_seen():
    lamps = Lamps([THREE], n_movements=3)
    meant = np.array([GREEN, RED, GREEN], np.uint8)
    assert lamps.read(["Grrr"], meant).tolist() == [GREEN | RED, RED, GREEN]  # the last has no lamp of SUMO's
    assert lamps.read(["orro"], meant).tolist() == [DARK, RED, GREEN]


def test_signals_are_told_once_of_what_stays():
    lamps = Lamps([THREE], n_movements=2)
    red, green = np.array([RED, RED], np.uint8), np.array([GREEN, RED], np.uint8)
    assert [list(lamps.changes(now)) for now in (red, red, green)] == [[("C", "rrrr")], [], [("C", "GrrG")]]


# --- one simulation ----------------------------------------------------------------------------------------------


@NEEDS_SUMO
def test_what_is_shown_lasts_until_the_next_display_whatever_the_files_programme_says(tmp_path):
    """A peer's defect: its phase, shorter than the decision, was followed by the file's next one."""
    scenario = load_scenario(written(tmp_path))
    assert scenario.network.phase_duration_s.max() < 100
    simulator = simulator_of(scenario, tmp_path)
    try:
        simulator.reset([scenario.trips(0)], [0])
        meant = np.where(greens_of_phase(scenario.network, 0) == 1, GREEN, RED)
        simulator.green[0] = greens_of_phase(scenario.network, 0)
        for _ in range(250):
            simulator.advance(1)
            assert np.array_equal(simulator.displayed[0], meant)
    finally:
        simulator.close()


@NEEDS_SUMO
def test_vehicles_are_conserved_and_counts_add_up(make):
    scenario = generated()
    simulator = make(scenario)
    simulator.reset([scenario.trips(3)], [3])
    bounds_m = arrival_bounds_m(scenario.network)
    for second in range(1, 200):
        simulator.green[0] = greens_of_phase(scenario.network, 1 + second // 30 % 4)
        simulator.advance(1)
        totals, counts = simulator.totals(), simulator.counts(np.full(scenario.network.n_lanes, 1e9), bounds_m)
        assert totals.released[0] == np.searchsorted(scenario.trips(3).release_s, second)
        assert totals.released[0] == totals.finished[0] + totals.running[0] + totals.waiting_outside[0]
        assert counts.waiting.sum() == totals.halted[0]
        assert counts.vehicles.sum() <= totals.running[0]
        assert np.array_equal(counts.waiting + counts.near, counts.vehicles)
        assert (counts.arriving.sum(axis=2) <= counts.near).all()
    assert totals.finished[0] > 20


@NEEDS_SUMO
def test_time_loss_is_sumos_own(make, sumo_in_process):
    import libsumo

    scenario = generated()
    simulator = make(scenario)
    simulator.reset([scenario.trips(0)], [0])
    simulator.green[0] = greens_of_phase(scenario.network, 1)
    simulator.advance(60)
    sums = simulator._runs[0]._run._sums
    inside = np.flatnonzero((sums.entered >= 0) & (sums.finished < 0))
    theirs = [libsumo.vehicle.getTimeLoss(str(vehicle)) for vehicle in inside]
    assert len(inside) > 20
    assert sums._loss_s[inside] == pytest.approx(theirs, abs=0.01)


@NEEDS_SUMO
def test_vehicles_keep_the_attributes_of_the_files_types(tmp_path, sumo_in_process):
    import libsumo

    scenario = load_scenario(written(tmp_path))
    simulator = simulator_of(scenario, tmp_path)
    try:
        simulator.reset([scenario.trips(0)], [0])
        simulator.advance(30)
        assert {libsumo.vehicle.getImperfection(v) for v in libsumo.vehicle.getIDList()} == {0.2}
    finally:
        simulator.close()


@NEEDS_SUMO
@pytest.mark.parametrize("lane_change", [False, True])
def test_queues_are_passed_on_another_lane_only_where_drivers_change_lanes_for_it(make, lane_change):
    """Every approach of the crossing has a lane for each turn, and all begin on theirs; straight on it is red."""
    scenario = generated()
    simulator = make(scenario, lane_change=lane_change)
    simulator.reset([scenario.trips(0)], [0])
    seen: dict[int, set[int]] = {}
    is_approach = scenario.network.road_to[scenario.network.lane_road] == scenario.network.signalled[0]
    for _ in range(40):
        simulator.advance(10)
        now = simulator.positions()
        for trip, lane in zip(now.trip.tolist(), now.drivable.tolist(), strict=True):
            if is_approach[lane]:
                seen.setdefault(trip, set()).add(lane)
    assert len(seen) > 100
    assert any(len(lanes) > 1 for lanes in seen.values()) == lane_change


@NEEDS_SUMO
def test_whoever_stands_at_a_stop_line_calls_for_the_movements_of_the_lane(make):
    scenario = generated()
    simulator = make(scenario, hears_calls=True)
    simulator.reset([scenario.trips(0)], [0])
    simulator.advance(90)  # all red
    counts = simulator.counts(np.full(scenario.network.n_lanes, 15.0), arrival_bounds_m(scenario.network))
    network = scenario.network
    queued = [any(counts.waiting[0, lane] for lane in network.start_lanes(m)) for m in range(network.n_movements)]
    assert sum(queued) > 6
    assert simulator.calls[0][queued].all()


# --- several simulations -------------------------------------------------------------------------------------------


@NEEDS_SUMO
def test_a_second_simulator_runs_elsewhere_and_gives_the_same(make, sumo_in_process):
    scenario = generated()
    first, second = make(scenario), make(scenario)
    for simulator in (first, second):
        simulator.reset([scenario.trips(5)], [5])
    assert (len(first.worker_pids), len(second.worker_pids)) == (0, 1)
    for simulator in (first, second):
        simulator.green[0] = greens_of_phase(scenario.network, 1)
        simulator.advance(40)
    one, other = first.totals(), second.totals()
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
    assert second.worker_cpu_s > 0


@NEEDS_SUMO
def test_every_simulation_begins_in_a_process_that_has_had_none(make, monkeypatch):
    """Else what vehicles of the one before have left in memory decides which of the next go first."""
    monkeypatch.setattr(sumo_library, "_has_run", False)
    scenario = generated()
    simulator, pids, found = make(scenario), [], []
    for _ in range(3):
        simulator.reset([scenario.trips(5)], [5])
        simulator.green[0] = greens_of_phase(scenario.network, 1)
        simulator.advance(40)
        pids.append(simulator.worker_pids)
        found.append(simulator.totals())
    assert pids[0] == []
    assert len({pid for row in pids[1:] for pid in row}) == 2
    assert not any(_is_running(pid) for pid in pids[1])
    assert all(np.array_equal(a, b, equal_nan=True) for one in found[1:] for a, b in zip(one, found[0], strict=True))


@NEEDS_SUMO
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_environments_in_sumo_are_not_copied_and_go_on(copied, tmp_path):
    env = TrafficSignalEnv(generated(), simulator="sumo", horizon_s=60)
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(TypeError, match="a simulation in SUMO cannot be copied or pickled: make another one"):
        copied(env)
    gc.collect()
    env.step(1)
    assert env.episodes.time_s == 2 * env.episodes.protocol.interval_s
    env.close()
    with pytest.raises(ValueError, match="this simulation in SUMO has been closed: make another one"):
        env.reset(seed=0)


@NEEDS_SUMO
def test_what_sumo_refuses_in_mid_run_is_told_with_seed_and_second(make, tmp_path):
    scenario = generated()
    simulator = make(scenario)
    (net,) = tmp_path.glob("*.net.xml")
    exits = [scenario.network.road_ids[road] for road in set(scenario.network.movement_to_road.tolist())]
    text = net.read_text()
    for road in exits:
        text = re.sub(rf'<lane id="{road}_(\d+)"', rf'<lane id="{road}_\1" disallow="all"', text)
    net.write_text(text)
    with pytest.raises(SimulationError, match=r"seed 7, second \d+: .*(no valid route|No connection)"):
        simulator.reset([scenario.trips(7)], [7])
        simulator.advance(60)


@NEEDS_SUMO
def test_a_killed_worker_ends_the_run_with_its_seed_and_leaves_no_process(make):
    scenario = generated()
    simulator = make(scenario, replicas=2)
    simulator.reset([scenario.trips(7), scenario.trips(8)], [7, 8])
    simulator.advance(5)
    pids = simulator.worker_pids
    os.kill(pids[1], signal.SIGKILL)
    begin = time.monotonic()
    with pytest.raises(SimulationError, match=r"seed 8, second 5: .* was ended by signal 9"):
        simulator.advance(5)
    assert time.monotonic() - begin < 10
    assert not any(_is_running(pid) for pid in pids)


@NEEDS_SUMO
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_files_of_ended_workers_go_with_those_of_whoever_started_them(how, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scenario = generated()
    core = SumoCore(scenario, protocol_by_name(scenario.default_protocol).plan(scenario.network), replicas=2)
    core.reset([scenario.trips(7), scenario.trips(8)], [7, 8], np.zeros((2, 1), np.int32))
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.glob("*/trips.rou.xml"))) == 2
    for pid in core.simulator.worker_pids:
        os.kill(pid, how)
    core.close()
    assert list(tmp_path.iterdir()) == []


@NEEDS_SUMO
def test_workers_end_when_whoever_started_them_is_killed(tmp_path):
    program = f"""
import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from simulation.test_sumo_simulator import simulator_of
from simulation.sumo_scenarios import generated
scenario = generated()
simulator = simulator_of(scenario, Path({str(tmp_path)!r}), replicas=2)
simulator.reset([scenario.trips(0)] * 2, [0, 1])
print(*simulator.worker_pids, flush=True)
input()
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while any(_is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_is_running(pid) for pid in pids)


def _is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split(") ")[-1][0] != "Z"
    except FileNotFoundError:
        return False
