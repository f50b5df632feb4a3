"""Distillation: one policy that chooses as the mean of several does, learned on its own traffic.

A learner of its own locks the traffic of some network by chance; the mean of several does so less often, but costs as
many networks at each decision. The student acts, drawn by its own probabilities, so that it sees where its own mistakes
lead; what it learns there is what the teachers' mean would do, and no reward. Where a rule does better than that mean,
it may teach in its place (`rule_teachers.py`).

References
----------
Rusu et al. (2016), "Policy distillation", ICLR; Ross et al. (2011), "A reduction of imitation learning and structured
prediction to no-regret online learning", AISTATS: learning on the student's own states.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import POLICY, RECIPE, write_log, write_run
from intergreen.agents.learning.teachers import MeanPolicy
from intergreen.agents.learning.train import SEEDS_APART, compile_env, judge_baselines, training_env, trials_of
from intergreen.agents.learning.trials import Verdict
from intergreen.agents.progress import before_work
from intergreen.envs.files import write_text

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.budget import Budget
    from intergreen.agents.learning.lessons import Lessons
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.learning.rule_teachers import RuleTeacher
    from intergreen.agents.learning.student import Likeness, Student
    from intergreen.agents.learning.teachers import Distillation
    from intergreen.agents.learning.trials import Trials
    from intergreen.agents.progress import Progress
    from intergreen.envs.vector_env import TrafficVecEnv

EPOCHS = 2  # over each rollout


def distil(distillation: Distillation, *, progress: Progress | None = None) -> Path:
    """Teach until the decisions are used up; returns the run's folder.

    Raises
    ------
    FloatingPointError
        If a weight is no number.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in `train.py`
    import torch

    training = distillation.training
    recipe = training.recipe
    threads = min(recipe.threads, os.cpu_count() or 1)
    torch.set_num_threads(1)
    env = training_env(recipe, training.scenario, threads=threads, progress=before_work(progress))
    trials = trials_of(training, threads)
    try:
        compile_env(env)
        judge_baselines(training, trials, progress)
        rules = _rules(distillation, env, progress) if distillation.rules else []
        policy, rows, budget = _teach(distillation, env, rules, progress)
        judged = _judge(distillation, trials, policy, budget)
    finally:
        trials.close()
        env.close()
    rows[-1] |= {
        "evaluation_travel_time_s": round(judged["policy"]["average_travel_time_s"], 2),
        "evaluation_share_of_max_pressure": round(judged["policy"]["share_of_max_pressure"], 4),
    }
    _write(distillation, policy, rows, judged)
    return training.folder


def _rules(distillation: Distillation, env: TrafficVecEnv, progress: Progress | None) -> list[RuleTeacher]:
    """Who teaches in the teachers' place, and where; the run tells of it."""
    from intergreen.agents.learning.rule_teachers import rule_teachers

    def tell(share: float) -> None:
        if progress is not None:
            progress(0.0, f"trying rules, {share:.0%}")

    mean = MeanPolicy([one.network for one in distillation.teachers])
    policy = PolicyController("mean", mean, distillation.training.recipe.features)
    rules = rule_teachers(env.worlds, policy, tell)
    distillation.training.run["rules"] = {
        "worlds": len(env.worlds),
        "taught_in": len(rules),
        "shares": [round(one.share, 3) for one in rules],
    }
    return rules


