"""Every baseline on random small networks under random timings: valid phases, no fault, the same for the same seed."""

import numpy as np
import pytest
from signals.test_safety_runs import random_network, random_protocol

from intergreen.agents.controllers import Setup, controller_by_name, controller_names
from intergreen.agents.controllers.base import Timetable, near_distance_m
from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import TurnSpec, generate_demand, release_trips
from intergreen.envs.demand.volumes import movement_volumes
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals.state import REFUSED

SECONDS = 400


def run(name, seed, seeds):
    """Wanted phases of every decision, and the core afterwards."""
    random = np.random.default_rng(seed)
    network = random_network(random, large=False)
    demand = generate_demand(network, TurnSpec(entry_vph=random.uniform(200, 900), horizon_s=SECONDS), seed=seed)
    protocol, controller = protocol_by_name(random_protocol(random)), controller_by_name(name)
    plan = protocol.plan(network, own_clearance=controller.own_clearance)
    flows = movement_volumes(network, demand, np.ones(demand.n_flows)) * 3600.0 / SECONDS
    core = TrafficCore(network, plan, demand, replicas=len(seeds), monitored=True)
    core.near_m = near_distance_m(network, protocol.interval_s)
    setup = Setup(network, plan, protocol, len(seeds), seeds[0], flows, seeds)
    trips = [release_trips(network, demand, horizon_s=SECONDS, seed=one) for one in seeds]
    core.reset(trips, seeds, controller.start(setup))
    wanted = []
    while core.time_s < SECONDS:
        now = core.time_s
        wanted.append(controller.decide(core.counts(), core.signals(protocol.interval_s), now).copy())
        period = controller.interval_s or protocol.interval_s
        core.run(wanted[-1], controller.seconds_until_change(now) if isinstance(controller, Timetable) else period)
    return np.array(wanted), core


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", controller_names())
def test_wishes_are_choices_and_the_monitor_sees_no_fault(name, seed):
    wanted, core = run(name, seed, (0, 1))
    plan = core.plan
    assert core.interventions[:, :, REFUSED].sum() == 0
    if not controller_by_name(name).own_clearance:
        assert ((wanted >= 0) & (wanted < plan.n_phases)).all()
        assert plan.is_choice[np.arange(plan.n_signals), wanted].all()
    assert core.faults() == []


@pytest.mark.parametrize("name", controller_names())
def test_a_seed_gives_the_same_wishes_again_and_whoever_else_runs(name):
    wanted, core = run(name, 2, (5, 6))
    again, _ = run(name, 2, (5, 6))
    assert (wanted == again).all()
    other, _ = run(name, 2, (4, 5, 6))
    assert (wanted == other[:, 1:]).all()
    assert core.totals().entered.min() > 0


@pytest.mark.parametrize("name", ["actuated", "sotl", "greedy-queue", "coordinated", "efficient-max-pressure"])
def test_everybody_is_served(name):
    """No movement with traffic is without green for the whole run."""
    for seed in range(3):
        _, core = run(name, seed, (0,))
        waits = core.engine.movement_waits()[0]
        assert waits.max() < SECONDS - 60, seed
