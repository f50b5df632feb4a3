"""What is to be distilled, read and checked before anything begins: teachers, what is learned on, the run's folder.

The last policies of training runs; the first one's recipe says on what networks, and how it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.policy_network import seen_in
from intergreen.agents.controllers.run_folder import DISTILLED, new_run_folder
from intergreen.agents.controllers.ties import best_choices
from intergreen.agents.learning.prepare import Training, new_training, require_learning_stack
from intergreen.agents.learning.recipe import changed, make_recipe, with_worlds
from intergreen.agents.learning.trained import TrainedPolicy, read_probable
from intergreen.envs.errors import InputError
from intergreen.envs.simulators import NATIVE

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.envs.arrays import Float32Array, FloatArray, IntArray
    from intergreen.envs.observation import Blocks

STEPS = 1_500_000  # decisions, all signals of all networks together


@dataclass(frozen=True, slots=True)
class Distillation:
    """A run that is ready to begin."""

    teachers: tuple[TrainedPolicy, ...]
    training: Training  # its recipe is the first teacher's, with the student's width, seed and steps
    rules: bool = False  # may teach where they do better

    def summary(self) -> str:
        """What will be done, in a few lines: from whom, on what, versions, where it goes."""
        recipe, run = self.training.recipe, self.training.run
        names = ", ".join(f"{one.name} (width {one.network.width})" for one in self.teachers)
        names += ", and rules where they do better" if self.rules else ""
        learned_on = "generated networks" if self.training.scenario is None else self.training.scenario.name
        lines = [
            f"distilling {names} into a policy of width {recipe.width}",
            f"on {learned_on}, {run['protocol'] or 'own protocols'}; {recipe.steps:,} decisions, seed {recipe.seed}",
            ", ".join(f"{name} {number}" for name, number in run["versions"].items()),
            f"run folder {self.training.folder}",
        ]
        return "\n".join(lines)


class MeanPolicy:
    """The policies together: the choice whose log-probabilities have the highest mean."""

    def __init__(self, networks: Sequence[PolicyNetwork]) -> None:
        self._networks = networks

    def scores(self, observation: Float32Array, blocks: Blocks) -> Float32Array:
        """(..., C) mean of their scores, as good as that of log-probabilities: a constant per policy is apart."""
        return np.mean([one.scores(observation, blocks) for one in self._networks], axis=0)

    def best_choices(self, observation: Float32Array, blocks: Blocks) -> IntArray:
        """(...) the allowed choice with the highest score, the first of equals; observation (..., size)."""
        flat = observation.reshape(-1, blocks.size)

        def exactly(some: Any) -> FloatArray:
            seen = seen_in(flat[some], blocks)
            return np.mean([one.exact_scores(seen) for one in self._networks], axis=0)

        return best_choices(self.scores(flat, blocks), exactly).reshape(observation.shape[:-1])


def prepare_distillation(
    names: Sequence[str],
    *,
    out: Path | None = None,
    steps: int | None = None,
    seed: int | None = None,
    width: int | None = None,
    rules: bool = False,
    from_sumo: float | None = None,
) -> Distillation:
    """The distillation of these runs, shipped names or folders.

    Parameters
    ----------
    out : the run's folder; None: a new one below `runs/`
    steps, seed, width : None: `STEPS`, and those of the first run
    rules : max-pressure or advanced max-pressure teaches in those networks where it does better than the runs' mean
    from_sumo : share of generated networks with SUMO's streets, rules and drivers; None: as the first run was trained

    Raises
    ------
    InputError
        If a run cannot be read, has no probabilities to learn, or sees other features than the first; or if rules shall
        teach where runs were trained in another simulator or with detectors that fail.
    """
    require_learning_stack("distil")
    teachers = tuple(read_probable(name) for name in names)
    first = teachers[0]
    for one in teachers[1:]:
        _refuse_other_features(one, first)
    if rules:
        _refuse_unlike_rules(first)
    changes: dict[str, Any] = {"steps": steps or STEPS, "seed": seed, "width": width or first.network.width}
    if from_sumo is not None:
        changes["worlds"] = with_worlds(first.recipe, from_sumo=from_sumo)
    given = {key: value for key, value in changes.items() if value is not None}
    recipe = make_recipe(
        first.name, changed(first.recipe.model_dump(), given | {"features": first.features, "start": None})
    )
    training = new_training(recipe, out or new_run_folder("distilled"), drop_invalid_routes=first.drop_invalid_routes)
    training.run["made_by"] = DISTILLED
    training.run["teachers"] = [one.stated() for one in teachers]
    return Distillation(teachers, training, rules)


def _refuse_unlike_rules(first: TrainedPolicy) -> None:
    """Rules see true counts of the native simulator."""
    if first.recipe.simulator != NATIVE:
        problem = f"was trained in {first.recipe.simulator}, where rules cannot be tried in a hundred networks"
        raise InputError(first.name, "simulator", problem, "leave --rules out")
    if first.recipe.faults:
        problem = "was trained with detectors that fail, and rules would see what true ones tell"
        raise InputError(first.name, "faults", problem, "leave --rules out")


def _refuse_other_features(one: TrainedPolicy, first: TrainedPolicy) -> None:
    """All of them, and the student, are asked about the same observations."""
    here, there = set(one.features), set(first.features)
    if here != there:
        extra = [
            f"{owner} alone sees {', '.join(sorted(names))}"
            for owner, names in ((one.name, here - there), (first.name, there - here))
            if names
        ]
        mend = "name runs of the same features"
        raise InputError(one.name, "features", f"are not those of {first.name}: {'; '.join(extra)}", mend)
