"""The policy's network as an ONNX graph: logarithm, mask and arg-max inside, for any batch of signals of any shape.

What `agents/controllers/policy_network.py` computes, in as few passes over memory as it takes: products of large
matrices, with what is added to them where it stands. Written node by node rather than traced: the graph says what it
does, its bytes are the same every time, and numbers of signals, movements and choices stay free. The weights stand in
it as they were trained, so that choices that 32 bits do not tell apart can be told apart as where they were trained;
what the graph makes of them first is constant, and is made once when it is loaded.

| input       | shape     |                                                    | output   | shape  |
|-------------|-----------|----------------------------------------------------|----------|--------|
| `movements` | (f, N, M) | the blocks of an observation,                      | `choice` | (N,)   |
| `choices`   | (N, C, 2) | see `intergreen.envs.observation`;                 | `scores` | (N, C) |
| `signal`    | (N, s)    | movements column by column, as they are filled     |          |        |
| `serves`    | (N, C, M) |                                                    |          |        |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.policy_network import LOG_10, PolicyNetwork
from intergreen.agents.controllers.ties import FORBIDDEN
from intergreen.envs.errors import InputError
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

OPSET = 18  # ReduceSum and Slice take their axes as inputs since 13; read by every onnxruntime since 1.14
IR_VERSION = 8
_ALLOWED = CHOICE_COLUMNS.index("allowed")
EXISTS = 0  # column of a movement


def policy_graph(network: PolicyNetwork, metadata: Mapping[str, str]) -> bytes:
    """The graph with these strings in its metadata, as the bytes of a `.onnx` file.

    Raises
    ------
    InputError
        If the package `onnx` is not installed.
    """
    onnx = _onnx()
    helper, kind = onnx.helper, onnx.TensorProto
    nodes = _Nodes(helper)
    shapes: dict[str, list[str | int]] = {
        "movements": [network.movement_columns, "signals", "movements"],
        "choices": ["signals", "choices", len(CHOICE_COLUMNS)],
        "signal": ["signals", network.signal_columns],
        "serves": ["signals", "choices", "movements"],
    }
    _write_layers(nodes)
    arrays = _weights(network) | graph_constants(network.movement_columns, network.width)
    graph = helper.make_graph(
        nodes.all,
        "intergreen-policy",
        [helper.make_tensor_value_info(name, kind.FLOAT, shape) for name, shape in shapes.items()],
        [
            helper.make_tensor_value_info("choice", kind.INT64, ["signals"]),
            helper.make_tensor_value_info("scores", kind.FLOAT, ["signals", "choices"]),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph, producer_name="intergreen", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def graph_constants(movement_columns: int, width: int) -> dict[str, np.ndarray]:
    """The arrays of the graph that are no weights."""
    numbers = {"zero": 0.0, "one": 1.0, "nine": 9.0, "forbidden": FORBIDDEN}
    places = {"allowed": [_ALLOWED], "past_allowed": [_ALLOWED + 1], "axis_0": [0], "axis_1": [1], "axis_2": [2]}
    shapes = {"columns": [movement_columns, -1], "rows": [-1, width], "width": [width]}
    by_column = {
        "units": [[1.0]] * movement_columns + [[1.0 / LOG_10]] * movement_columns,  # the graph's logarithm is natural
        "existing": [[float(k == EXISTS)] for k in range(2 * movement_columns)],
    }
    return {name: np.array(value, np.float32) for name, value in (numbers | by_column).items()} | {
        name: np.array(value, np.int64) for name, value in (places | shapes).items()
    }


def network_in(arrays: Mapping[str, np.ndarray]) -> PolicyNetwork:
    """The network whose graph holds these arrays."""
    weights = {name: np.array(array, np.float32) for name, array in arrays.items() if "." in name}
    return PolicyNetwork({name: np.ascontiguousarray(array.T) for name, array in weights.items()})


def _write_layers(n: _Nodes) -> None:
    """A movement that is not there is all 0, and so are its hidden values: in one that is `exists` carries the bias."""
    bias = n.add("Mul", "existing", n.add("Unsqueeze", "movement.bias", "axis_0"))
    weight = n.add("Add", n.add("Mul", "movement.weight", "units"), bias)
    flat = n.add("Reshape", "movements", "columns")
    logarithm = n.add("Log", n.add("Add", n.add("Mul", flat, "nine"), "one"))
    seen = n.add("Concat", flat, logarithm, axis=0)
    hidden = n.add("Relu", n.add("Gemm", seen, weight, transA=1))
    sizes = n.add("Concat", n.add("Shape", "movements", start=1, end=3), "width", axis=0)
    hidden = n.add("Reshape", hidden, sizes)  # (N, M, w)
    everything = n.add("ReduceSum", hidden, "axis_1", keepdims=0)
    told = n.add("Add", n.product("signal", "signal"), "served.bias")
    context = n.add("Gemm", everything, "everything.weight", told)
    begun = n.add("Add", n.product("choices", "choice"), n.add("Unsqueeze", context, "axis_1"))
    served = n.add("Reshape", n.add("MatMul", "serves", hidden), "rows")
    phases = n.add("Relu", n.add("Gemm", served, "served.weight", n.add("Reshape", begun, "rows")))
    phases = n.add("Reshape", phases, n.add("Shape", begun))  # (N, C, w)
    allowed = n.add("Slice", "choices", "allowed", "past_allowed", "axis_2")
    allowed = n.add("Squeeze", allowed, "axis_2")
    share = n.add("Div", allowed, n.add("Max", n.add("ReduceSum", allowed, "axis_1", keepdims=1), "one"))
    mean = n.add("MatMul", n.add("Unsqueeze", share, "axis_1"), phases)
    others = n.add("Add", n.product(mean, "others"), "own.bias")
    contest = n.add("Relu", n.add("Add", n.product(phases, "own"), others))
    scores = n.add("Add", n.add("Squeeze", n.product(contest, "score"), "axis_2"), "score.bias")
    n.add("Where", n.add("Equal", allowed, "zero"), "forbidden", scores, output="scores")
    n.add("ArgMax", "scores", output="choice", axis=1, keepdims=0, select_last_index=0)


def _weights(network: PolicyNetwork) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(array.T) for name, array in network.arrays.items()}


class _Nodes:
    """The nodes so far; each method adds some and returns the name of what comes out."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.all: list[Any] = []

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operation.lower()}_{len(self.all)}"
        self.all.append(self._helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def product(self, values: str, layer: str) -> str:
        """With the layer's weights; its bias, if it has one, is added by the caller."""
        return self.add("MatMul", values, f"{layer}.weight")


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        problem = "writing policy.onnx needs the package onnx, not installed here"
        raise InputError("intergreen export", "", problem, 'pip install "intergreen[train]"') from None
    return onnx
