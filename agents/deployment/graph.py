"""The policy's network as an ONNX graph: logarithm, mask and arg-max inside, for any batch of signals of any shape.

Line by line what `agents/controllers/policy_network.py` computes. Written node by node rather than traced: the graph
says what it does, its bytes are the same every time, and numbers of signals, movements and choices stay free.

| input       | shape     |                                                    | output   | shape  |
|-------------|-----------|----------------------------------------------------|----------|--------|
| `movements` | (N, M, f) | the blocks of an observation,                      | `choice` | (N,)   |
| `choices`   | (N, C, 2) | see `intergreen.envs.observation`                  | `scores` | (N, C) |
| `signal`    | (N, s)    |                                                    |          |        |
| `serves`    | (N, C, M) |                                                    |          |        |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.policy_network import FORBIDDEN, LOG_10
from intergreen.envs.errors import InputError
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from intergreen.agents.controllers.policy_network import PolicyNetwork

OPSET = 18  # ReduceSum and Slice take their axes as inputs since 13; read by every onnxruntime since 1.14
IR_VERSION = 8
_ALLOWED = CHOICE_COLUMNS.index("allowed")
_EXISTS = 0  # column of a movement


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
        "movements": ["signals", "movements", network.movement_columns],
        "choices": ["signals", "choices", len(CHOICE_COLUMNS)],
        "signal": ["signals", network.signal_columns],
        "serves": ["signals", "choices", "movements"],
    }
    _write_layers(nodes)
    graph = helper.make_graph(
        nodes.all,
        "intergreen-policy",
        [helper.make_tensor_value_info(name, kind.FLOAT, shape) for name, shape in shapes.items()],
        [
            helper.make_tensor_value_info("choice", kind.INT64, ["signals"]),
            helper.make_tensor_value_info("scores", kind.FLOAT, ["signals", "choices"]),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in _constants(network).items()],
    )
    model = helper.make_model(
        graph, producer_name="intergreen", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _write_layers(n: _Nodes) -> None:
    """Biases are added where arrays are small: to what a signal's choices share, and to `exists`, which is 1."""
    logarithm = n.add("Div", n.add("Log", n.add("Add", n.add("Mul", "movements", "nine"), "one")), "log_10")
    hidden = n.add("Relu", n.linear("movement", n.add("Concat", "movements", logarithm, axis=2)))
    exists = n.add("Transpose", n.slice("movements", 2, "exists", "past_exists"), perm=[0, 2, 1])
    everything = n.linear("everything", n.add("MatMul", exists, hidden))
    told = n.add("Add", n.linear("signal", "signal"), "served.bias")
    context = n.add("Add", everything, n.add("Unsqueeze", told, "axis_1"))
    served = n.linear("served", n.add("MatMul", "serves", hidden))
    phases = n.add("Relu", n.add("Add", n.add("Add", served, n.linear("choice", "choices")), context))
    allowed = n.slice("choices", 2, "allowed", "past_allowed")
    total = n.add("MatMul", n.add("Transpose", allowed, perm=[0, 2, 1]), phases)
    mean = n.add("Div", total, n.add("Max", n.add("ReduceSum", allowed, "axis_1", keepdims=1), "one"))
    others = n.add("Add", n.linear("others", mean), "own.bias")
    contest = n.add("Relu", n.add("Add", n.linear("own", phases), others))
    scores = n.add("Add", n.add("Squeeze", n.linear("score", contest), "axis_2"), "score.bias")
    forbidden = n.add("Equal", n.add("Squeeze", allowed, "axis_2"), "zero")
    n.add("Where", forbidden, "forbidden", scores, output="scores")
    n.add("ArgMax", "scores", output="choice", axis=1, keepdims=0, select_last_index=0)


def _constants(network: PolicyNetwork) -> dict[str, np.ndarray]:
    arrays = {
        name: np.ascontiguousarray(array.T if array.ndim == 2 else array) for name, array in network.arrays.items()
    }
    # Of a movement that is there `exists` is 1, of any other nothing is used: its row may carry the bias.
    arrays["movement.weight"] = arrays["movement.weight"].copy()
    arrays["movement.weight"][_EXISTS] += arrays.pop("movement.bias")
    numbers = {"zero": 0.0, "one": 1.0, "nine": 9.0, "log_10": LOG_10, "forbidden": FORBIDDEN}
    ends = {"exists": _EXISTS, "past_exists": _EXISTS + 1, "allowed": _ALLOWED, "past_allowed": _ALLOWED + 1}
    axes = {"axis_1": 1, "axis_2": 2}
    return (
        arrays
        | {name: np.array(value, np.float32) for name, value in numbers.items()}
        | {name: np.array([value], np.int64) for name, value in (ends | axes).items()}
    )


class _Nodes:
    """The nodes so far; each method adds some and returns the name of what comes out."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.all: list[Any] = []

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operation.lower()}_{len(self.all)}"
        self.all.append(self._helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def linear(self, layer: str, values: str) -> str:
        """The product with the layer's weights; its bias, if it has one, is added by the caller."""
        return self.add("MatMul", values, f"{layer}.weight")

    def slice(self, values: str, axis: int, start: str, end: str) -> str:
        return self.add("Slice", values, start, end, f"axis_{axis}")


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        problem = "writing policy.onnx needs the package onnx, not installed here"
        raise InputError("intergreen export", "", problem, 'pip install "intergreen[train]"') from None
    return onnx
