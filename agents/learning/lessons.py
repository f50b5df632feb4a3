"""What a student learns from: its own traffic, where it acts as it is, and what its teachers would have done there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from intergreen.agents.learning.passes import Inputs, prepare_inputs, room_for_inputs
from intergreen.agents.learning.policies import drawn
from intergreen.agents.learning.student import likeness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.learning.rule_teachers import RuleTeacher
    from intergreen.agents.learning.student import Likeness, Student
    from intergreen.envs.vector_env import TrafficVecEnv


class Lessons:
    """Rollouts of a student, one after the other in the same memory; rules have the say in the worlds they teach in.

    decisions  of a rollout, all slots together
    inputs     what was seen, step by step, all slots of one beside each other
    targets    (decisions, C) probabilities
    weights    (decisions, 1) what each counts
    """

    def __init__(self, env: TrafficVecEnv, student: Student, n_steps: int, rules: Sequence[RuleTeacher] = ()) -> None:
        self._env, self._student, self._rules = env, student, rules
        self.decisions = n_steps * env.num_envs
        self.targets = torch.empty(self.decisions, env.blocks.choices)
        self.weights = torch.ones(self.decisions, 1)
        self.inputs = room_for_inputs(self.decisions, env.blocks, self.targets)
        self._seen = env.reset()

    def gather(self) -> Likeness:
        """Let the student act, drawn by its own probabilities; how alike it and the targets choose."""
        scores, slots = torch.empty_like(self.targets), self._env.num_envs
        for begin in range(0, self.decisions, slots):
            now = slice(begin, begin + slots)
            inputs = Inputs(*(column[now] for column in self.inputs))
            prepare_inputs(torch.from_numpy(self._seen), self._env.blocks, inputs)
            scores[now], self.targets[now] = self._student.answer(inputs)
            for rule in self._rules:
                rule.teach(self.targets[now], self.weights[now])
            actions, _ = drawn(scores[now])
            self._env.step_async(actions.numpy())
            self._seen, *_ = self._env.step_wait()
        return likeness(scores, self.targets)
