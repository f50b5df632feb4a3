"""Whatever is in the file: it loads as a sound network or is an InputError."""

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from network import small
from network.mutation import mutated

from intergreen.envs.errors import InputError
from intergreen.envs.network import RoadNetwork, read_cityflow_network


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "roadnet.json")
        path.write_bytes(content)
        try:
            network = read_cityflow_network(path)
        except InputError as error:
            refusal = str(error)
        else:
            assert_sound(network)
            return
    assert refusal.isprintable()


def assert_sound(network: RoadNetwork) -> None:
    assert (network.lane_length_m > 0).all()
    assert (network.link_length_m >= 0).all()
    assert np.isfinite(network.crossing_distance_m).all()
    assert network.crossing_start[-1] == len(network.crossing_foe_link)
    assert (network.phase_movements < max(network.n_movements, 1)).all()


@settings(max_examples=400)
@given(mutated(small.crossroads()))
def test_changed_network_loads_or_is_refused(roadnet):
    check(json.dumps(roadnet).encode())


@settings(max_examples=100)
@given(st.data())
def test_damaged_bytes_load_or_are_refused(data):
    content = bytearray(json.dumps(small.crossroads()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(bytes(content))
