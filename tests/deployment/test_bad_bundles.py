"""A bundle that was damaged, or made by somebody who means harm and writes the sums anew, is refused in one line."""

import json
import os
import time
import tracemalloc

import numpy as np
import onnx
import pytest
from deployment.bundles import bundle_contents, random_network, write_contents, write_random_bundle

from intergreen.agents.deployment.bundle import (
    CARD,
    MODEL,
    MOST_BYTES,
    OBSERVATION,
    PROOF,
    SIGNALS,
    SUMS,
    read_bundle,
    sums_of,
)
from intergreen.agents.deployment.graph import policy_graph
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.runtime import SignalController
from intergreen.envs.errors import InputError
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.scenario import load_scenario

MOST_S = 3.0  # to refuse any of them; a hang takes for ever, this leaves room for a busy machine
FILES = [*MOST_BYTES, SUMS]


def refused(folder, *, file, words=""):
    """The one line that tells what is wrong, within `MOST_S`."""
    began = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read_bundle(folder)
    line = str(caught.value)
    assert time.perf_counter() - began < MOST_S
    assert file in line
    assert words in line
    assert "\n" not in line
    assert len(line) < 1000
    return line


def with_sums(folder):
    """The sums written anew, as somebody who changed a file would do."""
    (folder / SUMS).write_bytes(sums_of({name: (folder / name).read_bytes() for name in MOST_BYTES}))
    return folder


def test_bundle_untouched_is_read(bundle, bundle_folder):
    assert bundle.name == "random"
    assert bundle.features == DEFAULT_FEATURES
    assert decider_by_name(str(bundle_folder)).name == "random"


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_bit_is_noticed(copied_bundle, file):
    path = copied_bundle / file
    data = path.read_bytes()
    random = np.random.default_rng(0)
    for place in random.integers(0, len(data), 40).tolist():
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(spoilt))
        refused(copied_bundle, file="")


@pytest.mark.parametrize("file", FILES)
def test_missing_file_is_named(copied_bundle, file):
    (copied_bundle / file).unlink()
    refused(copied_bundle, file=file, words="is missing")


@pytest.mark.parametrize("file", FILES)
def test_folder_in_place_of_a_file_is_named(copied_bundle, file):
    (copied_bundle / file).unlink()
    (copied_bundle / file).mkdir()
    refused(copied_bundle, file=file)


@pytest.mark.parametrize("file", FILES)
def test_links_that_lead_nowhere_are_named(copied_bundle, file):
    path = copied_bundle / file
    for target in (file, "/dev/zero", "no such file"):
        path.unlink()
        path.symlink_to(target)
        refused(copied_bundle, file=file)


def test_pipe_in_place_of_a_file_is_not_waited_for(copied_bundle):
    (copied_bundle / PROOF).unlink()
    os.mkfifo(copied_bundle / PROOF)
    refused(copied_bundle, file=PROOF)


@pytest.mark.parametrize("file", FILES)
def test_file_beyond_its_limit_is_not_read(copied_bundle, file):
    with (copied_bundle / file).open("r+b") as content:
        content.truncate(10 * 2**30)  # sparse: it takes no room on the disk
    tracemalloc.start()
    refused(copied_bundle, file=file, words="is larger than")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * max(MOST_BYTES.values())


def test_folder_that_is_none_is_refused(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for folder in (tmp_path / "nowhere", loop):
        refused(folder, file=str(folder), words="no such folder")
    refused(tmp_path, file=SUMS, words="is missing")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.upper(),
        lambda text: text + text,
        lambda text: "".join(text.splitlines(keepends=True)[1:]),
        lambda text: text + f"{'0' * 64}  another.txt\n",
        lambda text: text.replace(MODEL, "../x.onnx"),
        lambda text: "",
        lambda text: "\udcff",
    ],
    ids=["upper case", "twice", "one less", "one more", "another folder's", "empty", "no text"],
)
def test_sums_that_are_not_of_these_files_are_refused(copied_bundle, change):
    path = copied_bundle / SUMS
    path.write_bytes(change(path.read_text()).encode("utf-8", "surrogateescape"))
    refused(copied_bundle, file=SUMS)


def columns(content, block, change):
    return content | {block: [change(dict(row)) for row in content[block]]}


