"""Intersections that are alike share what is made of them; nothing may come out otherwise than one by one."""

import dataclasses

import numpy as np
import pytest

from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.network.road_network import STRAIGHT, TURN_RIGHT
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import alike, card, rules

TIMINGS = ("literature-10-5", "us-mutcd-5", "de-rilsa-5", "cn-gb-5")
NETWORKS = ("town", "arterial6", "grid4x4")


def each_alone(monkeypatch):
    for module in (card, rules):
        monkeypatch.setattr(module, "first_alike", lambda network, intersections: list(intersections))


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_rules_and_card_are_those_of_every_intersection_by_itself(monkeypatch, name, timing):
    network, protocol = load_scenario(name).network, protocol_by_name(timing)
    shared = protocol.plan(network)
    shared_card = card.program_card(network, shared.timing)
    each_alone(monkeypatch)
    alone = protocol.plan(network)
    for one, other in ((shared.rules, alone.rules), (shared_card, card.program_card(network, alone.timing))):
        for field, of_one, of_other in zip(one._fields, one, other, strict=True):
            assert np.array_equal(of_one, of_other), field
            assert np.asarray(of_one).dtype == np.asarray(of_other).dtype, field


def test_a_large_grid_has_few_kinds_of_intersection():
    network = generate_grid(GridSpec(rows=12, columns=12))
    first = alike.first_alike(network, network.signalled.tolist())
    assert len(set(first)) <= 30
    assert all(kind <= j for kind, j in zip(first, network.signalled.tolist(), strict=True))


def changed(network, name, at, value):
    values = np.array(getattr(network, name))
    values[at] = value
    return dataclasses.replace(network, **{name: values})


@pytest.mark.parametrize(
    ("name", "value"),
    [("lane_speed_limit_mps", 3.0), ("lane_width_m", 9.0), ("movement_turn", STRAIGHT), ("link_length_m", 99.0)],
)
def test_an_intersection_that_differs_in_one_number_is_of_its_own_kind(name, value):
    network = generate_grid(GridSpec(rows=6, columns=6))
    j = int(network.signalled[14])  # in the midst of others like it
    of_j = network.movements_of(j)
    movement = of_j.start + int(np.flatnonzero(network.movement_turn[of_j] == TURN_RIGHT)[0])
    link = int(network.movement_link_start[movement])
    at = {"movement_turn": movement, "link_length_m": link}.get(name, int(network.link_from_lane[link]))
    before = alike.first_alike(network, network.signalled.tolist())
    after = alike.first_alike(changed(network, name, at, value), network.signalled.tolist())
    assert after.count(after[14]) == 1
    assert len(set(after)) >= len(set(before))


def test_phases_make_kinds():
    network = generate_grid(GridSpec(rows=6, columns=6))
    j = int(network.signalled[14])
    first, past = network.phase_movement_start[network.phase_start[j] + 1 :][:2].tolist()
    greens = network.phase_movements[first:past]
    other = np.setdiff1d(np.arange(*network.movement_start[j : j + 2]), greens)[0]
    after = alike.first_alike(changed(network, "phase_movements", first, other), network.signalled.tolist())
    assert after.count(after[14]) == 1
