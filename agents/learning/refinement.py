"""What is to be refined, read and checked before anything begins: a policy, what it drives in, the run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.controllers.run_folder import REFINED, new_run_folder
from intergreen.agents.learning.prepare import Training, new_training, require_learning_stack
from intergreen.agents.learning.recipe import EvaluationSettings, Recipe, changed, make_recipe, with_worlds
from intergreen.agents.learning.trained import TrainedPolicy, read_probable
from intergreen.envs.errors import InputError
from intergreen.envs.simulators import NATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ROUNDS, MOMENTS, LOOK_AHEAD_S = 2, 40_000, 240


@dataclass(frozen=True, slots=True)
class Refinement:
    """A run that is ready to begin."""

    policy: TrainedPolicy
    rounds: int
    moments: int  # of a round
    look_ahead_s: int
    average: bool  # write the mean of the weights that it begins with and has after each round
    training: Training  # its recipe is the policy's own, with the seed of this run

    def summary(self) -> str:
        """What will be done, in a few lines: from what, on what, versions, where it goes."""
        recipe, run = self.training.recipe, self.training.run
        looks_in = "generated networks" if self.training.scenario is None else self.training.scenario.name
        if recipe.worlds is not None and recipe.worlds.from_sumo:
            looks_in += f" ({100 * recipe.worlds.from_sumo:g} % SUMO's)"
        timing = run["protocol"] or "own protocols"
        seed = f"seed {recipe.seed}" + ("; writes the mean of all weights, the first ones too" if self.average else "")
        rounds = "one round" if self.rounds == 1 else f"{self.rounds} rounds"
        lines = [
            f"refining {self.policy.name} (width {recipe.width}) on {looks_in}, {timing}",
            f"{rounds} of {self.moments:,} moments, {self.look_ahead_s} s ahead; {seed}",
            ", ".join(f"{name} {number}" for name, number in run["versions"].items()),
            f"run folder {self.training.folder}",
        ]
        return "\n".join(lines)


def prepare_refinement(
    name: str,
    scenario: str | None = None,
    *,
    protocol: str | None = None,
    out: Path | None = None,
    rounds: int | None = None,
    moments: int | None = None,
    look_ahead_s: int | None = None,
    from_sumo: float | None = None,
    protocols: Sequence[str] | None = None,
    average: bool = False,
    seed: int | None = None,
) -> Refinement:
    """The refinement of this run, a shipped name or a folder.

    Parameters
    ----------
    scenario : name, file or folder to refine it for; None: what the run was trained on
    protocol : the timing there; None: the scenario's own
    out : the run's folder; None: a new one below `runs/`
    rounds, moments, look_ahead_s : None: `ROUNDS`, `MOMENTS` of each, `LOOK_AHEAD_S`
    average : what is written is the mean of the weights that the policy begins with and has after each round
    from_sumo : share of generated networks with SUMO's streets, rules and drivers; None: as the run was trained
    protocols : the timings of generated networks, in turn; None: as the run was trained
    seed : of networks and traffic; None: that of the run

    Raises
    ------
    InputError
        If the run cannot be read, has no probabilities, or was trained where nobody can look ahead.
    """
    require_learning_stack("refine")
    policy = read_probable(name)
    if policy.recipe.simulator != NATIVE:
        problem = f"was trained in {policy.recipe.simulator}, of which there are no copies to look ahead in"
        raise InputError(name, "simulator", problem, "name a run of the native simulator")
    if policy.recipe.faults:
        problem = "was trained with detectors that fail, and copies would see what true ones tell"
        raise InputError(name, "faults", problem, "name a run without faults")
    changes: dict[str, Any] = {"features": policy.features, "width": policy.network.width, "start": None}
    if seed is not None:
        changes["seed"] = seed
    if from_sumo is not None or protocols is not None:
        generated = policy.recipe if scenario is None else None
        changes["worlds"] = with_worlds(generated, from_sumo=from_sumo, protocols=protocols)
    if scenario is not None:
        changes |= _elsewhere(policy.recipe, scenario, protocol)
    elif protocol is not None:
        problem = "is the timing of a scenario to refine for"
        mend = "name the scenario, or ask for the timings of generated networks with --protocols"
        raise InputError("command line", "--protocol", problem, mend)
    recipe = make_recipe(policy.name, changed(policy.recipe.model_dump(), changes))
    training = new_training(recipe, out or new_run_folder("refined"), drop_invalid_routes=policy.drop_invalid_routes)
    found = Refinement(policy, rounds or ROUNDS, moments or MOMENTS, look_ahead_s or LOOK_AHEAD_S, average, training)
    settings = {
        "rounds": found.rounds,
        "moments": found.moments,
        "look_ahead_s": found.look_ahead_s,
        "average": average,
    }
    training.run["made_by"] = REFINED
    training.run["refined"] = policy.stated() | settings
    return found


def _elsewhere(recipe: Recipe, scenario: str, protocol: str | None) -> dict[str, Any]:
    """What changes in the recipe where the policy is refined for that scenario, and judged on it."""
    evaluation = EvaluationSettings(seeds=recipe.evaluation.seeds)
    own = {"protocol": protocol, "horizon_s": None, "replicas": None}
    return {"scenario": scenario, "worlds": None, "evaluation": evaluation.model_dump(), **own}
