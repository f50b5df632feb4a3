"""The policy that a training starts from, where its recipe names one: for a network of one's own, weights that have
learned on many are a better beginning than random ones.

What a policy sees and how wide it is are in its weights; so a recipe with a `start` has its features and width.
"""

from __future__ import annotations

from intergreen.agents.learning.recipe import Recipe
from intergreen.agents.learning.trained import TrainedPolicy, read_trained
from intergreen.envs.errors import InputError


def read_start(recipe: Recipe) -> TrainedPolicy | None:
    """What the recipe starts from; None: random weights.

    Raises
    ------
    InputError
        If the run cannot be read, or has learned values where the recipe learns probabilities, or the other way round.
    """
    if recipe.start is None:
        return None
    start = read_trained(recipe.start)
    if start.has_values != (recipe.algorithm == "dqn"):
        before, now = start.recipe.algorithm, recipe.algorithm
        problem = f"was trained by {before}, now asked for {now}: values are no probabilities"
        raise InputError(recipe.start, "algorithm", problem, "start from a run of the same kind")
    return start


def fitted(recipe: Recipe, start: TrainedPolicy | None) -> Recipe:
    """The recipe with the features and the width of what it starts from."""
    if start is None:
        return recipe
    return recipe.model_copy(update={"features": start.features, "width": start.network.width})
