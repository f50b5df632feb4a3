"""Keeping a training run: when to stop, to evaluate and to write, and the words beside the progress bar.

A callback of Stable-Baselines3. Last and best policy are kept apart, and for both it is stated how they do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import BEST, CHECKPOINT, POLICY, write_run
from intergreen.agents.learning.checkpoint import write_checkpoint
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.trials import Verdict

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.averaging import WeightAverage
    from intergreen.agents.learning.budget import Budget
    from intergreen.agents.learning.log import TrainingLog
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.learning.trials import Trials
    from intergreen.agents.progress import Progress

_ROW_EVERY = 2_000  # decisions between two rows of a learner that updates after every few decisions
_LEFT_OUT = ("n_updates", "clip_range")


class Keeper(BaseCallback):
    """Ends the run when its minutes are over; evaluates and writes when the recipe wants it, and at the end.

    run  the content of `run.json`, in which the outcome is brought up to date
    """

    def __init__(
        self,
        folder: Path,
        run: dict[str, Any],
        recipe: Recipe,
        *,
        budget: Budget,
        trials: Trials,
        log: TrainingLog,
        average: WeightAverage | None,
        progress: Progress | None,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._run = run
        self._recipe = recipe
        self._budget = budget
        self._trials = trials
        self._log = log
        self._average = average
        self._progress = progress
        self._max_pressure = Verdict(run["evaluation"]["baselines"]["max-pressure"])
        outcome = run.get("outcome", {})
        self._best: dict[str, Any] | None = outcome.get("best")
        self._latest: dict[str, Any] | None = outcome.get("last", {}).get("evaluation")
        self._reward_sum, self._rewards = 0.0, 0
        self._travel_time_s: float | None = None
        self._judging_s = 0.0

    def _on_training_start(self) -> None:
        self._row_updates = self._judged_updates = self._averaged_updates = self.model._n_updates
        if self._latest is not None and self._latest["steps"] != self.num_timesteps:
            self._judged_updates = -1  # the run was killed before the policy of its checkpoint was judged
        self._row_steps = self.num_timesteps
        self._budget.steps = self.num_timesteps
        self._judged_at_s = self._saved_at_s = self._budget.used_s
        self._saved = {"steps": self.num_timesteps, "minutes": self._budget.minutes}
        if self._latest is None:
            self.save(finished=False)

    def _on_step(self) -> bool:
        self._budget.steps = self.num_timesteps
        self._reward_sum += float(self.locals["rewards"].sum())
        self._rewards += len(self.locals["rewards"])
        dones = self.locals["dones"]
        if dones.any():
            ended = [self.locals["infos"][slot]["average_travel_time_s"] for slot in np.flatnonzero(dones)]
            self._travel_time_s = float(np.mean(ended))
        if not self._budget.is_out_of_time:
            return True
        # The rollout is given up here, before the learner has taken note of what its last actions led to.
        self.model._last_obs, self.model._last_episode_starts = self.locals["new_obs"], dones
        return False

    def _on_rollout_start(self) -> None:
        self._take_average()
        used_s = self._budget.used_s
        # Where judging takes long, no more time goes into it than into learning.
        pause_s = max(self._recipe.evaluation.every_s, self._judging_s)
        judge = self._is_changed and used_s - self._judged_at_s >= pause_s
        if judge:
            self._evaluate()
        self._add_row(with_evaluation=judge)
        if used_s - self._saved_at_s >= self._recipe.checkpoint_s:
            self.save(finished=False)

    def _on_training_end(self) -> None:
        self._take_average()
        judge = self._is_changed or self._latest is None
        if judge:
            self._evaluate()
        self._add_row(with_evaluation=judge, at_the_end=True)
        self.save(finished=True)

    @property
    def _is_changed(self) -> bool:
        """Has the policy learned since it was last judged?"""
        return bool(self.model._n_updates != self._judged_updates)

    def save(self, *, finished: bool) -> None:
        """Write all files of the run; the checkpoint first, because it is what a resumed run goes by."""
        network = self._policy()
        self._saved_at_s = self._budget.used_s
        self._saved = {"steps": self.num_timesteps, "minutes": self._budget.minutes}
        write_checkpoint(self._folder / CHECKPOINT, self.model, self.training_env, self._budget, self._average)  # type: ignore[arg-type]
        write_network(self._folder / POLICY, network)
        self._log.save()
        self._write_run(finished=finished)

    def _take_average(self) -> None:
        if self._average is not None and self.model._n_updates != self._averaged_updates:
            self._average.add(network_of(self.model))
            self._averaged_updates = self.model._n_updates

    def _policy(self) -> PolicyNetwork:
        """What is judged and written: the learner's network, or the mean of all that it has been."""
        if self._average is None or self._average.count == 0:
            return network_of(self.model)
        return self._average.network()

    def _evaluate(self) -> None:
        """Judge the present policy, and keep it if none was better."""
        network = self._policy()
        steps, minutes, paused_s = self.num_timesteps, self._budget.minutes, self._budget.paused_s
        with self._budget.paused():
            verdict = self._trials.of(PolicyController("policy", network, self._recipe.features))
        self._judged_updates, self._judged_at_s = self.model._n_updates, self._budget.used_s
        self._judging_s = self._budget.paused_s - paused_s
        self._latest = {"steps": steps, "minutes": minutes, **verdict.beside(self._max_pressure)}
        if self._best is None or self._latest["share_of_max_pressure"] < self._best["share_of_max_pressure"]:
            self._best = self._latest
            write_network(self._folder / BEST, network)
            self._write_run(finished=False)

    def _write_run(self, *, finished: bool) -> None:
        self._run["outcome"] = {
            "finished": finished,
            **self._saved,
            "evaluation_minutes": round(self._budget.paused_s / 60.0, 4),
            "last_training_travel_time_s": self._travel_time_s,
            "last": {"file": POLICY, **self._saved, "evaluation": self._latest},
            "best": None if self._best is None else {"file": BEST, **self._best},
        }
        write_run(self._folder, self._run)

    def _add_row(self, *, with_evaluation: bool, at_the_end: bool = False) -> None:
        """One row for what has been learned since the last one."""
        updated = self.model._n_updates != self._row_updates
        due = isinstance(self.model, OnPolicyAlgorithm) or self.num_timesteps - self._row_steps >= _ROW_EVERY
        if with_evaluation or (updated and (due or at_the_end)):
            network_of(self.model)  # for its complaint
            self._log.add(self._row(with_evaluation=with_evaluation))
            self._row_updates, self._row_steps = self.model._n_updates, self.num_timesteps
            self._reward_sum, self._rewards = 0.0, 0
            self.logger.name_to_value.clear()
            if self._progress is not None:
                self._progress(self._budget.share, self._words())

    def _row(self, *, with_evaluation: bool) -> dict[str, float]:
        row: dict[str, float] = {"steps": self.num_timesteps, "minutes": self._budget.minutes}
        if self._rewards:
            row["mean_reward"] = round(self._reward_sum / self._rewards, 5)
        if self._travel_time_s is not None:
            row["training_travel_time_s"] = round(self._travel_time_s, 2)
        if with_evaluation and self._latest is not None:
            row["evaluation_travel_time_s"] = round(self._latest["average_travel_time_s"], 2)
            row["evaluation_share_of_max_pressure"] = round(self._latest["share_of_max_pressure"], 4)
        for name, value in self.logger.name_to_value.items():
            short = name.rpartition("/")[2]
            if short not in _LEFT_OUT:
                row[short] = float(f"{float(value):.6g}")
        return row

    def _words(self) -> str:
        baseline = f"max-pressure {self._max_pressure.mean_s:.0f}"
        if self._latest is None or self._best is None:
            return f"{self.num_timesteps:,} decisions, {baseline} s"
        now, best = self._latest["average_travel_time_s"], self._best["average_travel_time_s"]
        return f"{self.num_timesteps:,} decisions, travel time {now:.0f} s, {baseline}, best {best:.0f}"
