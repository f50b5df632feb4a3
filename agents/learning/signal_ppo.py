"""Stable-Baselines3's PPO with its update written out for `SignalPolicy`: the same minibatches, the same numbers up to
rounding, in less than half the time.

Rollouts, schedules, callbacks, the optimiser, saving and loading are Stable-Baselines3's own. What the update does not
know (`target_kl`, `clip_range_vf`, observations of several signals at once) is left to it as well.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.utils import explained_variance
from torch import Tensor
from torch.nn import Parameter

from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.passes import Packed, prepare_inputs, room_for_inputs
from intergreen.agents.learning.policies import SignalPolicy
from intergreen.agents.learning.rollouts import KeptRolloutBuffer
from intergreen.agents.learning.surrogate import Coefficients, Loss, Samples
from intergreen.agents.learning.update import Rollout, Updater


class SignalPPO(PPO):
    """PPO for `SignalPolicy`.

    threads  that share the work of an update; the numbers do not depend on it. One is the default: on two cores beside
        other work a second made updates slower by half
    """

    def __init__(self, *args: Any, threads: int = 1, **kwargs: Any) -> None:
        self.threads = threads
        super().__init__(*args, **{"rollout_buffer_class": KeptRolloutBuffer, **kwargs})

    def train(self) -> None:
        """Update the policy by the rollout that has been gathered."""
        network = self._plain_network()
        if network is None:
            super().train()
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = float(self.clip_range(self._current_progress_remaining))  # type: ignore[operator]
        coefficients = Coefficients(clip_range, self.ent_coef, self.vf_coef)
        with torch.no_grad(), self._others() as others:
            rollout = self._rollout(network)
            packed = Packed(network.served.weight.detach(), network.blocks, network.served.out_features)
            updater = Updater(network.blocks, packed, threads=self.threads, others=others)
            epochs = range(self.n_epochs)
            losses = [self._epoch(list(network.parameters()), packed, updater, rollout, coefficients) for _ in epochs]
        self._n_updates += self.n_epochs
        self._record(losses, coefficients)

    def _update_info_buffer(self, infos: list[dict[str, Any]], dones: np.ndarray | None = None) -> None:
        """The infos of a step that ends no episode hold nothing: no need to look through those of all slots."""
        if dones is None or dones.any():
            super()._update_info_buffer(infos, dones)

    def _plain_network(self) -> SignalNetwork | None:
        """The network whose parameters, all of them and no others, this update knows how to move."""
        policy = self.policy
        if self.target_kl is not None or self.clip_range_vf is not None or type(policy) is not SignalPolicy:
            return None
        if self.device.type != "cpu":
            return None
        return policy.network_of_one_signal if all(p.requires_grad for p in policy.parameters()) else None

    def _others(self) -> Any:
        return ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else nullcontext()

    def _rollout(self, network: SignalNetwork) -> Rollout:
        """What the buffer holds, step by step, all slots of one beside each other."""
        b = self.rollout_buffer
        observations = torch.from_numpy(b.observations).view(-1, network.blocks.size)
        inputs = room_for_inputs(len(observations), network.blocks, observations)
        prepare_inputs(observations, network.blocks, inputs)
        columns = (b.actions, b.log_probs, b.advantages, b.returns)
        actions, *others = (torch.from_numpy(column).reshape(-1, 1) for column in columns)
        return Rollout(inputs, Samples(actions.long(), *others))

    def _epoch(
        self, parameters: list[Parameter], packed: Packed, updater: Updater, rollout: Rollout, k: Coefficients
    ) -> Tensor:
        """Move the weights once for every minibatch; (minibatches, 5) the parts of the loss."""
        losses = []
        for chosen in self._minibatches():
            packed.take(parameters)
            losses.append(updater.compute(rollout, chosen, k, normalize=self.normalize_advantage))
            self._step(parameters, updater.slopes)
        return torch.stack(losses)

    def _minibatches(self) -> list[Tensor]:
        """The very minibatches that the buffer would draw: it counts slot by slot, all steps of one after the other."""
        steps, slots = self.rollout_buffer.buffer_size, self.rollout_buffer.n_envs
        slot, step = np.divmod(np.random.permutation(steps * slots), steps)  # noqa: NPY002
        return list(torch.split(torch.from_numpy(step * slots + slot), self.batch_size))

    def _step(self, parameters: list[Parameter], slopes: Packed) -> None:
        length = torch.linalg.vector_norm(slopes.flat)
        slopes.flat.mul_((self.max_grad_norm / (length + 1e-6)).clamp_(max=1.0))
        slots: list[Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            slots.append(parameter.grad)
        torch._foreach_copy_(slots, slopes.parts)
        self.policy.optimizer.step()

    def _record(self, losses: list[Tensor], k: Coefficients) -> None:
        """What Stable-Baselines3 logs, under its names; of the divergence it takes the last epoch's alone."""
        means = Loss(*torch.cat(losses).mean(dim=0).tolist())._replace(approx_kl=losses[-1][:, -1].mean().item())
        last = Loss(*losses[-1][-1].tolist())
        loss = last.policy_gradient_loss + k.ent_coef * last.entropy_loss + k.vf_coef * last.value_loss
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        told = {**means._asdict(), "loss": loss, "explained_variance": explained, "clip_range": k.clip_range}
        for name, value in told.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