def _teach(
    distillation: Distillation, env: TrafficVecEnv, rules: list[RuleTeacher], progress: Progress | None
) -> tuple[PolicyNetwork, list[dict[str, Any]], Budget]:
    """The student at the end; a row for each rollout, and one for the policy at the end; what was used up."""
    from intergreen.agents.learning.averaging import WeightAverage
    from intergreen.agents.learning.budget import Budget
    from intergreen.agents.learning.lessons import Lessons
    from intergreen.agents.learning.model import not_finite

    recipe = distillation.training.recipe
    assert recipe.steps is not None
    student = new_student(distillation, env)
    average = None if recipe.averaging is None else WeightAverage(recipe.averaging)
    env.seed(recipe.seed * SEEDS_APART)
    lessons = Lessons(env, student, recipe.ppo.n_steps, rules)
    budget = Budget(minutes=None, steps=recipe.steps)
    budget.start()
    rows: list[dict[str, Any]] = []
    while budget.steps < recipe.steps:
        found = lessons.gather()
        rows.append(_row(budget, found))
        if progress is not None:
            progress(budget.share, f"{budget.steps:,} decisions, agreement {found.agreement:.3f}")
        _learn(student, lessons, recipe, budget)
        budget.steps += lessons.decisions
        if not student.actor.is_finite:
            raise FloatingPointError(not_finite("weights", budget.steps))
        if average is not None:
            average.add(student.actor.policy())
    policy = student.actor.policy() if average is None else average.network()
    with budget.paused():
        student.actor.become(policy)
        found = lessons.gather()
    rows.append(_row(budget, found))
    return policy, rows, budget


def new_student(distillation: Distillation, env: TrafficVecEnv) -> Student:
    """With the weights of the first teacher where it is as wide, else with random ones."""
    import torch

    from intergreen.agents.learning.network import SignalNetwork
    from intergreen.agents.learning.student import Student
    from intergreen.agents.learning.update import warm_up

    recipe = distillation.training.recipe
    torch.manual_seed(recipe.seed)
    network = SignalNetwork(env.blocks, width=recipe.width)
    warm_up(network)
    teachers = [one.network for one in distillation.teachers]
    student = Student(network, teachers, max_grad_norm=recipe.ppo.max_grad_norm)
    if teachers[0].width == recipe.width:
        student.actor.become(teachers[0])
    return student


def _learn(student: Student, lessons: Lessons, recipe: Recipe, budget: Budget) -> None:
    import torch

    size = -(-lessons.decisions // recipe.ppo.minibatches)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(lessons.decisions), size):
            student.learn(
                lessons.inputs, lessons.targets, lessons.weights, chosen, rate=budget.falling(recipe.ppo.learning_rate)
            )


def _row(budget: Budget, found: Likeness) -> dict[str, Any]:
    measured = {name: float(f"{value:.6g}") for name, value in found._asdict().items()}
    return {"steps": budget.steps, "minutes": budget.minutes, **measured}


def _judge(distillation: Distillation, trials: Trials, policy: PolicyNetwork, budget: Budget) -> dict[str, Any]:
    """What the policy, and the teachers' mean, reach on the evaluation's trips."""
    run, features = distillation.training.run, distillation.training.recipe.features
    max_pressure = Verdict(run["evaluation"]["baselines"]["max-pressure"])
    mean = MeanPolicy([one.network for one in distillation.teachers])
    when = {"steps": budget.steps, "minutes": budget.minutes}
    with budget.paused():
        return {
            "policy": when | trials.of(PolicyController("policy", policy, features)).beside(max_pressure),
            "mean of teachers": trials.of(PolicyController("mean", mean, features)).beside(max_pressure),
        }


def _write(distillation: Distillation, policy: PolicyNetwork, rows: list[dict[str, Any]], judged: Any) -> None:
    """All files of the run; last the one that makes the folder a run."""
    training = distillation.training
    when = {name: judged["policy"][name] for name in ("steps", "minutes")}
    likeness = ("cross_entropy", "divergence", "agreement")
    outcome = {
        "finished": True,
        **when,
        "first_likeness": {name: rows[0][name] for name in likeness},
        "last_likeness": {name: rows[-1][name] for name in likeness},
        "mean_of_teachers": judged["mean of teachers"],
        "last": {"file": POLICY, **when, "evaluation": judged["policy"]},
        "best": None,
    }
    recipe = yaml.safe_dump(training.recipe.model_dump(mode="json"), sort_keys=False)
    write_text(training.folder / RECIPE, recipe)
    write_network(training.folder / POLICY, policy)
    write_log(training.folder, rows)
    write_run(training.folder, training.run | {"outcome": outcome})
