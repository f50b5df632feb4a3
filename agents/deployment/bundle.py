"""The bundle: a folder with a trained policy and all that must be known to run it. Read here, written by `export`.

policy.onnx        the graph: logarithm, mask and arg-max inside (`graph.py`)
observation.json   what the policy sees, column by column, with unit, meaning, range, and what it saw in training
signals.json       the timings it was made for, with all their numbers; the matrices of its network, if it has one
proof.json         what `intergreen verify` found for these timings, with the hashes of the plans
MODEL_CARD.md      for people
SHA256SUMS         of all the others

Reading runs nothing that stands in the files. A folder is a bundle of this version or it is refused in one line.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from intergreen.agents.controllers.policy_network import actor_shapes
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.columns import COLUMNS
from intergreen.agents.deployment.graph import graph_constants
from intergreen.agents.deployment.onnx_file import GRAPH_DIGEST, BrokenModelError, read_onnx
from intergreen.envs.errors import InputError, shown
from intergreen.envs.observation import CHOICE_COLUMNS, check_features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from intergreen.agents.deployment.onnx_file import OnnxFile
    from intergreen.envs.arrays import FloatArray

SCHEMA = 1
MODEL, OBSERVATION, SIGNALS, PROOF, CARD = (
    "policy.onnx",
    "observation.json",
    "signals.json",
    "proof.json",
    "MODEL_CARD.md",
)
SUMS = "SHA256SUMS"
MOST_BYTES = {MODEL: 64_000_000, OBSERVATION: 1_000_000, SIGNALS: 32_000_000, PROOF: 4_000_000, CARD: 1_000_000}
_MOST_SUMS_BYTES = 4096
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z_.]{1,32})")
_AGAIN = "export the policy again"


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """The lowest and highest value that the policy saw in training, (2, columns) of movements and of signals."""

    movement: FloatArray
    signal: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle that has been read and checked."""

    folder: Path
    name: str
    model: bytes
    features: tuple[str, ...]
    envelope: Envelope
    protocols: tuple[str, ...]  # that it was made for
    network: str | None  # fingerprint of the only network it may run on; None: any
    proved: frozenset[str]  # hashes of the plans whose proof is in the bundle


def is_bundle(folder: Path) -> bool:
    """Does the folder claim to be one?"""
    return (folder / SUMS).is_file() and (folder / MODEL).is_file()


def read_bundle(folder: str | Path) -> Bundle:
    """The bundle in `folder`, all of it checked.

    Raises
    ------
    InputError
        If a file is missing, changed, too large, of another schema, or the files do not belong together.
    """
    folder = Path(folder)
    contents = _checked_files(folder)
    onnx = _model(folder, contents[MODEL])
    stated = {name: _json(folder / name, contents[name]) for name in (OBSERVATION, SIGNALS, PROOF)}
    features = _features(folder / OBSERVATION, stated[OBSERVATION])
    _check_weights(folder / MODEL, onnx, features)
    if onnx.metadata.get("features") != ",".join(features):
        raise InputError(folder / MODEL, "features", "are not those of observation.json", _AGAIN)
    return Bundle(
        folder=folder,
        name=folder.resolve().name,
        model=contents[MODEL],
        features=features,
        envelope=_envelope(folder / OBSERVATION, stated[OBSERVATION], features),
        protocols=tuple(_names(folder / SIGNALS, stated[SIGNALS], "protocols")),
        network=_network(folder / SIGNALS, stated[SIGNALS]),
        proved=_proved(folder / PROOF, stated[PROOF]),
    )


def stated_plans(bundle: Bundle) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of `signals.json` and of `proof.json`, which reading a bundle has not looked into.

    Raises
    ------
    InputError
        If they are not what they should be.
    """
    tables = []
    for name, key in ((SIGNALS, "signals"), (PROOF, "proofs")):
        path = bundle.folder / name
        rows = _json(path, _read(path, MOST_BYTES[name])).get(key)
        if not isinstance(rows, list) or not all(_names_a_plan(row) for row in rows):
            raise InputError(path, key, "holds a row without plan_hash, network and protocol", _AGAIN)
        tables.append(rows)
    return tables[0], tables[1]


def _names_a_plan(row: object) -> bool:
    keys = ("plan_hash", "network", "protocol")
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in keys)


def sums_of(contents: Mapping[str, bytes]) -> bytes:
    """The content of `SHA256SUMS`, which `sha256sum --check` reads too."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items())]
    return "".join(lines).encode()


