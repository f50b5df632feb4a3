"""What the network's passes do between their matrix products, each stretch compiled to one loop over signals (Numba).

Shapes: N signals, M movements, C choices, W the width. Arrays come first that are written. Sums may be reordered for
vector instructions, always in the same way.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numba import njit

from intergreen.agents.controllers.ties import FORBIDDEN

_kernel = njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract", "reassoc", "nsz"})


@_kernel
def lay_out(movements, serves, choices, share, signal, observation, logarithms):  # type: ignore[no-untyped-def]
    """Write `Inputs` from observations (N, size) and the logarithms (N, M f) of their first block."""
    n_movements, f = movements.shape[1], (movements.shape[2] - 1) // 2
    n_choices = choices.shape[1]
    one = observation.dtype.type(1.0)
    for n in range(len(observation)):
        row = observation[n]
        for m in range(n_movements):
            for k in range(f):
                movements[n, m, k] = row[m * f + k]
                movements[n, m, f + k] = logarithms[n, m * f + k]
            movements[n, m, 2 * f] = one
            serves[n, n_choices, m] = row[m * f]
        at = n_movements * f
        total = observation.dtype.type(0.0)
        for c in range(n_choices):
            choices[n, c, 0], choices[n, c, 1] = row[at + 2 * c], row[at + 2 * c + 1]
            total += row[at + 2 * c + 1]
        total = max(total, one)
        for c in range(n_choices):
            share[n, c] = row[at + 2 * c + 1] / total
        at += 2 * n_choices
        for k in range(signal.shape[1] - 1):
            signal[n, k] = row[at + k]
        signal[n, signal.shape[1] - 1] = one
        at += signal.shape[1] - 1
        for c in range(n_choices):
            for m in range(n_movements):
                serves[n, c, m] = row[at + c * n_movements + m]


@_kernel
def sum_up(hidden, served, state, serves, signal):  # type: ignore[no-untyped-def]
    """Relu of hidden (N, M, W) in place; its sums to served (N, C, W) and, over all, to state (N, 2 W + s + 1)."""
    n_movements, width = hidden.shape[1], hidden.shape[2]
    n_choices = served.shape[1]
    zero = hidden.dtype.type(0.0)
    for n in range(len(hidden)):
        for c in range(n_choices):
            for j in range(width):
                served[n, c, j] = zero
        for j in range(width):
            state[n, width + j] = zero
        for m in range(n_movements):
            exists = serves[n, n_choices, m]
            for j in range(width):
                hidden[n, m, j] = max(hidden[n, m, j], zero)
                state[n, width + j] += exists * hidden[n, m, j]
            for c in range(n_choices):
                weight = serves[n, c, m]
                if weight != zero:  # few are served by a choice
                    for j in range(width):
                        served[n, c, j] += weight * hidden[n, m, j]
        for k in range(signal.shape[1]):
            state[n, 2 * width + k] = signal[n, k]


@_kernel
def choose(phases, mean, context, choices, of_choice, share):  # type: ignore[no-untyped-def]
    """Finish phases (N, C, W) in place by flags (their weights (2, W)), context (N, W), relu; mean (N, W + 1)."""
    width = phases.shape[2]
    zero = phases.dtype.type(0.0)
    for n in range(len(phases)):
        for j in range(width):
            mean[n, j] = zero
        mean[n, width] = phases.dtype.type(1.0)
        for c in range(phases.shape[1]):
            current, allowed, part = choices[n, c, 0], choices[n, c, 1], share[n, c]
            for j in range(width):
                value = phases[n, c, j] + context[n, j] + current * of_choice[0, j] + allowed * of_choice[1, j]
                value = max(value, zero)
                phases[n, c, j] = value
                mean[n, j] += part * value


@_kernel
def contend(contest, state, scores, others, share, of_score):  # type: ignore[no-untyped-def]
    """Finish contest (N, C, W) in place by others (N, W) and relu; its mean to state, its scores (N, C).

    of_score  (W + 1,) weights, and last the bias
    """
    width = contest.shape[2]
    zero = contest.dtype.type(0.0)
    for n in range(len(contest)):
        for j in range(width):
            state[n, j] = zero
        for c in range(contest.shape[1]):
            part, score = share[n, c], of_score[width]
            for j in range(width):
                value = max(contest[n, c, j] + others[n, j], zero)
                contest[n, c, j] = value
                state[n, j] += part * value
                score += of_score[j] * value
            scores[n, c] = score if part != zero else FORBIDDEN


@_kernel
def value(outlook, values, of_value):  # type: ignore[no-untyped-def]
    """Relu of outlook (N, W) in place; values (N,) by their weights and bias (W + 1,)."""
    zero = outlook.dtype.type(0.0)
    for n in range(len(outlook)):
        total = of_value[outlook.shape[1]]
        for j in range(outlook.shape[1]):
            outlook[n, j] = max(outlook[n, j], zero)
            total += of_value[j] * outlook[n, j]
        values[n] = total


@_kernel
def unvalue(of_outlook, of_weight, of_values, outlook, weight):  # type: ignore[no-untyped-def]
    """Slopes before the relu of outlook (N, W), of the value's weights and bias (W + 1,)."""
    zero = outlook.dtype.type(0.0)
    of_weight[:] = zero
    for n in range(len(outlook)):
        slope = of_values[n]
        of_weight[outlook.shape[1]] += slope
        for j in range(outlook.shape[1]):
            of_weight[j] += slope * outlook[n, j]
            of_outlook[n, j] = slope * weight[j] if outlook[n, j] > zero else zero


