"""Refining: a trained policy tries every choice at moments of its own traffic, and learns what it should have done.

A learner that is only told its reward has to guess which of its choices earned it. Where the simulation can be copied
nobody has to: each choice is tried, with the same drivers and the same trips to come (`looking_ahead.py`), and the
policy is moved towards the choices that lose less time:

    gain_c   = what choice c saves against the one that the policy thinks best, for everybody nearby
    loss     = - mean over moments of sum of p_c gain_c            slopes by the scores: p (sum of p gain - gain)

What is known of the trips to come is the same for all choices and is not seen by the policy, which learns the mean over
all that may come. The next round looks ahead with what came of the last: policy iteration by rollouts. A round learns
from a sample, and each policy on the way has locks of its own; the mean of their weights has fewer (`averaging.py`).

References
----------
Bertsekas (2021), "Multiagent reinforcement learning: rollout and policy iteration", IEEE/CAA Journal of Automatica
Sinica 8(2): one agent's choice at a time. Schulman et al. (2015), "Trust region policy optimization", ICML, section
5.2: the "vine", several choices from the same state with common random numbers. Ciosek and Whiteson (2018), "Expected
policy gradients", AAAI: the sum over all choices in place of the one that was drawn.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import POLICY, RECIPE, write_log, write_run
from intergreen.agents.learning.averaging import WeightAverage
from intergreen.agents.learning.train import SEEDS_APART, compile_env, judge_baselines, training_env, trials_of
from intergreen.agents.learning.trials import Verdict
from intergreen.agents.progress import before_work
from intergreen.envs.files import write_text

if TYPE_CHECKING:
    from torch import Tensor

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.actor_steps import ActorSteps
    from intergreen.agents.learning.moments import Moments
    from intergreen.agents.learning.refinement import Refinement
    from intergreen.agents.learning.trials import Trials
    from intergreen.agents.progress import Progress
    from intergreen.envs.observation import Blocks

EPOCHS, BATCH, RATE = 4, 512, 5e-4  # over the moments of a round; the rate falls to 0 in each
MOST = 5.0  # a gain counts as so much at most, and a loss: a single lock is no reason to forget the rest
HELD_OUT = 10  # one moment in so many, the last ones, is not learned from and tells what was gained


class Gained(NamedTuple):
    """What a round has brought, on moments that it has not learned from."""

    gain: float  # decisions' worth of delay that the new best choices save against the former ones, each alone
    agreement: float  # share in which both are the same


def refine(refinement: Refinement, *, progress: Progress | None = None) -> Path:
    """Look ahead and learn, round by round; returns the run's folder, which holds the policy after every round.

    Raises
    ------
    FloatingPointError
        If a weight is no number.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in `train.py`
    import torch

    training = refinement.training
    recipe, rounds = training.recipe, refinement.rounds
    threads = min(recipe.threads, os.cpu_count() or 1)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    if progress is not None and recipe.evaluation.worlds:
        progress(0.0, "making networks to evaluate on")
    trials = trials_of(training, threads)
    try:
        judge_baselines(training, trials, progress)
        policy, rows = refinement.policy.network, []
        mean = WeightAverage(0.0)
        mean.add(policy)
        start = _judged(refinement, trials, policy)
        for number in range(rounds):

            def tell(share: float, words: str, *, number: int = number) -> None:
                if progress is not None:
                    progress((number + share) / rounds, f"round {number + 1} of {rounds}, {words}")

            policy, row = _round(refinement, policy, number, threads, tell)
            mean.add(policy)
            written = mean.network() if refinement.average else policy
            last = _judged(refinement, trials, written)
            rows.append(row | _told(last))
            _write(refinement, written, rows, start, last)
    finally:
        trials.close()
    return training.folder


