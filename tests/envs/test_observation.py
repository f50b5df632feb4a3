"""Observations against a slow twin, written from the table in the module's docstring, on random counts."""

import functools
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs import senses
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.layout import feature_names, make_layout
from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.observation import (
    ALL_FEATURES,
    ARRIVAL_BOUNDS_S,
    DEFAULT_FEATURES,
    HIGHEST,
    LONGEST_GREEN_S,
    N_BINS,
    observe,
)
from intergreen.envs.observation_arrays import make_gathers, observe_arrays, taken_apart, vectors
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming, FixedClearance, SignalStatus, make_plan
from intergreen.envs.signals.presets import profile_by_name
from intergreen.envs.signals.shield import transition_s
from intergreen.envs.simulation import Counts
from intergreen.envs.spaces import SignalSpace

TIMING = {"literature": FixedClearance(4), "field": FieldTiming(profile_by_name("us-mutcd"))}
WORLDS = [("single", "literature"), ("grid4x4", "literature"), ("town", "literature"), ("town", "field")]
ABOUT = "town, right turns turn about"  # they share lanes with those who drive straight on, and always have green
WORLDS += [(ABOUT, "literature")]
REPLICAS, INTERVAL_S = 3, 15


class World(NamedTuple):
    """A network with random counts, phases, green and red times and phases that are granted, of 3 replicas."""

    network: object
    plan: object
    counts: Counts
    signals: SignalStatus

    def layout(self, features=ALL_FEATURES, **room):
        return make_layout(self.network, self.plan, features=features, **room)

    def observed(self, layout):
        return senses.observe_all(self.counts, self.signals, INTERVAL_S, layout)

    def by_name(self, layout):
        """{name: (B, I)}"""
        return dict(zip(feature_names(layout), np.moveaxis(self.observed(layout), -1, 0), strict=True))


@functools.cache
def make_world(name, timing="literature"):
    network = load_scenario(name.partition(",")[0]).network
    if name == ABOUT:
        network = replace(network, movement_turns_about=network.movement_turn == TURN_RIGHT)
    plan = make_plan(network, timing=TIMING[timing])
    random = np.random.default_rng(5)
    lanes = (REPLICAS, network.n_lanes)
    waiting = random.integers(0, 130, lanes).astype(np.int32)
    arriving = random.integers(0, 25, (*lanes, N_BINS)).astype(np.int32)
    vehicles = waiting + arriving.sum(axis=2, dtype=np.int32)
    vehicles[:, ::2] //= 8  # some roads with room left
    counts = Counts(vehicles, waiting, np.zeros(lanes, np.int32), arriving, np.zeros(lanes))
    signals = (REPLICAS, plan.n_signals)
    phase = random.integers(-1, plan.n_phases, signals).astype(np.int32)
    green_s = random.integers(0, 400, signals).astype(np.int32)
    red_s = random.integers(0, 700, (REPLICAS, network.n_movements)).astype(np.int32)
    granted = random.integers(0, 2, (REPLICAS, network.n_phases)).astype(np.uint8)
    return World(network, plan, counts, SignalStatus(phase, green_s, red_s, granted, np.zeros_like(phase)))


@pytest.fixture(params=WORLDS, ids="-".join)
def world(request):
    return make_world(*request.param)


@pytest.mark.parametrize("features", [ALL_FEATURES, DEFAULT_FEATURES, ("queue",), ("upstream", "timing")], ids=len)
@pytest.mark.parametrize("spare", [0, 3])
def test_whole_arrays_give_the_same_bits(world, features, spare):
    widest = world.layout().blocks
    layout = world.layout(features, movements=widest.movements + spare, choices=widest.choices + spare)
    counts, gathers = in_32_bits(world.counts), make_gathers(layout)
    observed = observe_arrays(*counts, world.signals, INTERVAL_S, gathers)
    wanted = world.observed(layout)
    np.testing.assert_array_equal(vectors(observed), wanted.reshape(-1, layout.blocks.size))
    for part, again in zip(observed, taken_apart(vectors(observed), layout.blocks), strict=True):
        np.testing.assert_array_equal(part, again)