@_kernel
def uncontend(of_contest, together, of_weight, of_scores, of_state, contest, share, weight):  # type: ignore[no-untyped-def]
    """Slopes before the relu of contest (N, C, W), summed over choices (N, W), and of the score's (W + 1,)."""
    width = contest.shape[2]
    zero = contest.dtype.type(0.0)
    of_weight[:] = zero
    for n in range(len(contest)):
        for j in range(width):
            together[n, j] = zero
        for c in range(contest.shape[1]):
            part, slope = share[n, c], of_scores[n, c]
            of_weight[width] += slope
            for j in range(width):
                found = contest[n, c, j]
                of_weight[j] += slope * found
                back = slope * weight[j] + part * of_state[n, j] if found > zero else zero
                of_contest[n, c, j] = back
                together[n, j] += back


@_kernel
def unchoose(of_phases, together, of_mean, phases, share):  # type: ignore[no-untyped-def]
    """Slopes before the relu of phases (N, C, W) in place, and summed over choices (N, W)."""
    width = phases.shape[2]
    zero = phases.dtype.type(0.0)
    for n in range(len(phases)):
        for j in range(width):
            together[n, j] = zero
        for c in range(phases.shape[1]):
            part = share[n, c]
            for j in range(width):
                back = of_phases[n, c, j] + part * of_mean[n, j] if phases[n, c, j] > zero else zero
                of_phases[n, c, j] = back
                together[n, j] += back


@_kernel
def unsum(of_hidden, of_served, of_everything, hidden, serves):  # type: ignore[no-untyped-def]
    """Slopes before the relu of hidden (N, M, W)."""
    n_movements, width = hidden.shape[1], hidden.shape[2]
    n_choices = of_served.shape[1]
    zero = hidden.dtype.type(0.0)
    for n in range(len(hidden)):
        for m in range(n_movements):
            exists = serves[n, n_choices, m]
            for j in range(width):
                of_hidden[n, m, j] = exists * of_everything[n, j] if hidden[n, m, j] > zero else zero
            for c in range(n_choices):
                weight = serves[n, c, m]
                if weight != zero:
                    for j in range(width):
                        of_hidden[n, m, j] += weight * of_served[n, c, j] if hidden[n, m, j] > zero else zero


@_kernel
def surrogate(of_scores, of_values, loss, scores, values, actions, log_probs, advantages, returns, k):  # type: ignore[no-untyped-def]
    """PPO's loss: slopes by scores (N, C) and values (N,), and its five parts added to loss (5,); see `surrogate.py`.

    k  (clip_range, ent_coef, vf_coef, 1 / samples of the minibatch)
    """
    clip_range, ent_coef, vf_coef, weight = k
    n_choices = scores.shape[1]
    loss[:] = 0.0
    for n in range(len(scores)):
        highest = scores[n, 0]
        for c in range(n_choices):
            highest = max(highest, scores[n, c])
        total = 0.0
        for c in range(n_choices):
            total += exp(scores[n, c] - highest)
        offset = highest + log(total)
        entropy = 0.0
        for c in range(n_choices):
            entropy -= exp(scores[n, c] - offset) * (scores[n, c] - offset)
        log_ratio = scores[n, actions[n]] - offset - log_probs[n]
        ratio = exp(log_ratio)
        gain = advantages[n] * ratio
        bounded = advantages[n] * min(max(ratio, 1.0 - clip_range), 1.0 + clip_range)
        # Where the bound holds, the loss is flat; elsewhere d(-A r) / d(log p) = -A r.
        of_log_prob = -gain if gain <= bounded else 0.0
        for c in range(n_choices):
            log_prob = scores[n, c] - offset
            slope = exp(log_prob) * (ent_coef * (log_prob + entropy) - of_log_prob)
            of_scores[n, c] = weight * (slope + of_log_prob if c == actions[n] else slope)
        error = values[n] - returns[n]
        of_values[n] = 2.0 * vf_coef * weight * error
        loss[0] -= weight * min(gain, bounded)
        loss[1] += weight * error * error
        loss[2] -= weight * entropy
        loss[3] += weight if abs(ratio - 1.0) > clip_range else 0.0
        loss[4] += weight * (ratio - 1.0 - log_ratio)


@_kernel
def draw(actions, log_probs, scores, u):  # type: ignore[no-untyped-def]
    """One choice of each row by its random number u (N,) in [0, 1), and its log-probability; False for no numbers.

    Choice c is drawn where the sum of probabilities up to it is the first above u: never one with probability 0.
    """
    n_choices = scores.shape[1]
    probs = np.empty(n_choices)
    for n in range(len(scores)):
        highest = scores[n, 0]
        for c in range(n_choices):
            highest = max(highest, scores[n, c])
        total = 0.0
        for c in range(n_choices):
            probs[c] = exp(scores[n, c] - highest)
            total += probs[c]
        if not 0.0 < total < np.inf:
            return False
        wanted, so_far, drawn = u[n] * total, 0.0, -1
        for c in range(n_choices):
            if probs[c] > 0.0 and so_far <= wanted:
                drawn = c
            so_far += probs[c]
        actions[n] = drawn
        log_probs[n] = scores[n, drawn] - highest - log(total)
    return True
