"""Generated demand: as much as asked, when asked, over routes that exist; the same for the same seed."""

from itertools import pairwise

import numpy as np
import pytest

from intergreen.envs.demand import (
    BUS,
    CAR,
    MIXED_TRAFFIC,
    ClassMix,
    Demand,
    ODSpec,
    Profile,
    TurnShares,
    TurnSpec,
    VehicleType,
    generate_demand,
    randomise,
    release_trips,
    uniform_pairs,
)
from intergreen.envs.demand.routes import Router
from intergreen.envs.demand.walks import entry_roads, exit_roads
from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town

NETWORKS = {
    "one": lambda: generate_grid(GridSpec(1, 1, lanes=1)),
    "grid": lambda: generate_grid(GridSpec(3, 4)),
    "closed": lambda: generate_grid(GridSpec(3, 3, boundary="closed", lanes=2)),
    "town": lambda: generate_town(TownSpec(25, diagonal_share=0.4), seed=8),
}
PAIR = ("road_0_1_0", "road_3_1_0")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return NETWORKS[request.param]()


@pytest.fixture(scope="module")
def grid():
    return generate_grid(GridSpec(3, 3))


def assert_drivable(network, demand: Demand) -> None:
    follows = Router(network).next_roads
    for n in range(demand.n_routes):
        route = demand.route(n).tolist()
        assert len(route) >= 2
        assert all(b in follows[a] for a, b in pairwise(route))


@pytest.mark.parametrize("spec", ["turns", "pairs"])
def test_routes_lead_from_entry_to_exit(network, spec):
    asked = TurnSpec(200.0) if spec == "turns" else ODSpec(uniform_pairs(network, vehicles=300))
    demand = generate_demand(network, asked, seed=4)
    assert demand.n_flows > 50
    assert_drivable(network, demand)
    assert {int(demand.route(n)[0]) for n in range(demand.n_routes)} <= set(entry_roads(network))
    if network.is_virtual.any():
        assert {int(demand.route(n)[-1]) for n in range(demand.n_routes)} <= set(exit_roads(network))


def test_same_seed_gives_the_same_demand_and_another_seed_another(grid):
    def flows(seed):
        demand = generate_demand(grid, TurnSpec(mix=MIXED_TRAFFIC), seed=seed)
        return demand.flow_start_s.tolist(), demand.flow_route.tolist(), demand.flow_type.tolist()

    assert flows(3) == flows(3)
    assert flows(3) != flows(4)


def test_counts_are_exact_and_poisson_numbers_scatter(grid):
    exact = generate_demand(grid, ODSpec({PAIR: 321}, arrivals="counts"), seed=0)
    assert exact.n_flows == 321
    numbers = {generate_demand(grid, ODSpec({PAIR: 321}), seed=seed).n_flows for seed in range(8)}
    assert len(numbers) > 3
    assert all(abs(n - 321) < 6 * 321**0.5 for n in numbers)


def test_profile_shapes_the_hour(grid):
    profile = Profile((0, 900, 1800), (1.0, 3.0, 0.0))
    demand = generate_demand(grid, ODSpec({PAIR: 4000}, arrivals="counts", profile=profile), seed=0)
    first, second, rest = np.histogram(demand.flow_start_s, [0, 900, 1800, 3600])[0]
    assert (first + second, rest) == (4000, 0)
    assert abs(first - 1000) < 6 * 1000**0.5
    assert profile.seconds(3600) == 900 * 1 + 900 * 3


def test_nobody_comes_where_the_profile_is_zero(grid):
    for spec in (
        ODSpec({PAIR: 100}, arrivals="counts", profile=Profile((0,), (0,))),
        TurnSpec(profile=Profile((0,), (0,))),
        TurnSpec(0.0),
        ODSpec({}),
    ):
        demand = generate_demand(grid, spec, seed=0)
        assert len(release_trips(grid, demand, horizon_s=3600, seed=0)) == 0


def test_entry_rates_and_turn_shares_are_met(grid):
    spec = TurnSpec({"road_0_2_0": 3000.0}, turns=TurnShares(left=0.2, straight=0.5, right=0.3))
    demand = generate_demand(grid, spec, seed=1)
    assert abs(demand.n_flows - 3000) < 6 * 3000**0.5
    second = np.array([grid.road_ids[demand.route(n)[1]] for n in demand.flow_route])
    for name, share in (("road_1_2_1", 0.2), ("road_1_2_0", 0.5), ("road_1_2_3", 0.3)):
        assert np.mean(second == name) == pytest.approx(share, abs=0.05)  # 5 standard deviations of 3000 draws


