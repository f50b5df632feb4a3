"""Every way a ``roadnet.json`` can be wrong ends in an InputError of one line that names the place."""

import gzip
import json

import pytest
from network import small

from intergreen.envs.errors import InputError
from intergreen.envs.network import find_file, read_cityflow_network

LINK = "intersections[0].roadLinks[0].laneLinks[0]"
NAN, INFINITY = float("nan"), float("inf")


def at(document, path):
    """The container and the key of a path such as ``roads[0].id``."""
    keys = path.replace("[", ".").replace("]", "").split(".")
    keys = [int(k) if k.isdigit() else k for k in keys]
    for key in keys[:-1]:
        document = document[key]
    return document, keys[-1]


def read(tmp_path, roadnet):
    return read_cityflow_network(small.write(tmp_path, roadnet=roadnet) / "roadnet.json")


def refused(tmp_path, roadnet) -> InputError:
    with pytest.raises(InputError) as caught:
        read(tmp_path, roadnet)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "roadnet.json"))
    assert caught.value.mend
    return caught.value


def test_the_small_network_itself_is_fine(tmp_path):
    assert read(tmp_path, small.crossroads()).n_links == 24


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("roads", []),
        ("roads", {}),
        ("intersections", []),
        ("roads[0]", None),
        ("roads[0].id", 7),
        ("roads[0].id", ""),
        ("roads[1].id", "in_W"),
        ("intersections[1].id", "c"),
        ("roads[0].startIntersection", "nowhere"),
        ("roads[0].endIntersection", ["c"]),
        ("roads[0].points", [{"x": 0, "y": 0}]),
        ("roads[0].points", "x"),
        ("roads[0].lanes", []),
        ("roads[0].lanes[1].width", 0),
        ("roads[0].lanes[1].width", -3.5),
        ("roads[0].lanes[1].width", True),
        ("roads[0].lanes[1].width", "4"),
        ("roads[0].lanes[1].width", 10**400),
        ("roads[0].lanes[0].maxSpeed", 0),
        ("roads[0].lanes[0].maxSpeed", 1e300),
        ("roads[0].lanes[0].maxSpeed", None),
        ("intersections[0].width", -1),
        ("intersections[0].virtual", 0),
        ("intersections[0].point", [0, 0]),
        ("intersections[0].point.x", "0"),
        ("intersections[0].roads[2]", "in_Q"),
        ("intersections[0].roads[2]", 3),
        ("intersections[0].roadLinks[0].type", "u_turn"),
        ("intersections[0].roadLinks[0].startRoad", "in_Q"),
        ("intersections[0].roadLinks[0].startRoad", "out_W"),
        ("intersections[0].roadLinks[0].endRoad", "in_S"),
        (f"{LINK}.startLaneIndex", 2),
        (f"{LINK}.startLaneIndex", -1),
        (f"{LINK}.startLaneIndex", False),
        (f"{LINK}.endLaneIndex", 0.0),
        (f"{LINK}.points", {"x": 1}),
        ("intersections[0].trafficLight", []),
        ("intersections[0].trafficLight.lightphases[1].time", -1),
        ("intersections[0].trafficLight.lightphases[1].availableRoadLinks", None),
        ("intersections[0].trafficLight.lightphases[1].availableRoadLinks[0]", 12),
        ("intersections[0].trafficLight.lightphases[1].availableRoadLinks[0]", "0"),
    ],
)  # fmt: skip
def test_wrong_value_is_refused_at_its_place(tmp_path, path, value):
    roadnet = small.crossroads()
    container, key = at(roadnet, path)
    container[key] = value
    error = refused(tmp_path, roadnet)
    assert error.field.startswith(path)


@pytest.mark.parametrize(
    "path",
    [
        "roads", "intersections", "roads[3].lanes", "roads[3].lanes[0].width", "roads[3].points[0].y",
        "intersections[0].virtual", "intersections[0].width", "intersections[0].roads", "intersections[0].roadLinks",
        "intersections[0].trafficLight.lightphases",
        "intersections[0].roadLinks[5].laneLinks", f"{LINK}.endLaneIndex", "intersections[1].point",
    ],
)  # fmt: skip
def test_missing_key_is_named(tmp_path, path):
    roadnet = small.crossroads()
    container, key = at(roadnet, path)
    del container[key]
    error = refused(tmp_path, roadnet)
    assert (error.field, error.problem, error.mend) == (path, "is missing", "add it")