def test_what_changes_is_overwritten_and_nothing_else(world):
    layout = world.layout(ALL_FEATURES)
    gathers = make_gathers(layout)
    nobody = [np.zeros_like(one) for one in in_32_bits(world.counts)]
    room = observe_arrays(*nobody, world.signals, 1, gathers)
    again = observe_arrays(*in_32_bits(world.counts), world.signals, INTERVAL_S, gathers, room)
    assert again is room
    np.testing.assert_array_equal(vectors(again), world.observed(layout).reshape(-1, layout.blocks.size))


def in_32_bits(counts):
    waiting, vehicles = counts.waiting.astype(np.float32), counts.vehicles.astype(np.float32)
    return waiting, vehicles, np.moveaxis(counts.arriving, 2, 0).astype(np.float32)


def twin(world, b, i):
    """{name: value} of everything that signal i of replica b has, feature by feature as documented."""
    network, plan, counts = world.network, world.plan, world.counts
    waiting, vehicles, arriving = counts.waiting[b], counts.vehicles[b], counts.arriving[b]
    phase, green_s = world.signals.phase[b], world.signals.green_s[b, i]

    def lanes_of(movement):
        return sorted(set(network.link_from_lane[network.link_movement == movement].tolist()))

    def has_row(movement):
        if not network.movement_turns_about.any() or network.movement_turn[movement] != TURN_RIGHT:
            return True
        beside = np.flatnonzero(network.movement_from_road == network.movement_from_road[movement])
        others = [other for other in beside if network.movement_turn[other] != TURN_RIGHT]
        return not any(set(lanes_of(movement)) <= set(lanes_of(other)) for other in others)

    def movements_of(signal):
        mine = np.flatnonzero(network.movement_intersection == plan.intersection[signal]).tolist()
        return [movement for movement in mine if has_row(movement)]

    def served(signal, local_phase):
        if local_phase < 0:
            return set()
        p = network.phase_start[plan.intersection[signal]] + local_phase
        return set(network.phase_movements[network.phase_movement_start[p] : network.phase_movement_start[p + 1]])

    choices = plan.choices[i, : plan.n_choices[i]].tolist()
    clearance_s = max(transition_s(i, a, z, plan.rules) for a in choices for z in choices if a != z)

    def passing_of(lanes, has_green):
        slot_s = INTERVAL_S if has_green else max(INTERVAL_S - clearance_s, 0)
        middles_s = np.mean([(0.0, *ARRIVAL_BOUNDS_S[:-1]), ARRIVAL_BOUNDS_S], axis=0)
        in_time = waiting[lanes] + arriving[lanes][:, middles_s <= slot_s].sum(axis=1)
        return np.minimum(in_time, slot_s / 2).sum() / 10

    signals = range(plan.n_signals)
    starting = [lane for signal in signals for m in movements_of(signal) for lane in lanes_of(m)]
    values = {}
    for place, m in enumerate(movements_of(i)):
        lanes = lanes_of(m)
        out = np.flatnonzero(network.lane_road == network.movement_to_road[m])
        above = [
            (waiting[lanes_of(other)].sum(), other in served(signal, phase[signal]))
            for signal in signals
            for other in movements_of(signal)
            if network.movement_to_road[other] == network.movement_from_road[m]
        ]
        turn = network.movement_turn[m]
        values |= {
            f"movement_{place}.{column}": min(value, HIGHEST)
            for column, value in {
                "exists": 1.0,
                "queue": waiting[lanes].sum() / 10,
                **{f"arriving_{k}": arriving[lanes, k].sum() / 10 for k in range(N_BINS)},
                "occupied": vehicles[lanes].sum() / max(1.0, network.lane_length_m[lanes].sum() / 7.5),
                "out_queue": waiting[out].sum() / len(out) / 10,
                "out_free": max(0.0, 1 - vehicles[out].sum() / (network.lane_length_m[out].sum() / 7.5)),
                "out_fullest": max(vehicles[lane] / (network.lane_length_m[lane] / 7.5) for lane in out),
                "passing": passing_of(lanes, m in served(i, phase[i])),
                "green": float(m in served(i, phase[i])),
                "right": float(turn == TURN_RIGHT),
                "left": float(turn == TURN_LEFT),
                "straight": float(turn == STRAIGHT),
                "red_time": world.signals.red_s[b, m] / 60,
                "lanes": sum(1 / starting.count(lane) for lane in lanes),
                "up_queue": sum(queue for queue, _ in above) / 10,
                "up_green": sum(queue for queue, is_green in above if is_green) / 10,
            }.items()
        }
    for c, local_phase in enumerate(choices):
        values[f"choice_{c}.current"] = float(local_phase == phase[i])
        others = set().union(*(served(i, other) for other in choices))
        waited_for = any(waiting[lanes_of(m)].any() for m in others - served(i, local_phase))
        grants = world.signals.granted[b, network.phase_start[plan.intersection[i]] :]
        another = any(grants[other] for other in choices if other != phase[i])
        overdue = local_phase == phase[i] and green_s >= LONGEST_GREEN_S and waited_for and another
        granted = grants[local_phase]
        values[f"choice_{c}.allowed"] = float(granted == 1 and not overdue)
        for place, m in enumerate(movements_of(i)):
            values[f"choice_{c}.serves_{place}"] = float(m in served(i, local_phase))
    values["signal.green_time"] = min(green_s / 30, HIGHEST)
    values["signal.interval"] = INTERVAL_S / 10
    values["signal.clearance"] = clearance_s / 5
    return values


