"""Generated worlds: repeatable, as different as documented, alike in what counts, and no benchmark among them."""

import dataclasses
from collections import Counter
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from intergreen.agents.controllers import AdvancedMaxPressure, Setup
from intergreen.agents.controllers.base import near_distance_m
from intergreen.agents.learning import drawn_networks, drawn_scenarios, worlds
from intergreen.agents.learning.drawn_demand import draw_demand
from intergreen.agents.learning.drawn_phases import lefts_apart, with_phases
from intergreen.agents.learning.recipe import LEVELS
from intergreen.agents.learning.worlds import (
    EPISODE_LEVELS,
    PROTOCOLS,
    REWARD_SHARE,
    draw_worlds,
    make_world,
    make_worlds,
)
from intergreen.envs.demand import ClassMix, Profile
from intergreen.envs.episodes import training_trips
from intergreen.envs.fault_kinds import Dead
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.observation import ALL_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import EMBEDDED
from intergreen.envs.vector_env import TrafficVecEnv

HORIZON_S = 300
SEED = 4
needs_sumo = pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')
BENCHMARKS = ("jinan", "hangzhou", "newyork", "manhattan", "atlanta", "syn", "cityflow")


def make(count, *, seed=SEED, reward="delay", threads=1, protocols=PROTOCOLS, junctions=0, from_sumo=0.0):
    return make_worlds(
        count,
        seed,
        features=ALL_FEATURES,
        reward=reward,
        neighbour_share=0.0,
        horizon_s=HORIZON_S,
        protocols=protocols,
        junctions=junctions,
        from_sumo=from_sumo,
        threads=threads,
    )


def one_world(seed, *, protocol="literature-10-5"):
    return make_world(np.random.SeedSequence(seed), protocol, "delay", HORIZON_S)


def arrays_of(record):
    """All arrays of a network, a demand or trips, by name."""
    fields = ((field.name, getattr(record, field.name)) for field in dataclasses.fields(record))
    return {name: value for name, value in fields if isinstance(value, np.ndarray)}


def same_arrays(first, second):
    mine, other = arrays_of(first), arrays_of(second)
    return mine.keys() == other.keys() and all(np.array_equal(mine[name], other[name]) for name in mine)


@pytest.fixture(scope="module")
def ten():
    """Two worlds of each protocol; their episodes are reset by whoever uses them."""
    return make(10)


def test_same_seed_makes_the_same_world():
    first, again = one_world(7), one_world(7)
    assert same_arrays(first.scenario.network, again.scenario.network)
    assert same_arrays(first.scenario.demand, again.scenario.demand)
    assert same_arrays(first.scenario.trips(5, horizon_s=HORIZON_S), again.scenario.trips(5, horizon_s=HORIZON_S))
    for name in ("protocol", "level", "reward_unit"):
        assert getattr(first, name) == getattr(again, name)
    assert first.scenario.network.road_ids == again.scenario.network.road_ids
    assert first.scenario.profile == again.scenario.profile


def test_other_seeds_make_other_worlds():
    made = [one_world(seed) for seed in range(6)]
    assert len({world.reward_unit for world in made}) == len(made)
    assert len({world.level for world in made}) == len(made)
    lengths_m = [world.scenario.network.lane_length_m for world in made]
    assert not any(np.array_equal(one, other) for k, one in enumerate(lengths_m) for other in lengths_m[k + 1 :])
    assert len({world.scenario.network.name for world in made}) > 2


def test_worlds_differ_in_shape_demand_and_lane_changing(ten):
    names = [world.scenario.name for world in ten]
    assert {name.partition("_")[0] for name in names} == {"grid", "arterial", "town"}
    assert {world.protocol.lane_change for world in ten} == {True, False}
    assert len({world.layout.n_signals for world in ten}) > 3


