"""Recipes: where they come from, and the one line for each wrong one."""

import re

import pytest
from learning.small_run import write_recipe, write_scenario

from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.recipe import DEFAULT_RECIPE, Recipe, read_recipe, recipe_names
from intergreen.envs.errors import InputError


def test_shipped_recipes():
    assert recipe_names() == ("dqn", "quick", "robust", "single", "universal")


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_reads(name):
    recipe = read_recipe(name)
    assert isinstance(recipe, Recipe)
    assert recipe.algorithm == ("dqn" if name == "dqn" else "ppo")
    assert (recipe.worlds is not None) == (name == "universal")


def test_scenario_in_place_of_a_recipe_takes_the_default_recipe(pair_file, tmp_path):
    default = read_recipe(DEFAULT_RECIPE)
    assert read_recipe("town") == default.model_copy(update={"scenario": "town"})
    assert read_recipe(str(pair_file)) == default.model_copy(update={"scenario": str(pair_file)})
    assert read_recipe(str(pair_file.parent)).scenario == str(pair_file.parent)
    config = tmp_path / "town.sumocfg"
    config.write_text("<configuration/>")
    assert read_recipe(str(config)).scenario == str(config)


def test_command_line_replaces_what_the_recipe_says(recipe_file):
    recipe = read_recipe(str(recipe_file), steps=480, seed=None, protocol="literature-10-2")
    assert (recipe.steps, recipe.seed, recipe.protocol) == (480, 0, "literature-10-2")


def test_budget_of_the_command_line_replaces_the_whole_budget():
    assert read_recipe("quick", steps=100).minutes is None
    assert read_recipe("quick", seed=1).minutes == 1.0
    both = read_recipe("quick", steps=100, minutes=2.0)
    assert (both.steps, both.minutes) == (100, 2.0)


def test_policy_is_judged_on_its_own_scenario_unless_told_otherwise(recipe_file):
    assert read_recipe("quick").judged == ("grid4x4",)
    assert read_recipe("universal").judged == ("grid4x4", "town")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("replica: 3", "replica: unknown key; did you mean 'replicas'? known keys: algorithm, scenario, worlds"),
        ("ppo: {learning_rat: 1}", "ppo.learning_rat: unknown key; did you mean 'learning_rate'?"),
        ("dqn: {buffer: 1}", "dqn.buffer: unknown key; did you mean 'buffer_size'?"),
        ("evaluation: {seed: 1}", "evaluation.seed: unknown key; did you mean 'seeds'?"),
        ("worlds: {number: 1}", "worlds.number: unknown key"),
        ("algorithm: sac", "algorithm: input should be 'ppo', 'maskable-ppo' or 'dqn', got 'sac'"),
        ("replicas: 0", "replicas: input should be greater than or equal to 1, got 0"),
        ("minutes: -1", "minutes: input should be greater than 0, got -1"),
        ("minutes: .nan", "minutes: input should be a finite number"),
        ("minutes: null", "training would never end; give minutes or steps"),
        ("{minutes: 1}", "need either scenario, a name, file or folder, or worlds, and not both"),
        ("{minutes: 1, scenario: single, worlds: {count: 1}}", "need either scenario"),
        (
            "{minutes: 1, worlds: {count: 1}, replicas: 5}",
            "replicas are of one scenario; of generated worlds there is one each",
        ),
        ("{minutes: 1, worlds: {count: 1}, demand_scale: [2, 3]}", "generated worlds have worlds.levels"),
        ("width: 0", "width: input should be greater than or equal to 1, got 0"),
        ("ppo: fast", "ppo: "),
        ("seed: one", "seed: "),
        ("{minutes: 1, scenario: single, demand_scale: [2, 1]}", "need 0 < lowest <= highest in demand_scale"),
        ("{minutes: 1, scenario: single, reward: speed}", "reward: no reward is called 'speed'; use one of queue"),
        ("{minutes: 1, scenario: single, reward: {delays: 1}}", "reward: no reward is called 'delays'; did you mean"),
        ("{minutes: 1, scenario: single, reward: 3}", "reward: input should be a valid string, got 3"),
        ("{minutes: 1, scenario: single, reward: {delay: .nan}}", "reward: input should be a"),
        ("{minutes: 1, scenario: single, features: [queues]}", "features: no feature is called 'queues'; did you mean"),
        ("{minutes: 1, scenario: single, features: []}", "features: "),
        ("{minutes: 1, scenario: single, protocol: quick}", "protocol: no protocol is called 'quick'"),
        ("{minutes: 1, worlds: {levels: [2, 1]}}", "worlds: need 0 < lowest <= highest in levels, got [2.0, 1.0]"),
        ("{minutes: 1, worlds: {protocols: [fast]}}", "worlds.protocols: no protocol is called 'fast'"),
        ("{minutes: true, scenario: single}", "minutes is true, which is no number"),
        ("{minutes: 1, scenario: single, evaluation: {seeds: yes}}", "evaluation: seeds is true, which is no number"),
        ("{minutes: 1, scenario: single, reward: {queue: true}}", "reward.queue is true, which is no number"),
        ("{minutes: 1, scenario: single, demand_scale: [no, 1]}", "demand_scale.0 is false, which is no number"),
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


def test_unknown_name_is_answered_with_all_names_each_once():
    with pytest.raises(InputError, match="xyzzy") as caught:
        read_recipe("xyzzy")
    assert re.findall(r"\bsingle\b", str(caught.value)) == ["single"]


@pytest.mark.parametrize("name", ["single", "town"])
def test_scenario_is_trained_on_itself_also_where_a_recipe_is_called_the_same(name):
    recipe = read_recipe(name, steps=100)
    assert (recipe.scenario, recipe.minutes, recipe.steps) == (name, None, 100)
    assert recipe.ppo == read_recipe("grid4x4").ppo


def test_judged_scenarios_of_one_name_are_refused(tmp_path):
    """Their figures would stand under one name."""
    places = [tmp_path / "a", tmp_path / "b"]
    for place in places:
        place.mkdir()
    judged = [str(write_scenario(place, "net")) for place in places]
    recipe = write_recipe(write_scenario(tmp_path), evaluation={"scenarios": judged, "seeds": 1})
    with pytest.raises(
        InputError, match=r"evaluation\.scenarios: .*a/net\.yaml and .*b/net\.yaml are both called"
    ) as caught:
        prepare(str(recipe), out=tmp_path / "run")
    assert str(caught.value).endswith("rename one")


@pytest.mark.parametrize(("algorithm", "other"), [("ppo", "dqn"), ("dqn", "ppo")])
def test_settings_of_another_algorithm_are_told(algorithm, other, recipe_with, tmp_path, caplog):
    told = f"{other}: not read: the recipe trains with {algorithm}"
    unused = recipe_with(f"algorithm: {algorithm}", f"{other}: {{gamma: 0.5}}", without=["algorithm", "ppo", "dqn"])
    prepare(unused, out=tmp_path / "one")
    assert told in caplog.text
    caplog.clear()
    prepare(recipe_with(f"algorithm: {algorithm}", without=["algorithm", "ppo", "dqn"]), out=tmp_path / "other")
    assert told not in caplog.text