def _checked_files(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise InputError(folder, "", "no such folder", "name the folder of a bundle")
    sums = _sums(folder / SUMS)
    contents = {}
    for name, most in MOST_BYTES.items():
        data = _read(folder / name, most)
        if hashlib.sha256(data).hexdigest() != sums.get(name):
            raise InputError(folder / name, "", f"is not the file that {SUMS} tells of", "fetch the bundle again")
        contents[name] = data
    return contents


def _sums(path: Path) -> dict[str, str]:
    matches = [_LINE.fullmatch(line) for line in _text(path, _read(path, _MOST_SUMS_BYTES)).splitlines()]
    sums = {match[2]: match[1] for match in matches if match is not None}
    if None in matches or len(sums) < len(matches) or set(sums) != set(MOST_BYTES):
        raise InputError(path, "", f"does not list {', '.join(MOST_BYTES)}, each once", "fetch the bundle again")
    return sums


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise InputError(path.parent, path.name, "is missing", "name the folder of a bundle")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(path, "", f"cannot be read: {error.strerror}", "check its permissions") from None
    if len(data) > most:
        raise InputError(path, "", f"is larger than {most} bytes", "this is no bundle of ours")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(path, "", "not UTF-8 text", _AGAIN) from None


def _json(path: Path, data: bytes) -> dict[str, Any]:
    text = _text(path, data)
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(path, "", f"not valid JSON: {shown(str(error))}", _AGAIN) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else content
        raise InputError(path, "schema", f"is {shown(found)}", f"this version reads schema {SCHEMA}")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _model(folder: Path, data: bytes) -> OnnxFile:
    try:
        onnx = read_onnx(data)
    except BrokenModelError as error:
        raise InputError(folder / MODEL, "", f"no policy of ours: {shown(str(error), 120)}", _AGAIN) from None
    if onnx.digest != GRAPH_DIGEST:
        raise InputError(folder / MODEL, "graph", "is not the one that this version writes", _AGAIN)
    return onnx


def _check_weights(path: Path, onnx: OnnxFile, features: tuple[str, ...]) -> None:
    """The arrays of the graph are those of a policy that sees these features."""
    movement, signal = observation_columns(features)
    if onnx.columns != [len(movement), len(CHOICE_COLUMNS), len(signal)]:
        raise InputError(path, "inputs", f"have {onnx.columns} columns", "use the files of one export")
    width = onnx.arrays["score.weight"].size if "score.weight" in onnx.arrays else 0
    constants = graph_constants(len(movement), width)
    for name, constant in constants.items():
        array = onnx.arrays.get(name)
        if array is None or array.dtype != constant.dtype or not np.array_equal(array, constant):
            raise InputError(path, name, "is not the constant that it should be", _AGAIN)
    weights = {name: array for name, array in onnx.arrays.items() if name not in constants}
    wanted = {name: shape[::-1] for name, shape in actor_shapes(width, len(movement), len(signal)).items()}
    for name in sorted(set(wanted) | set(weights)):
        shape = weights[name].shape if name in weights else None
        if shape != wanted.get(name):
            raise InputError(
                path, name, f"has the shape {shape}, not {wanted.get(name)}", "use the files of one export"
            )
        if weights[name].dtype != np.float32 or not np.isfinite(weights[name]).all():
            raise InputError(path, name, "holds what is no finite 32-bit number", _AGAIN)


def _features(path: Path, stated: Mapping[str, Any]) -> tuple[str, ...]:
    features = tuple(_names(path, stated, "features"))
    try:
        check_features(features)
    except InputError as error:
        raise InputError(path, "features", error.problem, "use the version named in the card") from None
    movement, signal = observation_columns(features)
    for block, columns in (("movement", movement), ("signal", signal)):
        rows = stated.get(block)
        is_table = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        found = [row.get("column") for row in rows] if is_table and rows is not None else rows
        if found != columns:
            problem = f"another layout: {shown(found)}, in this version {shown(columns)}"
            raise InputError(path, block, problem, "use the version named in the card, or export again")
        for row, column in zip(rows or [], columns, strict=True):
            unit, limits, _ = COLUMNS[column]
            if (row.get("unit"), row.get("range")) != (unit, list(limits)):
                told = f"{shown(row.get('unit'))} from {shown(row.get('range'))}"
                problem = f"column {column}: {told}, in this version {unit!r} from {list(limits)}"
                raise InputError(path, block, problem, "use the version named in the card, or export again")
    return features


def _envelope(path: Path, stated: Mapping[str, Any], features: tuple[str, ...]) -> Envelope:
    limits = []
    for block, columns in zip(("movement", "signal"), observation_columns(features), strict=True):
        seen = [row.get("seen") for row in stated[block]]
        if not all(_is_range(one) for one in seen):
            raise InputError(path, f"{block}.seen", "is no pair of numbers, lowest first", _AGAIN)
        limits.append(np.array(seen, np.float64).reshape(len(columns), 2).T)
    return Envelope(*limits)


def _is_range(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(isinstance(one, (int, float)) and abs(one) < 1e6 for one in value) and value[0] <= value[1]


def _names(path: Path, stated: Mapping[str, Any], key: str) -> list[str]:
    names = stated.get(key)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and len(name) < 64 for name in names):
        raise InputError(path, key, f"is {shown(names)}", _AGAIN)
    return names


def _network(path: Path, stated: Mapping[str, Any]) -> str | None:
    network = stated.get("network")
    if network is None:
        return None
    fingerprint = network.get("fingerprint") if isinstance(network, dict) else None
    if not isinstance(fingerprint, str):
        raise InputError(path, "network", f"is {shown(network)}", _AGAIN)
    return fingerprint


def _proved(path: Path, stated: Mapping[str, Any]) -> frozenset[str]:
    proofs = stated.get("proofs")
    if not isinstance(proofs, list) or not all(isinstance(one, dict) for one in proofs):
        raise InputError(path, "proofs", f"is {shown(proofs)}", _AGAIN)
    for one in proofs:
        if one.get("holds") is not True or not isinstance(one.get("plan_hash"), str):
            raise InputError(path, "proofs", "holds a plan that is not proved safe", _AGAIN)
    return frozenset(one["plan_hash"] for one in proofs)
