"""How fast the environment and the learner are on this machine: decisions and samples per second of wall time.

A decision is one signal's, every 10 s, with its observation and reward; a sample is a decision that was learned from.
The learner is timed in processes of their own, because the number of PyTorch's threads is settled when it is loaded.
`python -m intergreen.agents.evaluation.policy_speed` is such a process and prints one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.learning.budget import Budget
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import training_env
from intergreen.envs.choices import chosen_phases
from intergreen.envs.errors import InputError
from intergreen.envs.scenario import scenario_names

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.vector_env import TrafficVecEnv

REPEATS = 3
RECIPE = "quick"
PROTOCOL = "literature-10-5"
NETWORKS = ("grid4x4", "cityflow/hangzhou_4x4")  # the second where it is there
COPIES = (8, 16)
TORCH_THREADS = (1, 2)
SEED = 0
COLUMNS = (
    "run",
    "threads",
    "torch_threads",
    "copies",
    "decisions",
    "wall_s",
    "decisions_per_s",
    "engine_share",
    "environment_share",
    "learner_share",
)

Row = dict[str, Any]


class Split(NamedTuple):
    """Wall seconds of one run of a learner: all of it, its environment's steps, and the engine alone.

    The engine's are those of the same actions on the same trips without observations and rewards, run afterwards.
    """

    samples: int
    wall_s: float
    step_s: float
    engine_s: float


def measure_policy_speed(
    *, threads: int | None = None, horizon_s: int | None = None, progress: Progress | None = None
) -> list[Row]:
    """One row per measurement, the median of `REPEATS` runs of an episode each.

    Parameters
    ----------
    threads : over which the copies of the network are spread; None: two where there are two cores
    horizon_s : of the episodes; None: the scenario's, so that light and heavy traffic weigh as in a training

    Raises
    ------
    InputError
        If the learning stack is not installed.
    """
    prepare(RECIPE)  # for its complaints; nothing is written
    threads = threads or min(2, os.cpu_count() or 1)
    rows = []
    measurements = list(_measurements(threads, horizon_s))
    for number, (words, measure) in enumerate(measurements):
        if progress is not None:
            progress(number / len(measurements), words)
        rows.append(measure())
    return rows


def _measurements(threads: int, horizon_s: int | None) -> Iterator[tuple[str, Callable[[], Row]]]:
    for name in NETWORKS:
        if name in scenario_names():
            for copies in COPIES:
                yield name, partial(_environment_row, name, copies, threads, horizon_s)
    for torch_threads in TORCH_THREADS:
        yield f"learning, {torch_threads} torch threads", partial(_learner_row, torch_threads, threads, horizon_s)


def _environment_row(name: str, copies: int, threads: int, horizon_s: int | None) -> Row:
    from intergreen.envs.vector_env import TrafficVecEnv

    env = TrafficVecEnv(name, replicas=copies, threads=threads, protocol=PROTOCOL, horizon_s=horizon_s)
    steps = decisions_in_episode(env)
    wall_s = statistics.median(random_episode_s(env) for _ in range(REPEATS))
    env.close()
    return _row(f"{name} environment", threads, copies, steps * env.num_envs, wall_s)


def _learner_row(torch_threads: int, threads: int, horizon_s: int | None) -> Row:
    """The quick recipe's learner in a process of its own."""
    command = [sys.executable, "-m", "intergreen.agents.evaluation.policy_speed", str(threads), str(horizon_s or 0)]
    variables = {"OMP_NUM_THREADS": str(torch_threads), "MKL_NUM_THREADS": str(torch_threads)}
    # As in a training: threads of PyTorch that wait do not spin.
    variables = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise InputError("benchmark", " ".join(command[1:]), f"ended with status {done.returncode}: {last}", "run it")
    answer = json.loads(done.stdout)
    split = Split(**answer["split"])
    row = _row(f"{RECIPE} PPO, end to end", threads, answer["copies"], split.samples, split.wall_s)
    return row | {"torch_threads": torch_threads} | _shares(split)


