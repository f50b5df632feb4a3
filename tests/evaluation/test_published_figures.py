"""Others' results on the same files: the baselines give them again, and the table puts them beside ours."""

from __future__ import annotations

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import PolicyNetwork, actor_shapes, write_network
from intergreen.agents.controllers.run_folder import (
    FORMAT,
    POLICY,
    observation_columns,
    observation_stated,
    write_run,
)
from intergreen.agents.evaluation.published import (
    FREE_FLOW,
    METRIC,
    PUBLISHED,
    advanced_max_pressure,
    beside_published,
    prepare_published,
    published_tables,
)
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.errors import InputError
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

# A change of lanes starts where their random priorities let it, ours by our seed.
TOLERANCE_S = 0.1
# Advanced max-pressure is a reading of its paper, theirs and ours; which vehicles count as arriving differs a little.
ADVANCED_TOLERANCE = 0.006
SHORT_S = 120


def settings_with(name: str) -> list[tuple[str, str]]:
    """Networks and timings for which there is a figure of that method."""
    return [setting for setting, figures in PUBLISHED.items() if getattr(figures, name) is not None]


def travel_times(network: str, timing: str, controller: str) -> tuple[float, float]:
    """Ours, on approaches and of whole trips [s]."""
    protocol = protocol_by_name(f"literature-{timing}-lane-change")
    result = evaluate(load_scenario(f"cityflow/{network}"), controller_by_name(controller), protocol, seeds=[0])
    return result["metrics"][METRIC]["mean"], result["metrics"]["average_travel_time_s"]["mean"]


@pytest.mark.usefixtures("benchmark_data")
@pytest.mark.parametrize(("network", "timing"), settings_with("max_pressure"), ids=str)
def test_max_pressure_gives_the_published_travel_times(network, timing):
    on_approaches, whole = travel_times(network, timing, "max-pressure")
    theirs = PUBLISHED[network, timing].max_pressure
    assert on_approaches == pytest.approx(theirs.approach_s, abs=TOLERANCE_S)
    assert whole == pytest.approx(theirs.whole_s, abs=TOLERANCE_S)


@pytest.mark.usefixtures("benchmark_data")
@pytest.mark.parametrize(("network", "timing"), settings_with("advanced_max_pressure"), ids=str)
def test_advanced_max_pressure_comes_near_the_published_travel_times(network, timing):
    on_approaches, whole = travel_times(network, timing, advanced_max_pressure(network, timing))
    theirs = PUBLISHED[network, timing].advanced_max_pressure
    assert on_approaches == pytest.approx(theirs.approach_s, rel=ADVANCED_TOLERANCE)
    if theirs.whole_s is not None:
        assert whole == pytest.approx(theirs.whole_s, rel=ADVANCED_TOLERANCE)


@pytest.mark.parametrize(("network", "timing"), PUBLISHED, ids=str)
def test_no_figure_is_below_the_free_flow_bound(network, timing):
    for name in ("max_pressure", "advanced_max_pressure", "best"):
        figure = getattr(PUBLISHED[network, timing], name)
        if figure is not None:
            assert figure.approach_s > FREE_FLOW[network].approach_s
            assert figure.whole_s is None or figure.whole_s > FREE_FLOW[network].whole_s


def policy_folder(folder, *, seed):
    """A run folder with random weights; returns its name."""
    movement, signal = observation_columns(DEFAULT_FEATURES)
    random, shapes = np.random.default_rng(seed), actor_shapes(8, len(movement), len(signal))
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_run(folder, {"format": FORMAT, "observation": observation_stated(DEFAULT_FEATURES)})
    write_network(folder / POLICY, PolicyNetwork(weights))
    return str(folder)


@pytest.fixture(scope="module")
def beside(benchmark_data, tmp_path_factory):
    """Two minutes of a timing with eight phases: two policies and advanced max-pressure without its weight of two."""
    folder = tmp_path_factory.mktemp("policies")
    policies = [policy_folder(folder / f"seed-{seed}", seed=seed) for seed in range(2)]
    prepared = prepare_published([*policies, "advanced-max-pressure"], settings=[("jinan_3x4", "5-2")])
    return beside_published(prepared, horizon_s=SHORT_S)


def rows_of(result):
    return {row["method"]: row for row in result["rows"]}


def test_settings_and_figures_stand_beside_ours(beside):
    (result,) = beside
    assert (result["interval_s"], result["clearance_s"], result["phases"], result["lane_change"]) == (5, 2, 8, True)
    rows = rows_of(result)
    assert rows["no signals at all, theirs"][METRIC]["mean"] == 183.7
    assert rows["advanced-max-pressure:2, theirs"][METRIC]["mean"] == 215.6
    assert rows["best learned or evolved, published"]["average_travel_time_s"]["mean"] is None
    scenario, protocol = load_scenario("cityflow/jinan_3x4"), protocol_by_name("literature-5-2-lane-change")
    alone = evaluate(scenario, controller_by_name("advanced-max-pressure:2"), protocol, seeds=[0], horizon_s=SHORT_S)[
        "metrics"
    ]
    assert rows["advanced-max-pressure:2, ours"][METRIC]["mean"] == alone[METRIC]["mean"]


@pytest.mark.parametrize("network", FREE_FLOW)
def test_our_bound_under_their_rules_is_theirs(benchmark_data, network):
    (result,) = beside_published(prepare_published([], settings=[(network, "30-5")]))
    ours, theirs = (rows_of(result)[f"no signals at all, {whose}"] for whose in ("ours", "theirs"))
    for metric in (METRIC, "average_travel_time_s"):
        assert ours[metric]["mean"] == pytest.approx(theirs[metric]["mean"], abs=TOLERANCE_S)


def test_several_policies_get_a_mean_with_an_interval_and_baselines_are_not_in_it(beside):
    rows = rows_of(beside[0])
    mean = rows["mean of 2 policies"][METRIC]
    assert mean["per_seed"] == [rows[f"seed-{seed}"][METRIC]["mean"] for seed in range(2)]
    assert mean["mean"] == pytest.approx(sum(mean["per_seed"]) / 2)
    assert mean["ci95"] == [min(mean["per_seed"]), max(mean["per_seed"])]


def test_overview_shows_the_weighted_baseline_and_the_one_asked_for_apart(beside):
    overview = published_tables(beside)[-1]
    (cells,) = (dict(zip(overview.headings, row, strict=True)) for row in overview.rows)
    rows = rows_of(beside[0])
    for heading, method in (
        ("advanced-max-pressure, ours", "advanced-max-pressure:2, ours"),
        ("advanced-max-pressure", "advanced-max-pressure"),
    ):
        assert cells[heading] == f"{rows[method][METRIC]['mean']:.2f}"


def test_networks_that_are_not_there_are_one_line_that_names_the_variable(monkeypatch, capsys):
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    with pytest.raises(InputError):
        prepare_published(["max-pressure"])
    assert main(["published", "max-pressure"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "INTERGREEN_DATA" in printed.err
