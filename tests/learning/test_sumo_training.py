"""Training with SUMO as the simulator: the same learner, judged in SUMO as well, and gone on with after a kill."""

import numpy as np
import pytest
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import train
from intergreen.envs.errors import InputError

SHORT = ("simulator: sumo", "steps: 80", "horizon_s: 100", "checkpoint_s: 1.0e-9")


@NEEDS_SUMO
def test_a_policy_learns_in_sumo_and_goes_on_after_a_kill(recipe_with, tmp_path, stated):
    recipe = recipe_with(*SHORT, "evaluation: {seeds: 1, horizon_s: 100}", without=["steps", "evaluation"])
    folder = tmp_path / "run"

    def kill(share, words):
        if share >= 1.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(prepare(recipe, out=folder, steps=80), progress=kill)
    before = read_network(folder / "policy.npz").arrays
    train(prepare(None, resume=folder, steps=160))
    run = stated(folder)
    assert run["outcome"]["finished"]
    assert run["recipe"]["simulator"] == "sumo"
    after = read_network(folder / "policy.npz").arrays
    assert any(not np.array_equal(before[name], after[name]) for name in after)
    assert controller_by_name(str(folder)).name == "run"


def test_generated_worlds_in_sumo_are_refused(recipe_with):
    recipe = recipe_with("simulator: sumo", "worlds: {count: 2}", without=["scenario"])
    with pytest.raises(InputError, match="simulated by native only"):
        prepare(recipe)


def test_an_unknown_simulator_is_refused_with_the_known_ones(recipe_with):
    with pytest.raises(InputError, match="simulator: no simulator is called 'vissim'; use native or sumo"):
        prepare(recipe_with("simulator: vissim"))
