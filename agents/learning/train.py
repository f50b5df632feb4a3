"""A training run from recipe to folder: a learner of Stable-Baselines3, one policy for all signals of all copies.

`prepare.py` has checked everything that a person could have got wrong; this works for minutes. The minutes of a recipe
are those of training: compiling, the baselines' runs and the evaluations are not counted, but written beside them.

A run that was killed goes on from its last checkpoint. With PPO and a budget in steps alone it ends, on the same
machine and number of threads, at the very weights of a run that was never stopped. A budget in minutes has no such end:
how many decisions fit into them depends on what else the machine does; on grid4x4 two runs, one of them killed halfway
and twice as slow, ended within 2 % of travel time. DQN forgets what it had gathered to learn from, and gathers anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.run_folder import CHECKPOINT, RECIPE
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.agents.progress import before_work
from intergreen.envs.files import write_text

if TYPE_CHECKING:
    from intergreen.agents.learning.prepare import Training
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.episodes import Episodes
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.vector_env import TrafficVecEnv

BASELINES = ("max-pressure", "advanced-max-pressure")
SLOTS = 128  # signals of all copies together, where the recipe does not say how many copies
_NEVER = 2**62
_ENDLESS = 2**40  # decisions
SEEDS_APART = 10_000  # training seeds this far apart share no stream of traffic
_WORLDS_HORIZON_S = 1800


def train(training: Training, *, progress: Progress | None = None) -> Path:
    """Train until the budget is used up; returns the run's folder.

    Raises
    ------
    FloatingPointError
        If a reward or a weight is no number; what has been written until then stays.
    """
    # Idle threads of PyTorch otherwise spin: on two cores beside other work, that made training forty times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from intergreen.agents.learning.averaging import WeightAverage
    from intergreen.agents.learning.budget import Budget
    from intergreen.agents.learning.checkpoint import load_checkpoint
    from intergreen.agents.learning.keeper import Keeper
    from intergreen.agents.learning.log import TrainingLog
    from intergreen.agents.learning.model import adjustments, make_model, not_finite

    recipe, folder = training.recipe, training.folder
    threads = min(recipe.threads, os.cpu_count() or 1)
    torch.set_num_threads(1)  # batches are small: a second thread waits for the first, and for the simulation
    env = training_env(recipe, training.scenario, threads=threads, progress=before_work(progress))
    compile_env(env)
    if progress is not None and recipe.evaluation.worlds:
        progress(0.0, "making networks to evaluate on")
    trials = trials_of(training, threads)
    judge_baselines(training, trials, progress)
    budget = Budget(minutes=recipe.minutes, steps=recipe.steps)
    model = make_model(env, recipe, budget, None if training.start is None else training.start.network)
    average = None if recipe.averaging is None else WeightAverage(recipe.averaging)
    env.seed(recipe.seed * SEEDS_APART)
    if training.resumed:
        load_checkpoint(folder / CHECKPOINT, model, env, budget, average)
    else:
        budget.start()
    write_text(folder / RECIPE, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    log = TrainingLog(folder, steps=model.num_timesteps)
    keeper = Keeper(
        folder, training.run, recipe, budget=budget, trials=trials, log=log, average=average, progress=progress
    )
    callbacks = [keeper, *adjustments(env, recipe, budget, model)]  # the keeper first: it sees rewards as they are told
    left = max((recipe.steps or _ENDLESS) - model.num_timesteps, 0)
    try:
        model.learn(left, callback=callbacks, log_interval=_NEVER, reset_num_timesteps=False)
    except (ValueError, RuntimeError) as error:
        # PyTorch's words where it shall draw from scores that are no numbers
        if "invalid values" not in str(error) and "probability tensor" not in str(error):
            raise
        raise FloatingPointError(not_finite("scores", model.num_timesteps)) from None
    finally:
        log.close()
        trials.close()
        env.close()
    return folder


def training_env(
    recipe: Recipe, scenario: Scenario | None, *, threads: int, progress: Progress | None = None
) -> TrafficVecEnv:
    """What the recipe trains on: copies of the scenario, or generated networks where it is None."""
    from intergreen.envs.vector_env import TrafficVecEnv

    if scenario is None:
        return TrafficVecEnv(_worlds(recipe, threads, progress), threads=threads)
    return TrafficVecEnv(
        scenario,
        replicas=recipe.replicas or -(-SLOTS // len(scenario.network.signalled)),
        threads=threads,
        protocol=recipe.protocol,
        horizon_s=recipe.horizon_s,
        features=recipe.features,
        reward=recipe.reward,
        neighbour_share=recipe.neighbour_share,
        demand_scale=recipe.demand_scale,
        end_locked=recipe.end_locked,
        faults=recipe.faults or (),
        simulator=recipe.simulator,
    )


def _worlds(recipe: Recipe, threads: int, progress: Progress | None) -> list[Episodes]:
    from intergreen.agents.learning.worlds import make_worlds

    assert recipe.worlds is not None
    return make_worlds(
        recipe.worlds.count,
        recipe.seed,
        features=recipe.features,
        reward=recipe.reward,
        neighbour_share=recipe.neighbour_share,
        horizon_s=recipe.horizon_s or _WORLDS_HORIZON_S,
        protocols=recipe.worlds.protocols,
        faults=recipe.faults or (),
        failing=recipe.worlds.failing,
        levels=recipe.worlds.levels,
        end_locked=recipe.end_locked,
        junctions=recipe.worlds.junctions,
        from_sumo=recipe.worlds.from_sumo,
        decision_s=recipe.ppo.decision_s,
        threads=threads,
        progress=progress,
    )


def compile_env(env: TrafficVecEnv) -> None:
    """One decision that is forgotten, so that compiling is not counted as training."""
    import numpy as np

    env.seed(0)
    env.reset()
    env.step(np.zeros(env.num_envs, dtype=np.int32))


def trials_of(training: Training, threads: int) -> Trials:
    """What the recipe judges policies by."""
    recipe, settings = training.recipe, training.recipe.evaluation
    subjects = [Subject(one.name, one, recipe.protocol or one.default_protocol) for one in training.judged]
    if settings.worlds:
        subjects += _unseen_worlds(recipe, threads)
    return Trials(
        subjects,
        seeds=settings.seeds,
        horizon_s=settings.horizon_s,
        threads=threads,
        simulator=recipe.simulator,
        faults=recipe.faults or (),
    )


def _unseen_worlds(recipe: Recipe, threads: int) -> list[Subject]:
    """The same for every training with that horizon, these protocols and that share from SUMO, whatever its seed."""
    from intergreen.agents.learning.worlds import PROTOCOLS, UNSEEN_SEED, draw_worlds

    trained = recipe.worlds
    worlds = draw_worlds(
        recipe.evaluation.worlds,
        UNSEEN_SEED,
        PROTOCOLS if trained is None else trained.protocols,
        "delay",
        recipe.horizon_s or _WORLDS_HORIZON_S,
        threads,
        from_sumo=0.0 if trained is None else trained.from_sumo,
    )
    return [Subject(f"world {k}", world.scenario, world.protocol, world.level) for k, world in enumerate(worlds)]


def judge_baselines(training: Training, trials: Trials, progress: Progress | None) -> None:
    """Once, before the clock runs: what the policy is to beat, on the very trips that it is judged on."""
    stated = training.run["evaluation"]
    for name in BASELINES if "baselines" not in stated else ():
        if progress is not None:
            progress(0.0, f"{name} on the evaluation's trips")
        stated.setdefault("baselines", {})[name] = trials.of(controller_by_name(name)).travel_time_s