def test_class_mix_is_met(grid):
    demand = generate_demand(grid, ODSpec({PAIR: 2000}, arrivals="counts", mix=ClassMix((CAR, BUS), (3, 1))), seed=0)
    assert np.mean(demand.flow_type == 1) == pytest.approx(0.25, abs=0.05)
    assert demand.types[1].occupancy == 30


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ODSpec({PAIR: -1}), lambda: ODSpec({PAIR: 1.5}, arrivals="counts"), lambda: ODSpec({}, horizon_s=0),
        lambda: ODSpec({}, arrivals="even"), lambda: TurnSpec(-1.0), lambda: TurnSpec({"a": float("nan")}),
        lambda: TurnShares(0, 0, 0), lambda: TurnShares(left=-1), lambda: Profile((1,), (1,)),
        lambda: Profile((0, 0), (1, 1)), lambda: Profile((0,), (-1,)), lambda: ClassMix((CAR,), (0.0,)),
        lambda: ClassMix((), ()), lambda: VehicleType(length_m=0), lambda: VehicleType(min_gap_m=float("nan")),
    ],
)  # fmt: skip
def test_bad_specification_is_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        wrong()


def test_unknown_road_and_missing_way_are_named(grid):
    with pytest.raises(ValueError, match="has no road 'road_9'"):
        generate_demand(grid, TurnSpec({"road_9": 1.0}), seed=0)
    with pytest.raises(ValueError, match="no way leads from road 'road_1_1_2' to road 'road_0_1_0'"):
        generate_demand(grid, ODSpec({("road_1_1_2", "road_0_1_0"): 1}), seed=0)


@pytest.fixture(scope="module")
def trips(grid):
    demand = generate_demand(grid, TurnSpec(), seed=0)
    return demand, release_trips(grid, demand, horizon_s=3600, seed=0)


def varied(grid, trips, seed=1, **options):
    return randomise(trips[1], trips[0], grid, horizon_s=3600, seed=seed, **options)


def test_nothing_asked_changes_nothing(grid, trips):
    same = varied(grid, trips)
    assert same.release_s.tolist() == trips[1].release_s.tolist()
    assert same.route.tolist() == trips[1].route.tolist()


def test_more_copies_than_a_run_can_have_are_refused_before_they_fill_the_memory(grid, trips):
    with pytest.raises(ValueError, match=r"e\+12 vehicles are too many; at most"):
        varied(grid, trips, scale=1e9)


def test_variation_follows_the_seed(grid, trips):
    a, b, c = (varied(grid, trips, seed, scale=1.3, jitter_s=60, keep_share=0.9) for seed in (1, 1, 2))
    assert (a.release_s.tolist(), a.route.tolist()) == (b.release_s.tolist(), b.route.tolist())
    assert a.route.tolist() != c.route.tolist()


@pytest.mark.parametrize(("scale", "keep_share"), [(1.0, 0.5), (2.0, 1.0), (1.5, 0.8), (0.3, 1.0), (0.0, 1.0)])
def test_variation_meets_the_expected_number(grid, trips, scale, keep_share):
    n = len(trips[1])
    assert len(varied(grid, trips, scale=scale, keep_share=keep_share)) == pytest.approx(
        n * scale * keep_share, abs=6 * n**0.5
    )


def test_departures_move_by_no_more_than_asked_and_stay_inside(grid, trips):
    moved = varied(grid, trips, jitter_s=30)
    assert (moved.release_s >= 0).all()
    assert (moved.release_s < 3600).all()
    for n in np.unique(trips[1].route)[:50]:
        before, after = (t.release_s[t.route == n] for t in (trips[1], moved))
        assert np.abs(np.sort(before) - np.sort(after)).max() <= 30
    assert not (moved.release_s == 3599).sum() > 30  # no pile at the end


@pytest.mark.parametrize("options", [{"scale": -1}, {"jitter_s": -1}, {"keep_share": 1.1}, {"scale": float("nan")}])
def test_bad_variation_is_refused(grid, trips, options):
    with pytest.raises(ValueError, match="need"):
        varied(grid, trips, **options)