def test_worlds_of_a_seed_do_not_depend_on_threads_or_on_how_many_there_are():
    alone, together, more = make(3), make(3, threads=2), make(4)
    for k in range(3):
        for other in (together[k], more[k]):
            assert same_arrays(alone[k].scenario.network, other.scenario.network)
            assert alone[k].demand_scale == other.demand_scale
            assert alone[k]._senses.reward_table.weight.tolist() == other._senses.reward_table.weight.tolist()


def test_single_junctions_come_besides_and_change_no_other_world():
    networks, with_junctions = make(3), make(3, junctions=4)
    assert len(with_junctions) == 7
    for one, other in zip(networks, with_junctions, strict=False):
        assert same_arrays(one.scenario.network, other.scenario.network)
        assert one.demand_scale == other.demand_scale
    assert [world.layout.n_signals for world in with_junctions[3:]] == [1, 1, 1, 1]
    names = [world.protocol.name.removesuffix("-lane-change") for world in with_junctions]
    assert names == [*PROTOCOLS, *PROTOCOLS[:2]]


def test_single_junctions_have_one_to_seven_lanes_and_three_to_five_legs():
    junctions = [drawn_networks._junction(np.random.default_rng(seed), narrow=False) for seed in range(150)]
    assert {len(network.signalled) for network in junctions} == {1}
    assert {int(np.diff(network.road_lane_start).max()) for network in junctions} == {1, 2, 3, 4, 5, 6, 7}
    legs = {len({int(r) for r in network.movement_from_road}) for network in junctions}
    assert legs <= {3, 4, 5}
    assert {3, 4} <= legs


@pytest.mark.parametrize("alone", [False, True])
def test_a_fifth_of_the_networks_have_left_turns_that_yield_on_one_lane_or_two(alone, monkeypatch):
    widest = []

    def drawn(network, random):
        widest.append(int(np.diff(network.road_lane_start).max()))
        return network

    monkeypatch.setattr(drawn_networks, "draw_yielding_phases", drawn)
    monkeypatch.setattr(drawn_networks, "draw_phases", lambda network, random: network)
    for seed in range(150):
        drawn_networks.draw_network(np.random.default_rng(seed), alone=alone)
    assert 20 < len(widest) < 45
    narrow = Counter(lanes for lanes in widest if lanes <= 2)  # the others are towns, whose lanes are their own
    assert narrow.total() > len(widest) / 2
    assert narrow[1] > narrow[2] > 0


@needs_sumo
def test_worlds_from_sumo_have_its_rules_and_drivers_and_yielding_left_turns():
    made = make(6, junctions=6, from_sumo=1.0)
    from_sumo = [world for world in made if world.scenario.network.conventions == "sumo"]
    assert set(map(id, made[:6])) <= set(map(id, from_sumo))
    assert 0 < len(from_sumo) - 6 < 6
    for world in made:
        is_sumos = world.scenario.network.conventions == "sumo"
        assert {kind.follows_krauss for kind in world.scenario.demand.types} == {is_sumos}
    assert any(world.scenario.network.conflict_permitted.any() for world in from_sumo)
    assert any(len(world.scenario.network.signalled) > 1 for world in from_sumo)
    assert {len(world.scenario.network.signalled) for world in made[6:]} == {1}


