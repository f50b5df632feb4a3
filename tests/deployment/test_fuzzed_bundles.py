"""Whatever is done to the files of a bundle, reading ends in one line, or in a bundle that makes valid choices.

A mutation here takes some milliseconds; 3 s, beyond which a test fails, are for a machine that is busy.
"""

import json
import time

import numpy as np
from deployment.bundles import bundle_contents, write_contents
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.deployment.bundle import MODEL, OBSERVATION, PROOF, SIGNALS, SUMS, read_bundle, sums_of
from intergreen.agents.deployment.inference import OnnxPolicy, PolicyFailedError
from intergreen.agents.deployment.onnx_file import BrokenModelError, read_onnx
from intergreen.envs.errors import InputError
from intergreen.envs.observation import Blocks
from intergreen.envs.observation_arrays import taken_apart

MOST_S = 3.0
CONTENTS = bundle_contents(width=2)
MODEL_BYTES = CONTENTS[MODEL]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=5),
    st.sampled_from([[], {}, [[]], [None], {"seen": 1}, [0, 1], "queue", ["queue"], ["queue", "arriving"]]),
)  # fmt: skip
SOME_BYTES = st.binary(min_size=1, max_size=12)


@st.composite
def spoilt_bytes(draw, data):
    """Bytes flipped, inserted, cut out, or moved from elsewhere; once or a few times."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        past = min(len(data), at + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["flip", "insert", "cut", "repeat", "end"]))
        if kind == "flip" and data:
            data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + draw(SOME_BYTES) + data[at:]
        elif kind == "cut":
            data = data[:at] + data[past:]
        elif kind == "repeat":
            data = data[:past] + data[at:]
        else:
            data = data[:at]
    return data


@st.composite
def spoilt_json(draw, data):
    """One value somewhere in it replaced, taken out, or a key added."""
    content = json.loads(data)
    holder = content
    for _ in range(draw(st.integers(0, 3))):
        inner = [one for one in (holder.values() if isinstance(holder, dict) else holder) if one and not _is_leaf(one)]
        if inner:
            holder = draw(st.sampled_from(inner))
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = draw(st.sampled_from(keys))
    if draw(st.booleans()):
        holder[key] = draw(ODD)
    else:
        del holder[key]
    return json.dumps(content).encode()


def _is_leaf(value):
    return not isinstance(value, (dict, list))


@st.composite
def spoilt_contents(draw):
    file = draw(st.sampled_from([MODEL, MODEL, OBSERVATION, SIGNALS, PROOF]))
    data = CONTENTS[file]
    spoilt = draw(spoilt_bytes(data) if file == MODEL or draw(st.booleans()) else spoilt_json(data))
    return CONTENTS | {file: spoilt}


def makes_valid_choices(bundle):
    arrays = read_onnx(bundle.model).arrays
    columns, signal = arrays["movement.weight"].shape[0] // 2, arrays["signal.weight"].shape[0]
    blocks = Blocks(3, columns, 4, signal)
    observation = np.random.default_rng(0).random((5, blocks.size)).astype(np.float32)
    try:
        chosen = OnnxPolicy(bundle.model).choose(taken_apart(observation, blocks))
    except PolicyFailedError:  # weights of 1e38 may end in what is no number, which the ladder takes care of
        return True
    return chosen.shape == (5,) and bool(((chosen >= 0) & (chosen < 4)).all())


def refusal(folder):
    """The line in which the bundle is refused, "" where it works."""
    began = time.perf_counter()
    line = ""
    try:
        bundle = read_bundle(folder)
    except InputError as error:
        line = str(error)
    else:
        assert makes_valid_choices(bundle)
    assert "\n" not in line
    assert time.perf_counter() - began < MOST_S
    return line


@settings(max_examples=150)
@given(contents=spoilt_contents())
def test_changed_files_with_right_sums_are_refused_or_work(tmp_path_factory, contents):
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    refusal(write_contents(folder, contents))


@settings(max_examples=40)
@given(contents=spoilt_contents())
def test_changed_files_with_old_sums_are_refused(tmp_path_factory, contents):
    folder = write_contents(tmp_path_factory.getbasetemp() / "stale", contents)
    (folder / SUMS).write_bytes(sums_of(CONTENTS))
    assert ("is not the file that SHA256SUMS tells of" in refusal(folder)) == (contents != CONTENTS)


@settings(max_examples=40)
@given(sums=spoilt_bytes(sums_of(CONTENTS)))
def test_changed_sums_are_refused(tmp_path_factory, sums):
    folder = write_contents(tmp_path_factory.getbasetemp() / "sums", CONTENTS)
    (folder / SUMS).write_bytes(sums)
    if not refusal(folder):
        assert set(sums.split()) == set(sums_of(CONTENTS).split())


@settings(max_examples=400)
@given(data=st.one_of(st.binary(max_size=200), spoilt_bytes(MODEL_BYTES)))
def test_reading_a_graph_ends_in_arrays_or_a_broken_model(data):
    try:
        content = read_onnx(data)
    except BrokenModelError:
        return
    assert all(array.size <= len(data) for array in content.arrays.values())
