"""The scenario `single` for rules that go by lanes: four phases, 1 to 4, of two lanes each; they share none."""

from types import SimpleNamespace

import numpy as np

from intergreen.agents.controllers import Setup
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import SignalStatus

LANES = {1: (7, 16), 2: (1, 22), 3: (6, 15), 4: (0, 21)}  # by phase


def junction(protocol="literature-10-5", *, flows_vph=None):
    network, timing = load_scenario("single").network, protocol_by_name(protocol)
    return Setup(network, timing.plan(network), timing, 1, flows_vph=flows_vph)


def traffic(setup, *, waiting=None, near=None, bin_of_near=2):
    """Vehicles by phase, all on the first of its lanes; those near arrive in the given distance bin."""
    n = setup.network.n_lanes
    counts = SimpleNamespace(
        waiting=np.zeros((1, n), np.int32), near=np.zeros((1, n), np.int32), arriving=np.zeros((1, n, N_BINS), np.int32)
    )
    for phase, vehicles in (waiting or {}).items():
        counts.waiting[0, LANES[phase][0]] = vehicles
    for phase, vehicles in (near or {}).items():
        counts.near[0, LANES[phase][0]] = vehicles
        counts.arriving[0, LANES[phase][0], bin_of_near] = vehicles
    counts.vehicles, counts.mean_speed = counts.waiting + counts.near, counts.near * 1.0
    return counts


def showing(setup, phase, green_s):
    """The signal shows `phase` for `green_s` seconds now; 0: it is about to."""
    return SignalStatus(
        phase=np.array([[phase]], np.int32),
        green_s=np.array([[green_s]], np.int32),
        red_s=np.zeros((1, setup.network.n_movements), np.int32),
        granted=np.ones((1, setup.network.n_phases), np.uint8),
        overruled=np.zeros((1, 1), np.int32),
    )
