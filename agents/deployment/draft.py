"""From a training run to the files of a bundle, all but its card: the graph, what it sees, signals and proofs.

Refuses where the graph does not choose what the trained network chooses, or a plan is not proved safe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.controllers.run_folder import BEST, POLICY, RUN, features_in, observation_columns, read_run
from intergreen.agents.deployment.bundle import MODEL, OBSERVATION, PROOF, SCHEMA, SIGNALS
from intergreen.agents.deployment.columns import COLUMNS
from intergreen.agents.deployment.graph import policy_graph
from intergreen.agents.deployment.inference import OnnxPolicy
from intergreen.agents.deployment.plain_policy import PlainPolicy
from intergreen.agents.deployment.proofs import REFERENCE_JUNCTIONS, proofs_of, signals_stated
from intergreen.agents.deployment.recorded import record
from intergreen.agents.learning.recipe import make_recipe
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.observation import CHOICE_COLUMNS
from intergreen.envs.observation_arrays import taken_apart
from intergreen.envs.protocol import FIELD
from intergreen.envs.scenario import load_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.deployment.recorded import Recorded
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.scenario import Scenario


TIE = 1e-4  # scores closer than this are equal in 32 bits: sums in another order decide which is the higher


class Comparison(NamedTuple):
    """How alike PyTorch and ONNX Runtime choose."""

    observations: int
    ties: int  # on which they chose two phases whose scores are equal in 32 bits
    widest_tie: float  # how much lower PyTorch scores the other's choice, at most
    apart: float  # largest difference between their scores
    plain_tie: float  # how much lower PyTorch scores the choice that NumPy makes of the graph, at most


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
    features = features_in(run, folder)
    network = read_network(folder / (BEST if best else POLICY))
    recipe = make_recipe(folder / RUN, run["recipe"])
    scenario = None if recipe.scenario is None else own_scenario(folder, recipe.scenario, run)
    protocols = _protocols(recipe, scenario)
    _tell(progress, 0.0, "recording observations")
    recorded = record(network, recipe, scenario, threads=threads)
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
        return load_scenario(name, drop_invalid_routes=bool(run.get("drop_invalid_routes")))
    except InputError as error:
        problem = f"trained on {shown(name, limit=300)}, which cannot be read here: {error.problem}"
        raise InputError(folder / RUN, "scenario", problem, "export where the scenario is") from None


def _protocols(recipe: Recipe, scenario: Scenario | None) -> tuple[str, ...]:
    if recipe.worlds is not None:
        return recipe.worlds.protocols
    assert scenario is not None
    return (recipe.protocol or scenario.default_protocol,)


def compare_choices(network: PolicyNetwork, model: bytes, recorded: Recorded) -> Comparison:
    """PyTorch and ONNX Runtime on the recorded observations, each with its own arg-max."""
    import torch

    from intergreen.agents.learning.network import SignalNetwork

    trained = SignalNetwork(recorded.blocks, width=network.width)
    trained.load_state_dict({name: torch.from_numpy(array) for name, array in network.arrays.items()}, strict=False)
    with torch.no_grad():
        theirs = trained.forward_actor(torch.from_numpy(recorded.observations)).numpy()
    policy = OnnxPolicy(model)
    observed = taken_apart(recorded.observations, recorded.blocks)
    ours, scores = policy.choose(observed), policy.scores(observed)

    def behind(chosen: IntArray) -> float:
        lost = theirs.max(axis=1) - theirs[np.arange(len(chosen)), chosen]
        return float(lost.max(initial=0.0))

    return Comparison(
        observations=len(ours),
        ties=int((theirs.argmax(axis=1) != ours).sum()),
        widest_tie=behind(ours),
        apart=float(np.abs(theirs - scores).max(initial=0.0)),
        plain_tie=behind(PlainPolicy(model).choose(observed)),
    )


def _checked(folder: Path, found: Comparison) -> Comparison:
    """Refuse an export that chooses another phase where PyTorch's own scores tell the two apart."""
    for who, tie in (("ONNX Runtime", found.widest_tie), ("NumPy", found.plain_tie)):
        if tie > TIE:
            problem = f"{who} chooses a phase that PyTorch scores {tie:.1e} lower than its own"
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
        "serves": {"unit": "flag", "range": [0.0, 1.0], "meaning": "1 where the choice gives the movement green"},
    }


def _rows(columns: list[str], seen: np.ndarray) -> list[dict[str, Any]]:
    return [_row(column) | {"seen": seen[:, k].tolist()} for k, column in enumerate(columns)]


def _row(column: str) -> dict[str, Any]:
    unit, limits, meaning = COLUMNS[column]
    return {"column": column, "unit": unit, "range": list(limits), "meaning": meaning}


def _tell(progress: Progress | None, share: float, words: str) -> None:
    if progress is not None:
        progress(share, words)
