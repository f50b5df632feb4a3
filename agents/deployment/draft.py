"""From a training run to the files of a bundle, all but its card: the graph, what it sees, signals and proofs.

Refuses where the graph does not choose what the trained network chooses, or a plan is not proved safe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.controllers.learned import read_policy
from intergreen.agents.controllers.run_folder import RUN, observation_columns, read_run
from intergreen.agents.deployment.bundle import MODEL, OBSERVATION, PROOF, SCHEMA, SIGNALS
from intergreen.agents.deployment.columns import COLUMNS
from intergreen.agents.deployment.graph import policy_graph
from intergreen.agents.deployment.inference import OnnxPolicy, Policy
from intergreen.agents.deployment.plain_policy import PlainPolicy
from intergreen.agents.deployment.proofs import REFERENCE_JUNCTIONS, proofs_of, signals_stated
from intergreen.agents.deployment.recorded import record
from intergreen.agents.learning.recipe import make_recipe
from intergreen.agents.progress import part_of
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.observation import CHOICE_COLUMNS
from intergreen.envs.observation_arrays import taken_apart
from intergreen.envs.protocol import FIELD
from intergreen.envs.scenario import load_scenario
from intergreen.envs.scenario_fingerprint import scenario_fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.deployment.recorded import Recorded
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.scenario import Scenario


class Comparison(NamedTuple):
    """How alike PyTorch and what runs the bundle choose."""

    observations: int
    otherwise: dict[str, int]  # on how many ONNX Runtime, and NumPy, choose another phase than PyTorch
    apart: float  # largest difference between the scores of PyTorch and ONNX Runtime


@dataclass(frozen=True, slots=True)
class Draft:
    """The files of a bundle but for card and sums, and what the card tells of them."""

    contents: dict[str, bytes]
    run: dict[str, Any]
    recipe: Recipe
    protocols: tuple[str, ...]
    comparison: Comparison
    proofs: list[dict[str, Any]]


def draft_bundle(folder: Path, *, best: bool = False, threads: int = 1, progress: Progress | None = None) -> Draft:
    """The files for the run in `folder`, its last policy or its best.

    Raises
    ------
    InputError
        If the run cannot be read, the graph chooses otherwise than the network, or a plan is not proved safe.
    """
    run = read_run(folder)
    network, features = read_policy(folder, best=best)
    recipe = make_recipe(folder / RUN, run["recipe"])
    scenario = None if recipe.scenario is None else own_scenario(folder, recipe.scenario, run)
    protocols = _protocols(recipe, scenario)
    recorded = record(network, recipe, scenario, threads=threads, progress=part_of(progress, 0, 2, ""))
    model = policy_graph(network, {"features": ",".join(features), "schema": str(SCHEMA)})
    _tell(progress, 0.5, "comparing PyTorch and ONNX Runtime")
    comparison = _checked(folder, compare_choices(network, model, recorded))
    junctions = [load_scenario(name) for name in REFERENCE_JUNCTIONS] if scenario is None else [scenario]
    _tell(progress, 0.6, "proving signals")
    timings = tuple(dict.fromkeys((*protocols, *FIELD)))
    proofs = proofs_of(junctions, timings)
    network_stated = None
    if scenario is not None:
        network_stated = {"name": scenario.network.name, "fingerprint": fingerprint_of(scenario.network)}
    contents = {
        MODEL: model,
        OBSERVATION: json_bytes(_observation(features, recorded)),
        SIGNALS: json_bytes(
            {
                "schema": SCHEMA,
                "protocols": list(protocols),
                "network": network_stated,
                "signals": signals_stated(junctions, timings),
            }
        ),
        PROOF: json_bytes({"schema": SCHEMA, "proofs": proofs}),
    }
    return Draft(contents, run, recipe, protocols, comparison, proofs)


def json_bytes(value: object) -> bytes:
    """The same bytes for the same value."""
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def own_scenario(folder: Path, name: str, run: dict[str, Any]) -> Scenario:
    """The one scenario that the run in `folder` was trained on."""
    try:
        scenario = load_scenario(name, drop_invalid_routes=bool(run.get("drop_invalid_routes")))
    except InputError as error:
        problem = f"trained on {shown(name, limit=300)}, which cannot be read here: {error.problem}"
        raise InputError(folder / RUN, "scenario", problem, "export where the scenario is") from None
    if run.get("fingerprint") not in (None, scenario_fingerprint(scenario)):
        problem = f"{shown(name, limit=300)} had another network or demand when the policy was trained"
        raise InputError(folder / RUN, "scenario", problem, "restore what it was, or train again")
    return scenario


def _protocols(recipe: Recipe, scenario: Scenario | None) -> tuple[str, ...]:
    if recipe.worlds is not None:
        return recipe.worlds.protocols
    assert scenario is not None
    return (recipe.protocol or scenario.default_protocol,)


def compare_choices(network: PolicyNetwork, model: bytes, recorded: Recorded) -> Comparison:
    """PyTorch, ONNX Runtime and NumPy on the recorded observations."""
    import torch

    from intergreen.agents.learning.network import SignalNetwork

    trained = SignalNetwork(recorded.blocks, width=network.width)
    trained.load_state_dict({name: torch.from_numpy(array) for name, array in network.arrays.items()}, strict=False)
    observations = torch.from_numpy(recorded.observations)
    with torch.no_grad():
        scores = trained.forward_actor(observations).numpy()
    theirs = trained.best_choices(observations).numpy()
    observed = taken_apart(recorded.observations, recorded.blocks)
    graph = OnnxPolicy(model)
    runners: dict[str, Policy] = {"ONNX Runtime": graph, "NumPy": PlainPolicy(model)}
    return Comparison(
        observations=len(theirs),
        otherwise={name: int((policy.choose(observed) != theirs).sum()) for name, policy in runners.items()},
        apart=float(np.abs(scores - graph.scores(observed)).max(initial=0.0)),
    )


def _checked(folder: Path, found: Comparison) -> Comparison:
    """Refuse an export that chooses another phase than PyTorch."""
    for who, otherwise in found.otherwise.items():
        if otherwise:
            problem = f"on {otherwise:,} of {found.observations:,} observations {who} does not choose as PyTorch does"
            raise InputError(folder, "policy", problem, "report this, with the run")
    return found


def _observation(features: tuple[str, ...], recorded: Recorded) -> dict[str, Any]:
    movement, signal = observation_columns(features)
    return {
        "schema": SCHEMA,
        "features": list(features),
        "movement": _rows(movement, recorded.envelope.movement),
        "choice": [_row(column) for column in CHOICE_COLUMNS],
        "signal": _rows(signal, recorded.envelope.signal),
        "serves": COLUMNS["serves"]._asdict(),
    }


def _rows(columns: list[str], seen: np.ndarray) -> list[dict[str, Any]]:
    return [_row(column) | {"seen": seen[:, k].tolist()} for k, column in enumerate(columns)]


def _row(column: str) -> dict[str, Any]:
    unit, limits, meaning = COLUMNS[column]
    return {"column": column, "unit": unit, "range": list(limits), "meaning": meaning}


def _tell(progress: Progress | None, share: float, words: str) -> None:
    if progress is not None:
        progress(share, words)
