"""The shipped policies do what their card says: on junctions of any shape, and on networks they were not trained on."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.controllers.registry import policy_names
from intergreen.agents.deployment.graph import network_in
from intergreen.agents.deployment.onnx_file import read_onnx
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.transfer import transfer_cells, transfer_rows
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

LEARNERS = ("universal-0", "universal-1", "universal-2")
DISTILLED, REFINED, WIDER, EVEN = (f"universal-{name}" for name in ("distilled", "refined", "wider", "even"))
BASELINES = ("fixed-time", "max-pressure", "advanced-max-pressure")
SEEDS = [0, 1]


def test_names_are_those_of_the_card():
    assert policy_names() == (*LEARNERS, DISTILLED, EVEN, REFINED, WIDER)
    card = (files("intergreen.checkpoints") / "README.md").read_text()
    assert all(f"`{name}`" in card for name in policy_names())


@pytest.mark.parametrize("name", [*LEARNERS, DISTILLED, REFINED, WIDER, EVEN])
def test_run_is_finished_and_knew_no_benchmark(name):
    run = json.loads((files("intergreen.checkpoints") / name / "run.json").read_text())
    assert run["outcome"]["finished"]
    if name in (REFINED, WIDER, EVEN):
        assert run["outcome"]["moments"] >= run["refined"]["rounds"] * run["refined"]["moments"]
    else:
        assert run["outcome"]["steps"] >= run["recipe"]["steps"] == (1_500_000 if name == DISTILLED else 5_000_000)
    assert run["recipe"]["scenario"] is None
    assert not any("cityflow" in scenario for scenario in run["evaluation"]["scenarios"])


def test_teachers_are_the_learners_beside_it():
    folder = files("intergreen.checkpoints")
    run = json.loads((folder / DISTILLED / "run.json").read_text())
    beside = {name: sha256((folder / name / "policy.npz").read_bytes()).hexdigest() for name in LEARNERS}
    assert {one["name"]: one["sha256"] for one in run["teachers"]} == beside


@pytest.mark.parametrize(("name", "former"), [(WIDER, REFINED), (EVEN, WIDER)])
def test_refined_policy_comes_from_the_one_beside_it(name, former):
    folder = files("intergreen.checkpoints")
    run = json.loads((folder / name / "run.json").read_text())
    beside = sha256((folder / former / "policy.npz").read_bytes()).hexdigest()
    assert (run["refined"]["name"], run["refined"]["sha256"]) == (former, beside)


def test_bundle_holds_the_weights_of_its_run_to_the_last_bit():
    """Rounded ones would choose otherwise where two phases are as good."""
    folder = files("intergreen.checkpoints")
    trained = read_network(Path(str(folder / EVEN / "policy.npz"))).arrays
    exported = network_in(read_onnx((folder / "universal" / "policy.onnx").read_bytes()).arrays).arrays
    assert exported.keys() == trained.keys()
    assert all(np.array_equal(exported[name], array) for name, array in trained.items())


def test_card_of_the_bundle_tells_all_that_it_was_trained_on():
    folder = files("intergreen.checkpoints")
    worlds = json.loads((folder / EVEN / "run.json").read_text())["recipe"]["worlds"]
    from_sumo = f" ({100 * worlds['from_sumo']:g} % with SUMO's streets and drivers)"
    networks = f"{worlds['count']} generated networks{from_sumo}"
    told = f"{networks} and {worlds['junctions']} single junctions with generated demand"
    assert told in (folder / "universal" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("policy", [*LEARNERS, "universal-0:best", DISTILLED, REFINED, WIDER, EVEN])
@pytest.mark.parametrize("scenario", ["single", "town", "arterial6"])
def test_same_policy_beats_the_baselines_on_any_shape(policy, scenario):
    network, protocol = load_scenario(scenario), protocol_by_name("literature-10-5")
    times = {
        name: evaluate(network, controller_by_name(name), protocol, seeds=SEEDS)["metrics"]["average_travel_time_s"]
        for name in (policy, *BASELINES)
    }
    for baseline in BASELINES:
        for ours, theirs in zip(times[policy]["per_seed"], times[baseline]["per_seed"], strict=True):
            assert ours < theirs, (baseline, times)


@pytest.mark.usefixtures("benchmark_data")
@pytest.mark.parametrize("network", ["hangzhou_4x4", "jinan_3x4", "newyork_16x3", "syn_3x3_gaussian_500"])
def test_interval_over_the_seeds_lies_below_both_pressures_on_networks_never_seen(network):
    timings = ("literature-15-5", "literature-10-5", "literature-5-2")
    cells = transfer_cells(LEARNERS, scenarios=[f"cityflow/{network}"], protocols=timings)
    for row in transfer_rows(cells, LEARNERS):
        assert row["won"], row


@pytest.mark.usefixtures("benchmark_data")
def test_distilled_policy_keeps_out_of_the_locks_that_one_of_its_teachers_is_in():
    scenarios, timings = ["cityflow/atlanta_1x5"], ("literature-30-5", "literature-10-5", "literature-5-2")
    one_locks = transfer_rows(transfer_cells(["universal-2"], scenarios=scenarios, protocols=timings), ["universal-2"])
    assert not any(row["won"] for row in one_locks)
    for row in transfer_rows(transfer_cells([DISTILLED], scenarios=scenarios, protocols=timings), [DISTILLED]):
        assert row["won"], row