def _round(
    refinement: Refinement, policy: PolicyNetwork, number: int, threads: int, tell: Progress
) -> tuple[PolicyNetwork, dict[str, Any]]:
    """What the policy becomes in this round, and a row that says how. Generated networks are others in every round."""
    from intergreen.agents.learning.actor_steps import ActorSteps
    from intergreen.agents.learning.model import not_finite
    from intergreen.agents.learning.moments import Traffic
    from intergreen.agents.learning.student import loaded

    training = refinement.training
    seed = training.recipe.seed + number
    recipe = training.recipe.model_copy(update={"seed": seed})
    env = training_env(recipe, training.scenario, threads=threads, progress=before_work(tell))
    try:
        compile_env(env)
        began = time.perf_counter()
        env.seed(seed * SEEDS_APART)
        network = loaded(policy, env.blocks)
        traffic = Traffic(env, network, look_ahead_s=refinement.look_ahead_s, seed=seed)
        count = max(refinement.moments, HELD_OUT)
        moments = traffic.moments(count, lambda share: tell(share, "looking ahead"))
        actor = ActorSteps(network, max_grad_norm=training.recipe.ppo.max_grad_norm)
        gained = learn_from(moments, actor, env.blocks)
        minutes = (time.perf_counter() - began) / 60.0
    finally:
        env.close()
    if not actor.is_finite:
        raise FloatingPointError(not_finite("weights", len(moments.gain)))
    measured = {name: float(f"{value:.6g}") for name, value in gained._asdict().items()}
    return actor.policy(), {
        "round": number + 1,
        "minutes": round(minutes, 4),
        "moments": len(moments.gain),
        **measured,
    }


def learn_from(moments: Moments, actor: ActorSteps, blocks: Blocks) -> Gained:
    """One round's learning; what it has brought."""
    import torch

    from intergreen.agents.learning.passes import prepare_inputs, room_for_inputs

    seen, gain = torch.from_numpy(moments.observation), torch.from_numpy(moments.gain).clamp(-MOST, MOST)
    inputs = room_for_inputs(len(seen), blocks, seen)
    prepare_inputs(seen, blocks, inputs)
    learned = len(seen) - len(seen) // HELD_OUT
    held_out = torch.arange(learned, len(seen))
    former = actor.scores(inputs, held_out).argmax(dim=1)
    batches = [part for _ in range(EPOCHS) for part in torch.split(torch.randperm(learned), BATCH)]
    for step, chosen in enumerate(batches):
        rate = RATE * (1.0 - step / len(batches))
        actor.learn(inputs, chosen, lambda scores, some: slopes(scores, gain[some]), rate=rate)
    best = actor.scores(inputs, held_out).argmax(dim=1)
    saved = gain[held_out].gather(1, best[:, None]).mean()
    return Gained(float(saved), float((best == former).double().mean()))


def slopes(scores: Tensor, gain: Tensor) -> Tensor:
    """(n, C) slopes by the scores (n, C) of what is lost where choices are drawn by them; gain (n, C)."""
    import torch

    probability = torch.softmax(scores, dim=1)
    expected = (probability * gain).sum(dim=1, keepdim=True)
    return probability * (expected - gain)


def _judged(refinement: Refinement, trials: Trials, policy: PolicyNetwork) -> dict[str, Any]:
    """What the policy reaches on the evaluation's trips."""
    max_pressure = Verdict(refinement.training.run["evaluation"]["baselines"]["max-pressure"])
    controller = PolicyController("policy", policy, refinement.training.recipe.features)
    return trials.of(controller).beside(max_pressure)


def _told(judged: dict[str, Any]) -> dict[str, float]:
    """The columns of a row for what the policy reaches."""
    return {
        "evaluation_travel_time_s": round(judged["average_travel_time_s"], 2),
        "evaluation_share_of_max_pressure": round(judged["share_of_max_pressure"], 4),
    }


def _write(
    refinement: Refinement,
    policy: PolicyNetwork,
    rows: list[dict[str, Any]],
    start: dict[str, Any],
    last: dict[str, Any],
) -> None:
    """All files of the run after a round; last the one that makes the folder a run."""
    training = refinement.training
    used = {
        "moments": sum(row["moments"] for row in rows),
        "minutes": round(sum(row["minutes"] for row in rows), 4),
    }
    outcome = {
        "finished": len(rows) == refinement.rounds,
        **used,
        "start": start,
        "last": {"file": POLICY, **used, "evaluation": last},
        "best": None,
    }
    recipe = yaml.safe_dump(training.recipe.model_dump(mode="json"), sort_keys=False)
    write_text(training.folder / RECIPE, recipe)
    write_network(training.folder / POLICY, policy)
    write_log(training.folder, rows)
    write_run(training.folder, training.run | {"outcome": outcome})
