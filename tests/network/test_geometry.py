"""Lanes, links, crossings, conflicts: equal to the plain twin, and to what is known of the literature's networks."""

import json
import pickle
from dataclasses import fields

import numpy as np
import pytest
from network import small, twin

from intergreen.envs.network import STRAIGHT, GridSpec, RoadNetwork, find_file, generate_grid, read_cityflow_network
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals.pairs import pairs_of
from intergreen.envs.signals.profiles import intergreen_s


def polyline(points, start, i):
    return [tuple(p) for p in points[start[i] : start[i + 1]].tolist()]


def assert_equal_to_twin(network: RoadNetwork, roadnet) -> None:
    lane_points = twin.lanes(roadnet)
    for lane in range(network.n_lanes):
        road, k = network.lane_road[lane], network.lane_index[lane]
        expected = lane_points[network.road_ids[road], k]
        assert polyline(network.lane_points, network.lane_point_start, lane) == expected
        assert network.lane_length_m[lane] == twin.length(expected)
    first = 0
    for place in roadnet["intersections"]:
        paths = twin.paths(place, lane_points)
        for link, (path, crossings) in enumerate(zip(paths, twin.crossings(paths), strict=True), start=first):
            assert polyline(network.link_points, network.link_point_start, link) == path
            assert network.link_length_m[link] == twin.length(path)
            assert crossings_of(network, link) == [(own, foe + first, other) for own, foe, other in crossings]
        first += len(paths)
    assert first == network.n_links


def crossings_of(network, link):
    own = slice(network.crossing_start[link], network.crossing_start[link + 1])
    return list(
        zip(
            network.crossing_distance_m[own].tolist(),
            network.crossing_foe_link[own].tolist(),
            network.crossing_foe_distance_m[own].tolist(),
            strict=True,
        )
    )


@pytest.fixture(scope="module")
def crossroads(tmp_path_factory):
    folder = small.write(tmp_path_factory.mktemp("crossroads"))
    return read_cityflow_network(folder / "roadnet.json")


@pytest.fixture(scope="module")
def literature_junction():
    return generate_grid(GridSpec(rows=1, columns=1))


def test_geometry_equals_the_plain_twin_to_the_last_bit(crossroads):
    assert_equal_to_twin(crossroads, small.crossroads())


@pytest.mark.parametrize("folder", ["hangzhou_1x1_bc-tyc", "atlanta_1x5"])
def test_geometry_of_real_networks_equals_the_plain_twin_to_the_last_bit(benchmark_data, folder):
    path = find_file(benchmark_data / "cityflow" / folder, "roadnet.json")
    assert_equal_to_twin(read_cityflow_network(path), json.loads(path.read_text()))


def test_short_links_bend_by_five_metres_as_in_cityflow(tmp_path):
    """The southern road turned next to the western one: their links are shorter than twice 5 m."""
    roadnet = small.crossroads()
    roadnet["intersections"][0]["width"] = 5.0
    for road in roadnet["roads"]:
        if road["id"].endswith("_S"):
            road["points"] = [{"x": p["y"], "y": 0.4 * p["y"] + p["x"]} for p in road["points"]]
    network = read_cityflow_network(small.write(tmp_path, roadnet=roadnet) / "roadnet.json")
    chords = network.link_points[network.link_point_start[1:] - 1] - network.link_points[network.link_point_start[:-1]]
    assert (np.hypot(*chords.T) < 10).any()
    assert_equal_to_twin(network, roadnet)


def test_literature_junction_has_36_links_and_252_crossings(literature_junction):
    network = literature_junction
    own = np.repeat(np.arange(network.n_links), np.diff(network.crossing_start))
    foe = network.crossing_foe_link
    same_start = network.link_from_lane[own] == network.link_from_lane[foe]
    same_end = network.link_to_lane[own] == network.link_to_lane[foe]
    assert network.n_links == 36
    assert (len(foe), same_start.sum(), same_end.sum()) == (2 * 252, 2 * 36, 2 * 36)


@pytest.mark.parametrize(
    ("folder", "roads", "lanes", "links", "signals"),
    [
        ("hangzhou_4x4", 80, 240, 576, 16),
        ("jinan_3x4", 62, 186, 432, 12),
        ("newyork_16x3", 230, 690, 1728, 48),
        ("syn_3x3_gaussian_500", 48, 144, 324, 9),
        ("cityflow_example_1x1", 8, 56, 196, 1),
    ],
)
def test_real_networks_have_the_published_sizes(benchmark_data, folder, roads, lanes, links, signals):
    network = read_cityflow_network(find_file(benchmark_data / "cityflow" / folder, "roadnet.json"))
    assert (network.n_roads, network.n_lanes, network.n_links, len(network.signalled)) == (roads, lanes, links, signals)
    assert network.name == folder