@needs_sumo
def test_worlds_from_sumo_are_the_same_for_the_same_seed():
    first, again = (make(2, from_sumo=1.0) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert same_arrays(one.scenario.network, other.scenario.network)
        assert same_arrays(one.scenario.demand, other.scenario.demand)


def test_share_of_the_worlds_and_half_of_it_of_the_junctions_are_from_sumo(monkeypatch):
    kinds = Counter()

    def counted(kind):
        def draw(random, *, alone=False):
            kinds[kind, alone] += 1
            raise ValueError("counted")

        return draw

    monkeypatch.setattr(drawn_scenarios, "draw_sumo_network", counted("sumo"))
    monkeypatch.setattr(drawn_scenarios, "draw_network", counted("own"))
    random = np.random.default_rng(0)
    for alone in (False, True):
        for _ in range(1_000):
            with pytest.raises(ValueError, match="counted"):
                drawn_scenarios.draw_scenario(random, HORIZON_S, alone=alone, from_sumo=0.4)
    assert kinds["sumo", False] == pytest.approx(400, abs=60)
    assert kinds["sumo", True] == pytest.approx(200, abs=60)


def test_some_worlds_have_even_trips_at_their_own_level_and_others_by_chance():
    evenly = Counter()
    for seed in range(60):
        try:
            scenario = drawn_scenarios.draw_scenario(np.random.default_rng(seed), HORIZON_S, alone=True)
        except ValueError:  # roads too short for their junction
            continue
        evenly[scenario.evenly] += 1
        trips = training_trips(scenario, 1, HORIZON_S, scale=0.3)
        expected = 0.3 * np.bincount(scenario.demand.flow_route, minlength=scenario.demand.n_routes)
        told = np.abs(np.bincount(trips.route, minlength=scenario.demand.n_routes) - expected).max()
        assert (told <= 1.0) == scenario.evenly
    assert evenly[True] == pytest.approx(drawn_scenarios.EVENLY * evenly.total(), abs=12)


def test_all_worlds_share_the_blocks_and_the_widest_fills_them(ten):
    assert len({world.layout.blocks for world in ten}) == 1
    blocks = ten[0].layout.blocks
    widest = max(int(np.diff(world.scenario.network.movement_start)[world.plan.intersection].max()) for world in ten)
    assert blocks.movements == widest
    assert blocks.choices == max(world.plan.choices.shape[1] for world in ten)
    assert ten[0].layout.features == ALL_FEATURES


def test_protocols_come_in_turn(ten):
    names = [world.protocol.name.removesuffix("-lane-change") for world in ten]
    assert names == [*PROTOCOLS, *PROTOCOLS]


def test_levels_are_the_documented_share_of_what_a_network_carries():
    shares = []
    for seed in range(8):
        world = one_world(seed)
        full = worlds._full_level(world.scenario, protocol_by_name(world.protocol), HORIZON_S)
        assert LEVELS[0] * full <= world.level <= LEVELS[1] * full
        shares.append(world.level / full)
    assert max(shares) - min(shares) > 0.3


def test_levels_can_be_given():
    seed, timing = np.random.SeedSequence(SEED), PROTOCOLS[0]
    usual, heavy = (make_world(seed, timing, "delay", HORIZON_S, levels=levels) for levels in (LEVELS, (2.0, 2.0)))
    full = worlds._full_level(usual.scenario, protocol_by_name(usual.protocol), HORIZON_S)
    assert same_arrays(usual.scenario.demand, heavy.scenario.demand)
    assert heavy.level == pytest.approx(2.0 * full)


def test_fixed_time_tells_the_level_where_advanced_max_pressure_starves_somebody(monkeypatch):
    network = generate_grid(GridSpec(rows=1, columns=1, lanes=1))
    network = with_phases(network, partial(lefts_apart, network))
    demand = draw_demand(np.random.default_rng(20), network, HORIZON_S, Profile(), ClassMix())  # one who is starved
    scenario = dataclasses.replace(one_world(0).scenario, network=network, demand=demand)
    timing = protocol_by_name("literature-10-5")
    full = worlds._full_level(scenario, timing, HORIZON_S)
    monkeypatch.setattr(worlds, "_RULES", (AdvancedMaxPressure,))
    assert full > 2.0 * worlds._full_level(scenario, timing, HORIZON_S)


def test_levels_of_the_episodes_lie_around_the_worlds_own():
    world, episodes = make_world(np.random.SeedSequence(SEED).spawn(1)[0], PROTOCOLS[0], "delay", HORIZON_S), make(1)[0]
    assert episodes.demand_scale == pytest.approx((EPISODE_LEVELS[0] * world.level, EPISODE_LEVELS[1] * world.level))


def mean_reward_of_advanced_max_pressure(episodes, seed):
    """Over one episode, in units of what worlds are scaled to."""
    network, plan = episodes.scenario.network, episodes.plan
    episodes.core.near_m = near_distance_m(network, episodes.protocol.interval_s)
    controller = AdvancedMaxPressure()
    episodes.reset([np.random.default_rng(seed)])
    controller.start(Setup(network, plan, episodes.protocol, 1))
    rewards = []
    while not episodes.is_over:
        signals = episodes.core.signals(episodes.protocol.interval_s)
        wanted = controller.decide(episodes.core.counts(), signals, episodes.time_s)
        choice = (plan.choices == wanted[:, :, None]).argmax(axis=2).astype(np.int32)
        rewards.append(episodes.step(choice)[1].mean())
    return float(np.mean(rewards)) / REWARD_SHARE


@pytest.mark.parametrize("reward", ["delay", {"queue": 1.0, "pressure": 0.5}], ids=["delay", "sum"])
def test_advanced_max_pressure_is_told_about_the_same_in_every_world(ten, reward):
    """Episodes have other trips than the rehearsal, and from 85 to 115 % of them; delays grow faster than traffic."""
    made = ten if reward == "delay" else make(5, reward=reward)
    told = np.array([[mean_reward_of_advanced_max_pressure(one, seed) for seed in range(6)] for one in made])
    by_world = -told.mean(axis=1)
    assert (by_world > 1 / 1.7).all()
    assert (by_world < 1.7).all()
    assert by_world.mean() == pytest.approx(1.0, abs=0.25)


def test_no_world_is_a_benchmark(ten, monkeypatch):
    names = [world.scenario.name for world in ten]
    assert not set(names) & set(EMBEDDED)
    assert not any(name.startswith(BENCHMARKS) for name in names)
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    without_data = make(2)
    for one, other in zip(ten[:2], without_data, strict=True):
        assert same_arrays(one.scenario.network, other.scenario.network)


def test_worlds_are_not_fixed_trips(ten):
    for world in ten:
        assert not world.scenario.fixed_demand
        first, second = (world.scenario.trips(seed, horizon_s=HORIZON_S) for seed in (1, 2))
        assert not same_arrays(first, second)


def rollout(env, *, seed=20, steps=33):
    """Observations (first one included), rewards, dones and infos of random actions."""
    env.seed(seed)
    observations, rewards, dones, infos = [env.reset()], [], [], []
    random = np.random.default_rng(1)
    for _ in range(steps):
        observation, reward, done, info = env.step(random.integers(0, env.action_space.n, env.num_envs))
        observations.append(observation)
        rewards.append(reward)
        dones.append(done)
        infos.append(info)
    return np.array(observations), np.array(rewards), np.array(dones), infos


@pytest.mark.parametrize(("decision_s", "expected"), [(None, [20, 20, 20]), (10.0, [20 / 3, 20, 40])])
def test_backlog_counts_for_as_long_as_the_discount_looks_ahead(decision_s, expected):
    timings = [protocol_by_name(name) for name in ("literature-30-5", "literature-10-5", "us-mutcd-5")]
    assert [worlds._backlog_periods(timing, decision_s) for timing in timings] == pytest.approx(expected)


@pytest.fixture(scope="module")
def played():
    """Four worlds of 300 s in steps of 30, 15, 10 and 10 s: how many signals and decisions each has, and a rollout."""
    env = TrafficVecEnv(make(4))
    signals = [world.layout.n_signals for world in env.worlds]
    decisions = [HORIZON_S // world.protocol.interval_s for world in env.worlds]
    assert decisions[:3] == [10, 20, 30]
    return signals, decisions, rollout(env)


def slots_of(signals):
    past = np.cumsum(signals)
    return [slice(int(end - n), int(end)) for n, end in zip(signals, past, strict=True)]


def test_every_world_ends_at_its_own_horizon_and_tells_its_own_slots_alone(played):
    signals, decisions, (_, rewards, dones, infos) = played
    for slots, length in zip(slots_of(signals), decisions, strict=True):
        ends = [t for t in range(len(dones)) if dones[t, slots].any()]
        assert ends == [t for t in range(len(dones)) if (t + 1) % length == 0]
        assert ends
        for t in range(len(dones)):
            told = infos[t][slots]
            if t not in ends:
                assert not any(told)
                continue
            assert dones[t, slots].all()
            assert all(info["TimeLimit.truncated"] and info["episode"]["l"] == length for info in told)
            sums = rewards[t + 1 - length : t + 1, slots].sum(axis=0)
            assert [info["episode"]["r"] for info in told] == pytest.approx(sums.tolist(), rel=1e-5, abs=1e-6)
            assert len({info["average_travel_time_s"] for info in told}) == 1
            assert told[0]["average_travel_time_s"] > 0


def test_slots_are_those_of_each_world_played_by_hand_with_the_last_observation_in_the_info(played):
    signals, _, (observations, rewards, dones, infos) = played
    random = np.random.default_rng(1)
    made = make(4)
    choices = [random.integers(0, made[0].layout.blocks.choices, sum(signals)) for _ in range(len(dones))]
    for b, (episodes, slots) in enumerate(zip(made, slots_of(signals), strict=True)):
        randoms = [np.random.default_rng(20 + b)]
        assert np.array_equal(observations[0, slots], episodes.reset(randoms)[0])
        for t, choice in enumerate(choices):
            seen, told = episodes.step(choice[slots].reshape(1, -1).astype(np.int32))
            assert np.array_equal(rewards[t, slots], told[0])
            if episodes.is_over:
                last = np.array([info["terminal_observation"] for info in infos[t][slots]])
                assert np.array_equal(last, seen[0])
                assert infos[t][slots][0]["average_travel_time_s"] == pytest.approx(episodes.average_travel_time_s()[0])
                seen = episodes.reset(randoms)
                assert not np.array_equal(last, seen[0])
            assert np.array_equal(observations[t + 1, slots], seen[0])


def test_two_threads_give_the_same_numbers(played):
    _, _, one = played
    env = TrafficVecEnv(make(4), threads=2)
    two = rollout(env)
    env.close()
    for k in range(3):
        assert np.array_equal(one[k], two[k])
    for mine, other in zip(one[3], two[3], strict=True):
        assert [info.get("episode") for info in mine] == [info.get("episode") for info in other]


def test_protocol_that_changes_lanes_already_is_not_made_to_twice():
    """A protocol with lane changes keeps its name; only the others may get the ending."""
    names = {one_world(seed, protocol="literature-10-5-lane-change").protocol for seed in range(4)}
    assert names == {"literature-10-5-lane-change"}


def test_seed_that_makes_nothing_is_an_error_and_not_an_endless_loop(monkeypatch):
    def refuse(random, horizon_s, *, alone, from_sumo):
        raise ValueError("nobody wants to drive")

    monkeypatch.setattr(worlds, "draw_scenario", refuse)
    with pytest.raises(RuntimeError, match="no world came out of 20 attempts with seed 7"):
        one_world(7)


def test_faults_fall_on_the_share_of_worlds_that_is_asked_for():
    made = make_worlds(
        8,
        SEED,
        features=ALL_FEATURES,
        reward="delay",
        neighbour_share=0.0,
        horizon_s=HORIZON_S,
        faults=(Dead(share=1.0),),
        failing=0.5,
    )
    blind = []
    for world in made:
        world.reset([np.random.default_rng(0)])
        for _ in range(4):
            observation, _ = world.step(np.zeros((1, world.layout.n_signals), np.int32))
        blocks = world.layout.blocks
        movements = observation[..., : blocks.choices_at].reshape(-1, blocks.movements, blocks.movement_columns)
        blind.append(not movements[:, :, 1].any())  # the queue stands behind `exists`
    assert any(blind)
    assert not all(blind)


def test_making_worlds_tells_how_many_there_are():
    told = []
    draw_worlds(2, SEED, PROTOCOLS, "delay", HORIZON_S, 1, junctions=1, progress=lambda *what: told.append(what))
    assert [words for _, words in told] == [f"making networks, {k} of 3" for k in (1, 2, 3)]
    assert told[-1][0] == 1.0
