"""Controllers by name, and what a wrong name says."""

import pytest

from intergreen.agents.controllers import Controller, controller_by_name, controller_names
from intergreen.envs.errors import InputError


@pytest.mark.parametrize("name", controller_names())
def test_every_name_gives_a_fresh_controller_of_that_name(name):
    controller = controller_by_name(name)
    assert isinstance(controller, Controller)
    assert controller.name == name
    assert controller is not controller_by_name(name)


@pytest.mark.parametrize("name", controller_names())
@pytest.mark.parametrize("n_intersections", [0, 1, 3])
def test_every_controller_answers_for_all_signals_of_all_replicas(
    topology, setup_of, signals_of, random_counts, name, n_intersections
):
    network = topology(11, n_intersections) if n_intersections else topology(11, 1)
    if not n_intersections:
        network.signalled = network.signalled[:0]
    setup, controller = setup_of(network), controller_by_name(name)
    start = controller.start(setup)
    wanted = controller.decide(random_counts(0, network), signals_of(setup, start), 0)
    assert start.shape == wanted.shape == (3, setup.plan.n_signals)
    assert start.dtype == wanted.dtype == "int32"


def test_near_miss_is_answered_with_the_nearest_name():
    with pytest.raises(
        InputError, match="no controller or folder is called 'max-presure'; did you mean 'max-pressure'"
    ):
        controller_by_name("max-presure")


def test_unknown_name_is_answered_with_all_names():
    with pytest.raises(
        InputError,
        match=r"sotl, .*, free-flow, universal-0, .*, universal-even, universal-refined, universal-wider, the folder",
    ):
        controller_by_name("xyz")


def test_folder_without_run_json_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"run\.json: not in this folder"):
        controller_by_name(str(tmp_path))
