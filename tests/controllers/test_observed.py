"""A policy of any kind as a controller: it is shown what environments show, and what it answers is looked at."""

import numpy as np
import pytest

from intergreen.agents.controllers import Setup
from intergreen.agents.controllers.observed import ObservedController
from intergreen.envs.episodes import Episodes


@pytest.mark.parametrize("room", [{}, {"movements": 30, "choices": 9}], ids=["just enough", "more"])
@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
def test_it_is_shown_what_an_episode_shows_and_drives_as_it_chooses(protocol, room):
    features = ("queue", "green", "timing")
    episodes = Episodes("arterial6", protocol=protocol, horizon_s=200, features=features, replicas=2, **room)
    random, asked = np.random.default_rng(0), []

    def choose(seen, allowed):
        asked.append((seen.copy(), allowed.copy()))
        return random.integers(0, episodes.layout.n_choices, seen.shape[:2])

    controller = ObservedController("mine", choose, features=features, **room)
    shown = episodes.reset([np.random.default_rng(seed) for seed in (0, 1)])
    controller.start(Setup(episodes.scenario.network, episodes.plan, episodes.protocol, 2))
    core, interval_s = episodes.core, episodes.protocol.interval_s
    while not episodes.is_over:
        wanted = controller.decide(core.counts(), core.signals(interval_s), episodes.time_s)
        seen, allowed = asked[-1]
        assert np.array_equal(seen, shown)
        assert np.array_equal(allowed, episodes.allowed())
        of_choice = episodes.plan.choices[np.arange(6), :, None] == wanted.T[:, None]
        assert of_choice.sum(axis=1).tolist() == [[1, 1]] * 6
        shown, _ = episodes.step(of_choice.argmax(axis=1).T.astype(np.int32))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda seen: np.zeros(seen.shape[:2]), r"got shape \(1, 6\) of float64"),
        (lambda seen: np.zeros(6, int), r"got shape \(6,\) of int64"),
        (lambda seen: np.full(seen.shape[:2], -1), "mine: need choices from 0 to 3, got -1"),
        (lambda seen: np.full(seen.shape[:2], 4), "mine: need choices from 0 to 3, got 4"),
        (lambda seen: None, r"need a choice for each of \(1, 6\) signals, got shape \(\) of object"),
    ],
    ids=["floats", "no copies", "negative", "too high", "nothing"],
)
def test_answer_that_is_no_choice_is_one_line(answer, words):
    episodes = Episodes("arterial6", horizon_s=100)
    controller = ObservedController("mine", lambda seen, allowed: answer(seen))
    controller.start(Setup(episodes.scenario.network, episodes.plan, episodes.protocol, 1))
    episodes.reset([np.random.default_rng(0)])
    core = episodes.core
    with pytest.raises(ValueError, match=words):
        controller.decide(core.counts(), core.signals(10), 0)


def test_index_that_a_signal_does_not_have_keeps_its_phase():
    episodes = Episodes("arterial6", horizon_s=100)
    controller = ObservedController("mine", lambda seen, allowed: np.full(seen.shape[:2], 99), choices=100)
    controller.start(Setup(episodes.scenario.network, episodes.plan, episodes.protocol, 1))
    episodes.reset([np.random.default_rng(0)])
    assert controller.decide(episodes.core.counts(), episodes.core.signals(10), 0).tolist() == [[-1] * 6]