def test_every_feature_is_what_its_line_in_the_table_says_and_what_is_lacking_is_zero(world):
    observed = world.by_name(world.layout())
    signals = range(world.plan.n_signals)
    b = 1
    for i in signals if world.plan.n_signals < 8 else list(signals)[::3]:
        expected = twin(world, b, i)
        assert expected.keys() <= observed.keys()
        for name, values in observed.items():
            assert values[b, i] == pytest.approx(expected.get(name, 0.0), rel=1e-6), name


def test_random_counts_reach_both_ends_of_every_count(world):
    """The test above would not see a missing limit if no count went beyond it."""
    observed = world.by_name(world.layout())
    assert max(values.max() for name, values in observed.items() if name.endswith(".queue")) == HIGHEST
    free = np.concatenate([values.ravel() for name, values in observed.items() if name.endswith("out_free")])
    assert free.min() == 0.0
    assert free.max() > 0.0


def test_clearance_is_that_of_the_timing_and_under_field_timing_the_signals_own():
    """Else the twin's clearance, read from the plan's rules, would say little."""
    clearance_s = {
        timing: make_world("town", timing).by_name(make_world("town", timing).layout())["signal.clearance"][0] * 5
        for timing in TIMING
    }
    assert set(clearance_s["literature"].tolist()) == {4.0}
    assert len(set(clearance_s["field"].tolist())) > 1
    assert clearance_s["field"].min() >= 3.0 + 2.0  # its shortest yellow and a red before green comes back


def test_plain_source_gives_the_bits_that_the_compiled_one_gives(world):
    layout = world.layout()
    compiled = world.observed(layout)
    plain = np.full_like(compiled, np.nan)
    counts = world.counts
    for b in range(REPLICAS):
        lanes = counts.waiting[b], counts.vehicles[b], counts.arriving[b]
        observe(*lanes, *(values[b] for values in world.signals[:4]), INTERVAL_S, layout.table, plain[b])
    assert np.array_equal(plain.view(np.uint32), compiled.view(np.uint32))


def test_observations_lie_in_their_space(world):
    layout = world.layout()
    space = SignalSpace(layout.blocks, tuple(layout.n_choices.tolist()))
    for observation in world.observed(layout):
        assert space.contains(observation.reshape(-1))


def test_blocks_stand_where_they_say(world):
    layout = world.layout()
    blocks, names = layout.blocks, feature_names(layout)
    assert len(names) == len(set(names)) == blocks.size
    assert names[0] == "movement_0.exists"
    assert names[blocks.movement_columns] == "movement_1.exists"
    assert names[blocks.choices_at] == "choice_0.current"
    assert names[blocks.signal_at] == "signal.green_time"
    assert names[blocks.serves_at] == "choice_0.serves_0"