def test_lane_is_the_road_without_the_intersections(crossroads):
    lane = crossroads.road_lane_start[crossroads.road_ids.index("in_W")]
    assert crossroads.lane_length_m[lane] == 92.0  # 100 m, less 8 m at the junction and nothing at the edge
    assert crossroads.lane_name(lane) == "in_W_0"


def test_every_crossing_has_its_mirror(literature_junction):
    network = literature_junction
    own = np.repeat(np.arange(network.n_links), np.diff(network.crossing_start)).tolist()
    here = network.crossing_distance_m.tolist()
    foe, there = network.crossing_foe_link.tolist(), network.crossing_foe_distance_m.tolist()
    entries = set(zip(own, here, foe, there, strict=True))
    assert entries == {(f, t, o, h) for o, h, f, t in entries}


def test_crossings_lie_on_their_link_nearest_first(crossroads):
    for link in range(crossroads.n_links):
        distances = [own for own, _, _ in crossings_of(crossroads, link)]
        assert distances == sorted(distances)
        assert all(0 <= d <= crossroads.link_length_m[link] + 1e-6 for d in distances)


def test_links_that_merely_fan_out_do_not_conflict(literature_junction):
    network = literature_junction
    junction = network.signalled[0]
    conflicts = network.conflict_matrix(junction)
    first = network.movement_start[junction]
    approach = network.movement_from_road[first : first + 12]
    assert (conflicts == conflicts.T).all()
    assert not conflicts[approach[:, None] == approach[None, :]].any()
    # Each straight meets both crossing straights, the opposing left, both lefts and both rights that cross or merge.
    straight = network.movement_turn[first : first + 12] == 3
    assert conflicts[straight].sum(axis=1).tolist() == [6, 6, 6, 6]


def test_lane_links_keep_the_order_of_the_file(crossroads):
    for lane in range(crossroads.n_lanes):
        links = crossroads.lane_links[crossroads.lane_link_start[lane] : crossroads.lane_link_start[lane + 1]]
        assert (crossroads.link_from_lane[links] == lane).all()
        assert (np.diff(links) > 0).all()
    assert sorted(crossroads.lane_links.tolist()) == list(range(crossroads.n_links))


@pytest.mark.parametrize("copied", [lambda n: n, lambda n: pickle.loads(pickle.dumps(n))], ids=["built", "unpickled"])
def test_arrays_are_contiguous_and_read_only(crossroads, copied):
    network = copied(crossroads)
    arrays = [getattr(network, f.name) for f in fields(network) if isinstance(getattr(network, f.name), np.ndarray)]
    assert len(arrays) > 30
    assert not any(a.flags.writeable for a in arrays)
    assert all(a.flags.c_contiguous for a in arrays)
    assert {str(a.dtype) for a in arrays} == {"float64", "int32", "int8", "bool"}


def test_phases_name_movements_of_their_own_intersection(crossroads):
    assert crossroads.phase_matrix(0).sum(axis=1).tolist() == [4, 6, 6, 2, 2]
    assert crossroads.phase_duration_s.tolist() == [5, 30, 30, 20, 20]
    assert crossroads.signalled.tolist() == [0]


@pytest.mark.parametrize("width_m", [0.0, 4.0, 24.0])
def test_streets_that_cross_conflict_whatever_width_the_junction_has(tmp_path, width_m):
    """Without width no path is drawn across another: the lanes themselves cross."""
    roadnet = small.crossroads()
    (centre,) = (one for one in roadnet["intersections"] if one["id"] == "c")
    centre["width"] = width_m
    for link in (link for movement in centre["roadLinks"] for link in movement["laneLinks"]):
        link.pop("points", None)
    network = read_cityflow_network(small.write(tmp_path, roadnet=roadnet) / "roadnet.json")
    straight = {
        network.road_ids[network.movement_from_road[m]]: m for m in np.flatnonzero(network.movement_turn == STRAIGHT)
    }
    j = int(network.signalled[0])
    conflicts = network.conflict_matrix(j)
    expected = {("in_W", "in_N"), ("in_W", "in_S"), ("in_E", "in_N"), ("in_E", "in_S")}
    crossing = {(a, b) for a in ("in_W", "in_E") for b in straight if conflicts[straight[a], straight[b]]}
    assert crossing == expected
    plan, pairs = protocol_by_name("us-mutcd-5").plan(network), pairs_of(network, [j])
    seconds = pairs.matrix(intergreen_s(plan.timing.profile, network, pairs), 0)
    assert all(seconds[straight[a], straight[b]] > plan.rules.yellow[straight[a]] for a, b in expected)  # and red
