"""Rules and card of all intersections are made at once; each must come out as by itself, number for number."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from signals import at_one
from signals.plain_timing import Junction, card_of, rules_of, whole

from intergreen.envs.errors import InputError
from intergreen.envs.network import (
    STRAIGHT,
    TURN_RIGHT,
    ArterialSpec,
    GridSpec,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
)
from intergreen.envs.network.closed_lanes import close_some_lanes
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming
from intergreen.envs.signals.card import longest_green_s, program_card, startup_red_s
from intergreen.envs.signals.conflicts import is_open_junction, permissive, permissive_matrix
from intergreen.envs.signals.model import SignalModel, signal_model
from intergreen.envs.signals.pairs import pairs_of
from intergreen.envs.signals.presets import PROFILES
from intergreen.envs.verification import distinct_models

TIMINGS = ("literature-10-5", "literature-5-2", "us-mutcd-5", "de-rilsa-5", "cn-gb-5")
every_timing = pytest.mark.parametrize("timing", TIMINGS)


@st.composite
def networks(draw):
    """Grids, arterials and towns; some with lanes closed, some where every lane has a speed and a width of its own."""
    speed_mps = draw(st.sampled_from([8.333, 11.111, 13.889, 20.0]))
    made = {
        "grid": lambda: generate_grid(
            GridSpec(rows=draw(st.integers(1, 3)), columns=draw(st.integers(1, 3)), lanes=draw(st.integers(1, 3)),
                     speed_limit_mps=speed_mps)
        ),
        "arterial": lambda: generate_arterial(ArterialSpec(signals=draw(st.integers(1, 6)), main_speed_mps=speed_mps)),
        "town": lambda: generate_town(
            TownSpec(signals=draw(st.integers(4, 12)), diagonal_share=draw(st.sampled_from([0.0, 0.3]))),
            seed=draw(st.integers(0, 1 << 30)),
        ),
    }[draw(st.sampled_from(["grid", "arterial", "town", "town"]))]()  # fmt: skip
    random = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    if draw(st.booleans()):
        with suppress(ValueError):  # where no road could do with one lane less
            made = close_some_lanes(made, int(random.integers(1 << 30)), 0.3)
    if draw(st.booleans()):
        made = without_some_paths(made, random)
    if draw(st.booleans()):
        made = replace(
            made,
            lane_speed_limit_mps=random.choice([4.0, 8.333, 13.889, 19.444, 25.0], made.n_lanes),
            lane_width_m=random.uniform(2.5, 5.0, made.n_lanes),
        )
    return made


def without_some_paths(network, random):
    """Some movements lose their links, as movements of real files have none; nobody drives here, so lanes may go on."""
    keeps = (random.random(network.n_movements) < 0.9)[network.link_movement]
    number = np.cumsum(keeps) - 1
    starts = np.concatenate(([0], np.cumsum(np.bincount(network.link_movement[keeps], minlength=network.n_movements))))
    crosses = np.repeat(keeps, np.diff(network.crossing_start)) & keeps[network.crossing_foe_link]
    own = np.repeat(np.arange(network.n_links), np.diff(network.crossing_start))[crosses]
    counts = np.bincount(number[own], minlength=int(keeps.sum()))
    return replace(
        network,
        movement_link_start=starts.astype(np.int32),
        crossing_start=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        crossing_foe_link=number[network.crossing_foe_link[crosses]].astype(np.int32),
        **{name: getattr(network, name)[keeps] for name in ("link_movement", "link_from_lane", "link_to_lane")},
        link_length_m=network.link_length_m[keeps],
        crossing_distance_m=network.crossing_distance_m[crosses],
        crossing_foe_distance_m=network.crossing_foe_distance_m[crosses],
    )


def choices_of(plan, i):
    return plan.choices[i, : plan.n_choices[i]].tolist()


def assert_rules_are_those_of_each(network, plan):
    rules = plan.rules
    for i, j in enumerate(plan.intersection.tolist()):
        expected = rules_of(network, j, choices_of(plan, i), int(plan.clearance_phase[i]), plan.timing)
        phases = slice(plan.phase_offset[i], plan.phase_offset[i] + plan.n_phases[i])
        table = slice(rules.transition_start[i], rules.transition_start[i] + len(expected["transition"]))
        turns = slice(*rules.turn_start[i : i + 2])
        parts = {
            "transition": table, "turns": turns, "call_limit": turns, "yellow": network.movements_of(j),
            "may_show": phases, "min_green": phases, "max_green": phases,
        }  # fmt: skip
        for name, values in expected.items():
            assert np.array_equal(getattr(rules, name)[parts.get(name, i)], values), (i, name)
    assert {values.dtype.name for values in rules} == {"int32", "uint8"}


def assert_card_is_that_of_each(network, timing):
    card = program_card(network, timing)
    for i, (first, past) in enumerate(pairwise(card.channel_start.tolist())):
        j = int(network.signalled[i])
        square = slice(card.matrix_start[i], card.matrix_start[i + 1])
        places = {"permissive": square, "clearance_before": square, "red_amber": slice(i, i + 1)}
        for name, values in card_of(network, j, timing).items():
            assert np.array_equal(getattr(card, name)[places.get(name, slice(first, past))], values), (i, name)
        columns = np.arange(network.movement_start[j], network.movement_start[j + 1])
        assert np.array_equal(card.channel[first:past], columns)
        assert card.first_column[i] == columns[0]
        assert (card.signal[first:past] == i).all()


@every_timing
@settings(max_examples=25)
@given(network=networks())
def test_rules_and_card_are_those_of_every_intersection_by_itself(timing, network):
    protocol = protocol_by_name(timing)
    try:
        plan = protocol.plan(network)
    except InputError as refusal:
        assume("phases in turn takes" not in refusal.problem)  # too slow for anybody
        raise
    assert_rules_are_those_of_each(network, plan)
    assert_card_is_that_of_each(network, plan.timing)


@settings(max_examples=25)
@given(network=networks(), profile=st.sampled_from(sorted(PROFILES)))
def test_an_intersection_asked_about_alone_answers_alike(network, profile):
    timing = PROFILES[profile]
    for j in network.signalled.tolist():
        plain = Junction(network, j)
        pairs = [(a, b) for a in plain.movements for b in plain.movements]
        assert permissive_matrix(network, j).reshape(-1).tolist() == [plain.may(*pair) for pair in pairs]
        assert is_open_junction(network, j) == plain.is_open()
        expected = [whole(plain.intergreen_s(timing, *pair)) for pair in pairs]
        assert np.ceil(at_one.conflict_intergreen_s(timing, network, j).reshape(-1) - 1e-9).tolist() == expected


def with_any_phases(network, random):
    """Whoever happens to be green together, in some phases everybody or next to nobody."""
    own = [np.arange(*network.movement_start[j : j + 2]) for j in range(network.n_intersections)]
    phases = [
        movements[random.random(len(movements)) < random.choice([0.0, 0.3, 0.7, 1.1])]
        for movements, n in zip(own, np.diff(network.phase_start), strict=True)
        for _ in range(n)
    ]
    sizes = [len(phase) for phase in phases]
    return replace(
        network,
        phase_movement_start=np.concatenate(([0], np.cumsum(sizes))).astype(np.int32),
        phase_movements=np.concatenate(phases).astype(np.int32),
    )


@settings(max_examples=50)
@given(network=networks(), seed=st.integers(0, 1 << 30))
def test_who_may_go_together_under_any_phases_is_what_the_words_say(network, seed):
    network = with_any_phases(network, np.random.default_rng(seed))
    pairs = pairs_of(network, network.signalled)
    may = permissive(network, pairs)
    for i, j in enumerate(network.signalled.tolist()):
        plain = Junction(network, j)
        expected = [[plain.may(a, b) for b in plain.movements] for a in plain.movements]
        assert pairs.matrix(may, i).tolist() == expected
        assert permissive_matrix(network, j).tolist() == expected
        assert is_open_junction(network, j) == plain.is_open()


@settings(max_examples=25)
@given(network=networks(), seed=st.integers(0, 1 << 30))
def test_what_a_source_says_of_yielding_holds_for_its_pair_alone(network, seed):
    random = np.random.default_rng(seed)
    movement = np.repeat(np.arange(network.n_movements), np.diff(network.conflict_start))
    low, high = np.minimum(movement, network.conflict_with), np.maximum(movement, network.conflict_with)
    said = random.random((network.n_movements, network.n_movements)) < 0.5
    stated = replace(network, conflict_permitted=said[low, high])
    for j in stated.signalled.tolist():
        plain = Junction(stated, j)
        expected = [[plain.may(a, b) for b in plain.movements] for a in plain.movements]
        assert permissive_matrix(stated, j).tolist() == expected


@every_timing
@pytest.mark.parametrize("name", ["town", "arterial6", "grid4x4"])
def test_plan_hashes_are_those_of_numbers_made_one_by_one(name, timing):
    network, protocol = load_scenario(name).network, protocol_by_name(timing)
    plan = protocol.plan(network)
    card, longest = program_card(network, plan.timing), longest_green_s(network, plan.timing)
    hashes: dict[int, str] = {}
    for model, signals in distinct_models(network, plan, card=card):
        hashes |= dict.fromkeys(signals, model.hash)
    for i, j in enumerate(plan.intersection.tolist()):
        own = slice(*card.channel_start[i : i + 2])
        alone = signal_model(plan.rules, i, card, max_green=longest[own], startup_s=startup_red_s(plan.timing))
        assert by_plain_numbers(network, plan, i, j, alone).hash == hashes[i]


def by_plain_numbers(network, plan, i: int, j: int, model: SignalModel) -> SignalModel:
    """The model with every time of card and rules in it from the plain twin."""
    timing, plain, n = plan.timing, Junction(network, j), model.n_movements
    card = card_of(network, j, timing)
    rules = rules_of(network, j, choices_of(plan, i), int(plan.clearance_phase[i]), timing)
    times = {name: np.array(values).reshape(-1) for name, values in rules.items()}
    longest = [
        max(whole(plain.longest_s(timing.profile, m)), whole(plain.least_s(timing.profile, m)))
        if isinstance(timing, FieldTiming) else 0
        for m in plain.movements
    ]  # fmt: skip
    return replace(
        model,
        rules=model.rules._replace(**times),
        permissive=np.array(card["permissive"]).reshape(n, n),
        clearance=np.array(card["clearance_before"]).reshape(n, n).T,
        min_green=np.array(card["green"]),
        max_green=np.array(longest),
        **{name: np.array(card[name]) for name in ("yellow", "longest_yellow", "red_revert", "longest_wait")},
    )


def greens_of(network, j, phase):
    """Entries of `phase_movements`."""
    return np.arange(*network.phase_movement_start[network.phase_start[j] + phase :][:2])


def with_a_clash(network, j):
    """In one phase a movement that must not meet another of its movements takes the place of a third."""
    a, b = np.argwhere(~permissive_matrix(network, j))[0] + network.movement_start[j]
    phase = int(np.flatnonzero(network.phase_matrix(j)[:, a - network.movement_start[j]])[0])
    entries, movements = greens_of(network, j, phase), network.phase_movements.copy()
    movements[entries[movements[entries] != a][0]] = b
    return replace(network, phase_movements=movements)


def with_one_never_green(network, j):
    """A right turn, which has green anyhow, takes the places of a straight movement."""
    of_j = np.arange(network.movement_start[j], network.movement_start[j + 1])
    turn, movements = network.movement_turn[of_j], network.phase_movements.copy()
    movements[movements == of_j[turn == STRAIGHT][0]] = of_j[turn == TURN_RIGHT][0]
    return replace(network, phase_movements=movements)


CLASH, NEVER = "green together for", "would stay red for ever"


@pytest.mark.parametrize(
    ("early", "late", "words"),
    [(with_a_clash, with_one_never_green, CLASH), (with_one_never_green, with_a_clash, NEVER),
     (with_one_never_green, with_one_never_green, NEVER), (with_a_clash, with_a_clash, CLASH)],
)  # fmt: skip
def test_the_first_intersection_that_is_wrong_is_refused_whatever_is_wrong_with_it(early, late, words):
    network = load_scenario("town").network
    first, second = network.signalled[[2, 9]].tolist()
    for faulty, j in ((late(early(network, first), second), first), (early(network, second), second)):
        with pytest.raises(InputError, match=words) as refusal:
            protocol_by_name("literature-10-5").plan(faulty)
        assert refusal.value.field.split(",")[0] == f"intersection {network.intersection_ids[j]}"