@pytest.mark.parametrize(
    ("path", "points"),
    [
        ("roads[0].points", [(0, 0), (7, 0)]),  # shorter than the junction is wide
        ("roads[0].points", [(0, 0), (0, 0)]),
        ("roads[0].points", [(-100, 0), (-50, 0), (-50, 0), (0, 0)]),
        ("roads[0].points", [(-1e6, 0), (0, 0)]),
        (f"{LINK}.points", [(1, 1)]),
        (f"{LINK}.points", [(0, 0), (1e6, 0)]),  # would hold so many vehicles that memory runs out
    ],
)
def test_geometry_without_a_sensible_length_is_refused(tmp_path, path, points):
    roadnet = small.crossroads()
    container, key = at(roadnet, path)
    container[key] = [{"x": x, "y": y} for x, y in points]
    assert refused(tmp_path, roadnet).field.startswith(path.removesuffix(".points"))


def test_programme_that_lasts_no_time_is_refused(tmp_path):
    roadnet = small.crossroads()
    for phase in roadnet["intersections"][0]["trafficLight"]["lightphases"]:
        phase["time"] = 0
    assert refused(tmp_path, roadnet).field == "intersections[0].trafficLight.lightphases"


def test_intersection_without_phases_is_unsignalled(tmp_path):
    roadnet = small.crossroads()
    roadnet["intersections"][0]["trafficLight"]["lightphases"] = []
    assert read(tmp_path, roadnet).signalled.tolist() == []


def test_intersection_without_a_program_is_unsignalled(tmp_path):
    roadnet = small.crossroads()
    del roadnet["intersections"][0]["trafficLight"]
    assert read(tmp_path, roadnet).signalled.tolist() == []


def test_message_names_file_field_value_and_mend(tmp_path):
    roadnet = small.crossroads()
    roadnet["intersections"][0]["roadLinks"][0]["laneLinks"][0]["startLaneIndex"] = 9
    error = refused(tmp_path, roadnet)
    place = f"{tmp_path / 'roadnet.json'}: {LINK}.startLaneIndex"
    assert str(error) == f"{place}: is 9; use 0 to 1, the lanes of its start road"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"nothing",
        b"\xff\xfe\x00",
        b'{"roads": NaN}',
        b'{"roads": [1e999]}',
        b'{"roads": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        gzip.compress(b'{"roads": []}', mtime=0)[:-6],
        gzip.compress(b"{", mtime=0)[:12],
        b"\x1f\x8b broken",
        b"PK\x03\x04 a zip file",
    ],
    ids=lambda content: repr(content[:16]),
)
def test_unreadable_file_is_refused(tmp_path, content):
    path = tmp_path / "roadnet.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_cityflow_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["absent.json", ".", "nul\0byte"])
def test_file_that_cannot_be_opened_is_refused(tmp_path, path):
    with pytest.raises(InputError, match="cannot be read"):
        read_cityflow_network(tmp_path / path)


def test_strange_ids_stay_on_one_line(tmp_path):
    roadnet = small.crossroads()
    roadnet["roads"][0]["startIntersection"] = "a\nb\ud800\x1b[31m"
    line = str(refused(tmp_path, roadnet))
    assert line.isprintable()
    assert line.encode()


def test_gzipped_file_is_found_and_read(tmp_path):
    path = tmp_path / "roadnet.json.gz"
    path.write_bytes(gzip.compress(json.dumps(small.crossroads()).encode()))
    assert find_file(tmp_path, "roadnet.json") == path
    assert read_cityflow_network(path).n_links == 24


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"flow\.json: the file is missing; put flow\.json or flow\.json\.gz"):
        find_file(tmp_path, "flow.json")
    with pytest.raises(InputError, match="no such folder"):
        find_file(tmp_path / "absent", "flow.json")


def test_missing_file_says_what_is_there_instead(tmp_path):
    (tmp_path / "anon_real.json").write_text("[]")
    with pytest.raises(InputError, match=r"into the folder, or call one of its files so: anon_real\.json$"):
        find_file(tmp_path, "flow.json")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "flow.json.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"name one of its folders that have it: inner$"):
        find_file(tmp_path, "flow.json")