NESTED = b'{"schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HUGE = b'{"schema": ' + b"9" * 100_000 + b"}"


def in_first_column(one, **changes):
    return one | {"movement": [one["movement"][0] | changes, *one["movement"][1:]]}


JSON_DAMAGES = {
    "no JSON": (OBSERVATION, lambda _: b"{", "not valid JSON"),
    "no text": (OBSERVATION, lambda _: b"\xff\xfe", "not UTF-8"),
    "nested for ever": (SIGNALS, lambda _: NESTED, ""),
    "number without end": (PROOF, lambda _: HUGE, ""),
    "a list": (PROOF, lambda _: b"[]", "schema"),
    "not a number": (OBSERVATION, lambda _: b'{"schema": NaN}', "NaN is not a number"),
    "other schema": (SIGNALS, lambda one: one | {"schema": 2}, "schema: is 2"),
    "no schema": (PROOF, lambda one: {"proofs": []}, "schema: is None"),
    "no feature": (OBSERVATION, lambda one: one | {"features": []}, "features"),
    "unknown feature": (OBSERVATION, lambda one: one | {"features": ["weather"]}, "weather"),
    "feature of lists": (OBSERVATION, lambda one: one | {"features": [["queue"]]}, "features"),
    "feature twice": (OBSERVATION, lambda one: one | {"features": ["queue", "queue"]}, "twice"),
    "other features": (OBSERVATION, lambda one: one | {"features": ["queue"]}, "another layout"),
    "other columns": (OBSERVATION, lambda one: one | {"movement": one["movement"][::-1]}, "movement: another layout"),
    "other unit": (OBSERVATION, lambda one: in_first_column(one, unit="vehicles"), "column exists: 'vehicles' from"),
    "other range": (
        OBSERVATION,
        lambda one: in_first_column(one, range=[0, 5]),
        "in this version 'flag' from [0.0, 1.0]",
    ),
    "columns that are none": (OBSERVATION, lambda one: one | {"signal": 3}, "signal: another layout"),
    "range upside down": (
        OBSERVATION,
        lambda one: columns(one, "signal", lambda r: r | {"seen": [1, 0]}),
        "signal.seen",
    ),
    "range of one": (OBSERVATION, lambda one: columns(one, "movement", lambda r: r | {"seen": [1]}), "movement.seen"),
    "range without end": (OBSERVATION, lambda one: columns(one, "movement", lambda r: r | {"seen": [0, 1e9]}), "seen"),
    "range of huge numbers": (
        OBSERVATION,
        lambda one: columns(one, "movement", lambda r: r | {"seen": [0, 10**400]}),
        "seen",
    ),
    "no protocol": (SIGNALS, lambda one: one | {"protocols": None}, "protocols"),
    "network without a fingerprint": (SIGNALS, lambda one: one | {"network": {"name": "x"}}, "network"),
    "plan that is not safe": (
        PROOF,
        lambda one: one | {"proofs": [{"holds": False, "plan_hash": "0"}]},
        "holds a plan that is not proved safe",
    ),
    "proof without a plan": (PROOF, lambda one: one | {"proofs": [{"holds": True}]}, "not proved safe"),
    "proofs that are none": (PROOF, lambda one: one | {"proofs": {}}, "proofs"),
}


@pytest.mark.parametrize("damage", JSON_DAMAGES)
def test_wrong_statement_with_right_sums_is_named(copied_bundle, damage):
    file, change, words = JSON_DAMAGES[damage]
    path = copied_bundle / file
    changed = change(json.loads(path.read_text()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    refused(with_sums(copied_bundle), file=file, words=words)


def initializer(graph, name):
    return next(one for one in graph.initializer if one.name == name)


def set_array(graph, name, array):
    initializer(graph, name).CopyFrom(onnx.numpy_helper.from_array(array, name))


def outside(graph):
    """Weights that would be read from a file anywhere on the disk."""
    tensor = initializer(graph, "own.weight")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def loop(graph):
    """A body that never ends."""
    body = onnx.helper.make_graph([], "body", [], [])
    graph.node.append(onnx.helper.make_node("Loop", ["", ""], ["for_ever"], body=body))


def bomb(graph):
    shape = onnx.numpy_helper.from_array(np.array([2**20, 2**20], np.int64), "shape")
    graph.initializer.append(shape)
    graph.node.append(onnx.helper.make_node("ConstantOfShape", ["shape"], ["bomb"]))


def other_input(graph):
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


def more(graph):
    graph.initializer.append(onnx.numpy_helper.from_array(np.ones(1, np.float32), "x"))


def other_columns(graph):
    """ONNX Runtime would raise what is no line of ours."""
    graph.input[1].type.tensor_type.shape.dim[2].dim_value = 3


def clash(graph):
    """Two arrays of one name: readers may differ on which counts."""
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(1.0, np.float32), "zero"))


GRAPH_DAMAGES = {
    "an extra node": (lambda g: g.node.append(onnx.helper.make_node("Identity", ["scores"], ["x"])), "graph"),
    "a node less": (lambda g: g.node.pop(), "graph"),
    "another operation": (lambda g: setattr(g.node[0], "op_type", "Div"), "graph"),
    "a loop": (loop, "graph"),
    "a bomb": (bomb, "graph"),
    "an input of another kind": (other_input, "graph"),
    "an input more": (lambda g: g.input.add(name="x"), "graph"),
    "other columns": (other_columns, "inputs: have [15, 3, 3] columns"),
    "an extra array": (more, "x: has the shape"),
    "an array less": (lambda g: g.initializer.remove(initializer(g, "own.bias")), "own.bias: has the shape None"),
    "an array twice": (clash, "'zero' stands there twice"),
    "wrong shapes": (lambda g: set_array(g, "own.weight", np.zeros((3, 8), np.float32)), "own.weight: has the shape"),
    "a scalar": (lambda g: set_array(g, "score.weight", np.array(1.0, np.float32)), "is not the constant"),
    "no width": (lambda g: set_array(g, "score.weight", np.zeros((0, 1), np.float32)), "is not the constant"),
    "axes without end": (lambda g: initializer(g, "own.weight").dims.extend([0, 2**62]), "size of its shape"),
    "very many axes": (lambda g: initializer(g, "own.weight").dims.extend([127] * 100_000), "too often"),
    "weights that are no numbers": (
        lambda g: set_array(g, "own.weight", np.full((8, 8), np.nan, np.float32)),
        "own.weight: holds what is no finite",
    ),
    "weights without end": (lambda g: set_array(g, "own.bias", np.full(8, np.inf, np.float32)), "own.bias"),
    "whole numbers": (lambda g: set_array(g, "own.bias", np.zeros(8, np.int64)), "own.bias: holds what"),
    "64 bits": (lambda g: set_array(g, "own.bias", np.zeros(8)), "own.bias' is of the kind 11"),
    "another constant": (lambda g: set_array(g, "forbidden", np.array(1e9, np.float32)), "forbidden: is not"),
    "a constant of another kind": (lambda g: set_array(g, "zero", np.array(0, np.int64)), "zero: is not the constant"),
    "a constant of another shape": (lambda g: set_array(g, "axis_1", np.array([[1]])), "axis_1: is not the constant"),
    "external data": (outside, "a field 13 that no graph of ours has"),
    "a sparse array": (lambda g: g.sparse_initializer.add(), "a field 15"),
}  # fmt: skip


def change_model(folder, change):
    model = onnx.load_from_string((folder / MODEL).read_bytes())
    change(model)
    (folder / MODEL).write_bytes(model.SerializeToString())
    return with_sums(folder)


@pytest.mark.parametrize("damage", GRAPH_DAMAGES)
def test_graph_that_is_not_ours_is_never_run(copied_bundle, damage, monkeypatch):
    monkeypatch.setattr("onnxruntime.InferenceSession", None)  # nobody may as much as try
    change, words = GRAPH_DAMAGES[damage]
    refused(change_model(copied_bundle, lambda model: change(model.graph)), file=MODEL, words=words)


MODEL_DAMAGES = {
    "another version": (lambda m: setattr(m, "ir_version", 99), "graph"),
    "other operations": (lambda m: setattr(m.opset_import[0], "version", 12), "graph"),
    "operations of a stranger": (lambda m: setattr(m.opset_import[0], "domain", "evil"), "graph"),
    "two sets of operations": (lambda m: m.opset_import.add(domain="evil", version=1), "graph"),
    "functions": (lambda m: m.functions.add(name="f"), "a field 25"),
    "training": (lambda m: m.training_info.add(), "a field 20"),
    "other features": (lambda m: setattr(m.metadata_props[0], "value", "queue"), "features: are not those"),
}


@pytest.mark.parametrize("damage", MODEL_DAMAGES)
def test_model_that_is_not_ours_is_never_run(copied_bundle, damage):
    change, words = MODEL_DAMAGES[damage]
    refused(change_model(copied_bundle, change), file=MODEL, words=words)


def field(number, data):
    """A field of a protocol buffer."""
    length, key = len(data), bytes([number << 3 | 2])
    while length >= 0x80:
        key += bytes([length & 0x7F | 0x80])
        length >>= 7
    return key + bytes([length]) + data


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_second_graph_is_not_merged_into_ours(copied_bundle, first):
    """Readers of protocol buffers join two graphs in one file: ours, and whatever a stranger adds."""
    ours = (copied_bundle / MODEL).read_bytes()
    theirs = field(7, onnx.GraphProto(node=[onnx.helper.make_node("Identity", ["scores"], ["x"])]).SerializeToString())
    joined = onnx.load_from_string(theirs + ours if first else ours + theirs)
    assert len(joined.graph.node) > len(onnx.load_from_string(ours).graph.node)
    (copied_bundle / MODEL).write_bytes(theirs + ours if first else ours + theirs)
    refused(with_sums(copied_bundle), file=MODEL, words="graph stands there too often")


def test_two_nodes_in_the_bytes_of_one_are_not_ours(copied_bundle):
    model = onnx.load_from_string((copied_bundle / MODEL).read_bytes())
    first, second, *others = [node.SerializeToString() for node in model.graph.node]
    del model.graph.node[:]
    nodes = [first + b"\n1 " + second, *others]
    rest = model.graph.SerializeToString()
    model.ClearField("graph")
    (copied_bundle / MODEL).write_bytes(
        model.SerializeToString() + field(7, b"".join(field(1, node) for node in nodes) + rest)
    )
    refused(with_sums(copied_bundle), file=MODEL)


@pytest.mark.parametrize("number", [7, 14], ids=["graphs", "metadata"])
def test_millions_of_empty_fields_are_not_read_through(copied_bundle, number):
    (copied_bundle / MODEL).write_bytes(field(number, b"") * 10_000_000)
    refused(with_sums(copied_bundle), file=MODEL, words="too often")


def test_axes_in_their_millions_are_not_multiplied(copied_bundle):
    """Packed, they are one field: a number of 200 million bits that takes hours to compute."""
    (copied_bundle / MODEL).write_bytes(field(7, field(5, field(1, b"\x7f" * 30_000_000) + b"\x10\x01")))
    refused(with_sums(copied_bundle), file=MODEL, words="size of its shape")


def test_graph_cut_off_anywhere_is_refused(copied_bundle):
    data = (copied_bundle / MODEL).read_bytes()
    for length in np.random.default_rng(1).integers(0, len(data), 100).tolist():
        (copied_bundle / MODEL).write_bytes(data[:length])
        refused(with_sums(copied_bundle), file=MODEL)


def test_graph_for_other_features_is_refused(tmp_path):
    contents = bundle_contents()
    for metadata in ({"features": ",".join(DEFAULT_FEATURES)}, {}):
        contents[MODEL] = policy_graph(random_network(("queue",)), metadata)
        refused(write_contents(tmp_path / "mixed", contents), file=MODEL)


def test_bundle_of_another_network_is_refused_where_it_would_run(tmp_path):
    here, there = load_scenario("single").network, load_scenario("grid4x4").network
    folder = write_random_bundle(tmp_path / "bound", fingerprint=fingerprint_of(there))
    with pytest.raises(InputError, match="was made for another network than grid_1x1") as caught:
        SignalController.load(folder, here)
    assert str(folder) in str(caught.value)
    SignalController.load(folder, there).close()


def test_card_may_say_anything(copied_bundle):
    (copied_bundle / CARD).write_bytes(b"<script>\xff")
    read_bundle(with_sums(copied_bundle))
