"""An exported policy at work: choices from observations, in time or not at all. NumPy and onnxruntime only."""

from __future__ import annotations

import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from intergreen.agents.controllers.policy_network import Seen
from intergreen.agents.controllers.ties import best_choices
from intergreen.agents.deployment.graph import network_in
from intergreen.agents.deployment.onnx_file import read_onnx

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.envs.arrays import Float32Array, FloatArray, IntArray
    from intergreen.envs.observation_arrays import Observed


class PolicyFailedError(RuntimeError):
    """The policy gave no answer: it raised, was late, or answered with what is no choice."""


class Policy(Protocol):
    """Choices of n signals from what they see."""

    def choose(self, observed: Observed) -> IntArray: ...


class OnnxPolicy:
    """The graph of a bundle.

    model    the bytes of `policy.onnx`, checked by the bundle's reader
    threads  that one inference may use
    """

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors reach us as exceptions; its own log is for its makers
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._network = network_in(read_onnx(model).arrays)
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def choose(self, observed: Observed) -> IntArray:
        """(n,) the allowed choice with the highest score, the first of equals."""
        if not all(are_finite(values) for values in observed):  # the graph need not pass it on: max(0, -inf) is 0
            raise PolicyFailedError("it is shown what is no finite number")
        scores = self.scores(observed)
        if not are_finite(scores):
            raise PolicyFailedError("its scores are no finite numbers")
        return chosen_among(scores, observed, self._network)

    def scores(self, observed: Observed) -> Float32Array:
        """(n, C) what `choose` compares."""
        scores: Float32Array = self._session.run(["scores"], observed._asdict())[0]
        return scores


def chosen_among(scores: Float32Array, observed: Observed, network: PolicyNetwork) -> IntArray:
    """(n,) the choices with the highest scores (n, C), the first of those that are equal to `network`'s 64 bits."""

    def exactly(some: NDArray[np.intp]) -> FloatArray:
        movements = observed.movements[:, some].transpose(1, 2, 0)
        return network.exact_scores(Seen(movements, *(values[some] for values in observed[1:])))

    return best_choices(scores, exactly)


class SupervisedPolicy:
    """A policy with a time limit: whoever asks waits for `budget_s` at most.

    What is late runs on in its thread, since nothing can end it; until it is done every answer is a refusal. Two plain
    queues, since a pool of threads wakes each side several times for one answer, and every time behind whoever else
    has work for the processor.
    """

    def __init__(self, policy: Policy, budget_s: float) -> None:
        self._policy, self._budget_s = policy, budget_s
        self._questions: queue.SimpleQueue[Observed | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_late = False
        weakref.finalize(self, self._questions.put, None)

    def choose(self, observed: Observed) -> IntArray:
        """(n,) choices.

        Raises
        ------
        PolicyFailedError
            If the policy raises, is late, still busy with a former question, or gives no choice for every signal.
        """
        if self._is_late and self._answers.empty():
            raise PolicyFailedError("it is still busy with a former decision")
        if self._is_late:
            self._answers.get()  # to a question of the past
            self._is_late = False
        self._start()
        self._is_late = True  # until it is there, whatever interrupts the waiting
        self._questions.put(observed)
        try:
            chosen = self._answers.get(timeout=self._budget_s)
        except queue.Empty:
            raise PolicyFailedError(f"no answer within {self._budget_s:g} s") from None
        self._is_late = False
        if isinstance(chosen, PolicyFailedError):
            raise chosen
        if isinstance(chosen, BaseException):  # whatever it is, the street goes on
            raise PolicyFailedError(f"it raised {type(chosen).__name__}") from chosen
        if not _are_choices(chosen, observed.n_signals, observed.n_choices):
            raise PolicyFailedError("it answered with what is no choice")
        return chosen.astype(np.int32)

    def close(self) -> None:
        """Let the thread end; an answer that is late is not waited for. The next question begins another."""
        if self._thread is not None:
            self._questions.put(None)
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            asked = self._policy.choose, self._questions, self._answers  # not self, which would never be given up
            self._thread = threading.Thread(target=_answer, args=asked, name="policy", daemon=True)
            self._thread.start()


def _answer(
    choose: Callable[[Observed], object],
    questions: queue.SimpleQueue[Observed | None],
    answers: queue.SimpleQueue[object],
) -> None:
    """Answer one question after the other, with what went wrong where something did, until there is none."""
    while (observed := questions.get()) is not None:
        try:
            answers.put(choose(observed))
        except BaseException as error:  # whoever waits has to be told
            answers.put(error)


def _are_choices(answer: object, n_signals: int, n_choices: int) -> TypeGuard[IntArray]:
    """Whole numbers, one for every signal; a policy may answer with anything."""
    if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "iu" or answer.shape != (n_signals,):
        return False
    return bool(((answer >= 0) & (answer < n_choices)).all())


def are_finite(values: Float32Array) -> bool:
    """A sum of squares that is finite has no other terms."""
    every = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(every, every))) or bool(np.isfinite(values).all())