@given(st.sampled_from(WORLDS), st.permutations(ALL_FEATURES), st.integers(1, len(ALL_FEATURES)))
def test_fewer_features_in_any_order_are_the_same_columns_without_the_others(name, order, n):
    world = make_world(*name)
    everything = world.by_name(world.layout())
    some = world.by_name(world.layout(order[:n]))
    assert list(some) == [column for column in everything if column in some]
    for column, values in some.items():
        assert np.array_equal(values, everything[column])


def test_room_for_more_movements_and_choices_adds_only_zeros(world):
    narrow = world.layout()
    wide = world.layout(movements=narrow.blocks.movements + 3, choices=narrow.blocks.choices + 2)
    small, large = world.by_name(narrow), world.by_name(wide)
    assert small.keys() <= large.keys()
    for name, values in large.items():
        assert np.array_equal(values, small.get(name, np.zeros_like(values))), name


def test_room_for_fewer_than_there_are_is_refused(world):
    with pytest.raises(ValueError, match="need room for"):
        world.layout(movements=world.layout().blocks.movements - 1)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            ("queue", "ariving"),
            "observation: features: no feature is called 'ariving'; did you mean 'arriving'? known: ",
        ),
        (("queue", "queue"), "observation: features: 'queue' stands there twice; name it once"),
    ],
)
def test_wrong_feature_is_one_line(pair, features, message):
    with pytest.raises(InputError) as caught:
        Episodes(pair, features=features)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def driven():
    """Episodes of the grid after ten minutes of random choices."""
    episodes = Episodes("grid4x4", replicas=2)
    episodes.reset([np.random.default_rng(seed) for seed in (1, 2)])
    random = np.random.default_rng(3)
    for _ in range(60):
        observation, _ = episodes.step(random.integers(0, 4, (2, 16)))
    return episodes, observation.copy()


def test_nobody_is_counted_twice_as_waiting_or_arriving(driven):
    episodes, observation = driven
    counts = episodes.core.counts()
    assert counts.waiting.any()
    assert counts.arriving.any()
    assert (counts.waiting + counts.arriving.sum(axis=2) <= counts.vehicles).all()
    # On this grid every lane belongs to one movement: the observation holds nobody twice either.
    names = feature_names(episodes.layout)
    column = [k for k, name in enumerate(names) if name.startswith("movement") and ("queue" in name or "arr" in name)]
    own = [k for k in column if "out_" not in names[k]]
    network = episodes.scenario.network
    for i, j in enumerate(episodes.plan.intersection):
        inside = counts.vehicles[:, network.road_to[network.lane_road] == j].sum(axis=1)
        assert (observation[:, i, own].sum(axis=1) * 10 <= inside + 1e-4).all()


def test_arriving_vehicles_stand_in_the_bin_of_their_seconds_to_the_stop_line(driven):
    episodes, _ = driven
    network, counts = episodes.scenario.network, episodes.core.counts()
    for b in range(2):
        now = episodes.core.positions(b)
        expected = np.zeros_like(counts.arriving[b])
        for lane, distance_m, speed in zip(now.drivable, now.distance, now.speed, strict=True):
            if lane < network.n_lanes and speed >= 0.1:
                seconds = (network.lane_length_m[lane] - distance_m) / network.lane_speed_limit_mps[lane]
                within = [k for k, bound in enumerate(ARRIVAL_BOUNDS_S) if seconds <= bound]
                if within:
                    expected[lane, within[0]] += 1
        assert np.array_equal(counts.arriving[b], expected)


def test_episodes_observe_what_their_core_counts(driven):
    episodes, observation = driven
    running, interval_s = episodes.core, episodes.protocol.interval_s
    again = senses.observe_all(running.counts(), running.signals(interval_s), interval_s, episodes.layout)
    assert episodes.layout.features == DEFAULT_FEATURES
    assert np.array_equal(again, observation)
