"""That the seconds which are shared out are those of the same work; how many they are is no test's business."""

import json

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.evaluation import policy_speed
from intergreen.agents.evaluation.policy_speed import (
    COLUMNS,
    decisions_in_episode,
    engine_s,
    learn_an_episode,
    make_learner,
    random_episode_s,
)
from intergreen.agents.learning.recipe import make_recipe, read_recipe
from intergreen.envs.scenario import load_scenario

HORIZON_S = 60
RECIPE = {"scenario": "single", "steps": 1, "replicas": 2, "width": 8, "ppo": {"n_steps": 4, "n_epochs": 1}}


@pytest.fixture(scope="module")
def learner():
    recipe = make_recipe("test", RECIPE)
    model = make_learner(recipe, load_scenario("single"), threads=1, horizon_s=HORIZON_S)
    yield model, model.get_env()
    model.get_env().close()


def test_engine_is_timed_on_the_very_traffic_of_the_environment(learner):
    _, env = learner
    actions = [np.full(env.num_envs, k % env.blocks.choices) for k in range(decisions_in_episode(env) - 1)]
    env.seed(policy_speed.SEED)
    env.reset()
    for action in actions:
        env.step(action)
    (world,) = env.worlds
    with_senses = world.core.totals()
    assert engine_s(env, actions) > 0.0
    alone = world.core.totals()
    assert with_senses.vehicle_updates.sum() > 0
    assert np.array_equal(alone.vehicle_updates, with_senses.vehicle_updates)
    assert np.array_equal(alone.sum_travel_time_s, with_senses.sum_travel_time_s)


def test_learner_sees_an_episode_in_whole_rollouts_and_its_environment_is_itself_again(learner):
    model, env = learner
    split = learn_an_episode(model, env, rollout=4)
    assert decisions_in_episode(env) == 6
    assert split.samples == 8 * env.num_envs  # two rollouts of four
    assert 0.0 < split.step_s < split.wall_s
    assert 0.0 < split.engine_s < split.wall_s
    assert "step" not in vars(env)
    assert "reset" not in vars(env)


def test_random_episode_ends_where_the_next_one_begins(learner):
    _, env = learner
    assert random_episode_s(env) > 0.0
    assert env.worlds[0].time_s == 0


def test_command_has_a_row_per_measurement_and_shares_that_make_a_whole(monkeypatch, capsys):
    monkeypatch.setattr(policy_speed, "NETWORKS", ("single", "cityflow/not-there"))
    monkeypatch.setattr(policy_speed, "TORCH_THREADS", (1,))
    assert main(["benchmark", "--environment", "--threads", "1", "--horizon", str(HORIZON_S), "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in rows] == ["single environment", "single environment", "quick PPO, end to end"]
    quick = read_recipe("quick")
    assert [row["copies"] for row in rows] == [8, 16, quick.replicas]
    rollout = 16 * quick.replicas * quick.ppo.n_steps  # signals, copies, decisions
    assert [row["decisions"] for row in rows] == [8 * 6, 16 * 6, rollout]
    for row in rows:
        assert tuple(row) == COLUMNS
        assert row["decisions_per_s"] > 0
    learner = rows[-1]
    assert (learner["threads"], learner["torch_threads"]) == (1, 1)
    shares = [learner[f"{part}_share"] for part in ("engine", "environment", "learner")]
    assert sum(shares) == pytest.approx(1.0, abs=0.002)  # rounded one by one
    assert all(share < 1.0 for share in shares)
