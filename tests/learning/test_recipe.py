"""Recipes: where they come from, and the one line for each wrong one."""

import pytest

from intergreen.agents.learning.recipe import DEFAULT_RECIPE, Recipe, read_recipe, recipe_names
from intergreen.envs.errors import InputError


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_reads(name):
    assert isinstance(read_recipe(name), Recipe)


def test_scenario_in_place_of_a_recipe_takes_the_default_recipe(pair_file):
    default = read_recipe(DEFAULT_RECIPE)
    assert read_recipe("town") == default.model_copy(update={"scenario": "town"})
    assert read_recipe(str(pair_file)) == default.model_copy(update={"scenario": str(pair_file)})
    assert read_recipe(str(pair_file.parent)).scenario == str(pair_file.parent)


def test_command_line_replaces_what_the_recipe_says(recipe_file):
    recipe = read_recipe(str(recipe_file), steps=480, seed=None, protocol="literature-10-2")
    assert (recipe.steps, recipe.seed, recipe.protocol) == (480, 0, "literature-10-2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("replica: 3", "replica: unknown key; did you mean 'replicas'? known keys: scenario, protocol"),
        ("ppo: {learning_rat: 1}", "ppo.learning_rat: unknown key; did you mean 'learning_rate'?"),
        ("replicas: 0", "replicas: input should be greater than or equal to 1, got 0"),
        ("minutes: -1", "minutes: input should be greater than 0, got -1"),
        ("minutes: .nan", "minutes: input should be a finite number"),
        ("minutes: null", "training would never end; give minutes or steps"),
        ("hidden: [0]", "need widths from 1 to 4096 in hidden, got [0]"),
        ("ppo: fast", "ppo: "),
        ("seed: one", "seed: "),
        ("reward: speed", "reward: no reward is called 'speed'; use one of queue"),
        ("protocol: quick", "protocol: no protocol is called 'quick'"),
        ("[1, 2]", "is [1, 2]; write keys and values"),
        ("a: [", "not valid YAML"),
    ],
)
def test_wrong_recipe_is_one_line_that_names_file_and_field(text, message, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_recipe(str(path))
    line = str(caught.value)
    assert line.startswith(str(path))
    assert message in line
    assert "\n" not in line


def test_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="qick: no such recipe, scenario, file or folder; did you mean 'quick'"):
        read_recipe("qick")