def decisions_in_episode(env: TrafficVecEnv) -> int:
    """Steps from a reset to the next one."""
    world = env.worlds[0]
    return -(-world.horizon_s // world.protocol.interval_s)


def random_episode_s(env: TrafficVecEnv, steps: int | None = None) -> float:
    """Wall seconds of an episode of random actions, or of the first `steps` of it; a whole one begins the next."""
    random = np.random.default_rng(SEED)
    actions = random.integers(env.blocks.choices, size=(steps or decisions_in_episode(env), env.num_envs))
    env.reset()
    env.step(actions[0])  # compiled before it is timed
    env.seed(SEED)
    env.reset()
    began = time.perf_counter()
    for action in actions:
        env.step(action)
    return time.perf_counter() - began


@dataclass(slots=True)
class StepClock:
    """Stands before the steps of an environment: times them and keeps their actions."""

    env: TrafficVecEnv
    step_s: float = 0.0
    reset_s: float = 0.0
    actions: list[IntArray] = field(default_factory=list)

    def reset(self) -> Any:
        began = time.perf_counter()
        observation = type(self.env).reset(self.env)
        self.reset_s += time.perf_counter() - began
        return observation

    def step(self, actions: np.ndarray) -> Any:
        self.actions.append(np.array(actions))
        began = time.perf_counter()
        answer = type(self.env).step(self.env, actions)
        self.step_s += time.perf_counter() - began
        return answer


def make_learner(recipe: Recipe, scenario: Scenario, *, threads: int, horizon_s: int | None) -> BaseAlgorithm:
    """The recipe's learner on its environment, as a training makes them."""
    from intergreen.agents.learning.model import make_model

    if horizon_s is not None:
        recipe = recipe.model_copy(update={"horizon_s": horizon_s})
    env = training_env(recipe, scenario, threads=threads)
    env.seed(SEED)
    budget = Budget(minutes=recipe.minutes, steps=recipe.steps)
    return make_model(env, recipe, budget)


def learn_an_episode(model: BaseAlgorithm, env: TrafficVecEnv, *, rollout: int) -> Split:
    """Let the learner go through one episode, rounded up to whole rollouts, and share out the seconds.

    Parameters
    ----------
    rollout : decisions of each slot between two updates
    """
    rollouts = -(-decisions_in_episode(env) // rollout)
    clock = StepClock(env)
    env.reset, env.step = clock.reset, clock.step  # type: ignore[method-assign]
    env.seed(SEED)
    began = time.perf_counter()
    model.learn(rollouts * rollout * env.num_envs, log_interval=2**62)
    wall_s = time.perf_counter() - began - clock.reset_s
    del env.reset, env.step
    return Split(model.num_timesteps, wall_s, clock.step_s, engine_s(env, clock.actions))


def engine_s(env: TrafficVecEnv, actions: list[IntArray]) -> float:
    """Wall seconds of the engine and its signals for actions taken from a seeded reset: no observation, no reward."""
    (world,) = env.worlds
    wanted = [chosen_phases(world.plan, action.reshape(world.n_replicas, -1)) for action in actions]
    env.seed(SEED)
    env.reset()
    world.core.run(wanted[0], world.protocol.interval_s)  # compiled before it is timed
    env.seed(SEED)
    env.reset()
    seconds = 0.0
    for phases in wanted:
        began = time.perf_counter()
        world.core.run(phases, world.protocol.interval_s)
        seconds += time.perf_counter() - began
        if world.is_over:
            env.reset()
    return seconds


def learner_split(*, threads: int, horizon_s: int | None = None, repeats: int = REPEATS) -> tuple[Split, int]:
    """The run with the median wall time after one to warm up, and the copies of the network."""
    training = prepare(RECIPE)
    assert training.scenario is not None
    model = make_learner(training.recipe, training.scenario, threads=threads, horizon_s=horizon_s)
    env: Any = model.get_env()
    model.learn(training.recipe.ppo.n_steps * env.num_envs, log_interval=2**62)
    splits = [learn_an_episode(model, env, rollout=training.recipe.ppo.n_steps) for _ in range(repeats)]
    copies = env.worlds[0].n_replicas
    env.close()
    return sorted(splits, key=lambda split: split.wall_s)[len(splits) // 2], copies


def _shares(split: Split) -> Row:
    """Parts of the wall time: the engine, the environment around it, and the rest, which is the learner's."""
    return {
        "engine_share": round(split.engine_s / split.wall_s, 3),
        "environment_share": round((split.step_s - split.engine_s) / split.wall_s, 3),
        "learner_share": round((split.wall_s - split.step_s) / split.wall_s, 3),
    }


def _row(run: str, threads: int, copies: int, decisions: int, wall_s: float) -> Row:
    """A row with every column; what a measurement does not give stays empty."""
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"run": run, "threads": threads, "copies": copies, "decisions": decisions, "wall_s": round(wall_s, 3)}
    return row | {"decisions_per_s": round(decisions / wall_s)}


def _main(threads: int, horizon_s: int) -> None:
    split, copies = learner_split(threads=threads, horizon_s=horizon_s or None)
    print(json.dumps({"split": split._asdict(), "copies": copies}))


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
