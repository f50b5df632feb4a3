"""A policy that a run has ended with, read to learn from it or to go on from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intergreen.agents.controllers.learned import read_policy
from intergreen.agents.controllers.registry import policy_names, run_folder
from intergreen.agents.controllers.run_folder import POLICY, RUN, read_run
from intergreen.agents.learning.recipe import Recipe, make_recipe
from intergreen.envs.errors import InputError, shown

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork


@dataclass(frozen=True, slots=True)
class TrainedPolicy:
    """The last policy of a run, and how it was trained."""

    name: str  # as it was asked for
    network: PolicyNetwork
    features: tuple[str, ...]
    recipe: Recipe
    drop_invalid_routes: bool
    sha256: str  # of its file

    @property
    def has_values(self) -> bool:
        """Are its scores values of the choices, from which no probabilities follow?"""
        return self.recipe.algorithm == "dqn"

    def stated(self) -> dict[str, str]:
        """What `run.json` says of it."""
        return {"name": self.name, "sha256": self.sha256}


def read_trained(name: str) -> TrainedPolicy:
    """The policy of a shipped run, or of the folder whose path this is.

    Raises
    ------
    InputError
        If there is no such run, it is a bundle, or a file of it is missing or broken.
    """
    with run_folder(name) as folder:
        if not folder.is_dir():
            mend = f"name the folder that `intergreen train` wrote, or one of {', '.join(policy_names())}"
            raise InputError(name, "", "no such folder", mend)
        run = read_run(folder)
        network, features = read_policy(folder)
        if not isinstance(run.get("recipe"), dict):
            mend = "name the folder that `intergreen train` wrote"
            raise InputError(folder / RUN, "recipe", f"is {shown(run.get('recipe'))}", mend)
        recipe = make_recipe(folder / RUN, run["recipe"])
        sha256 = hashlib.sha256((folder / POLICY).read_bytes()).hexdigest()
    return TrainedPolicy(name, network, features, recipe, bool(run.get("drop_invalid_routes")), sha256)


def read_probable(name: str) -> TrainedPolicy:
    """The policy of that run, whose scores are logarithms of probabilities.

    Raises
    ------
    InputError
        As `read_trained` does, or if the scores are values of the choices.
    """
    policy = read_trained(name)
    if policy.has_values:
        problem = "was trained by dqn: its scores are values of choices, and no probabilities follow from them"
        raise InputError(name, "algorithm", problem, "name runs of ppo or maskable-ppo")
    return policy
