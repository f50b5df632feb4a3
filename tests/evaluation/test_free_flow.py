"""The free-flow bound: below everything, in the same tables, and equal to others' figures."""

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.registry import bound_names, controller_names
from intergreen.agents.evaluation.free_flow import alone_as_published
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.demand import Trips
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation.alone import drive_alone

# What others computed for trips that drive alone, s, not cut and cut at 3600 s: the whole trip, seconds on approach
# lanes, and per signal from first entering an approach to last leaving
FIGURES = {
    "jinan_3x4": ((239.7, 230.7), (176.8, 171.2), (190.5, 183.7)),
    "jinan_3x4_2000": ((242.1, 236.3), (179.0, 175.3), (194.3, 189.9)),
    "hangzhou_4x4": ((302.1, 289.1), (234.2, 225.5), (256.3, 244.8)),
}
PRINTED_S = 0.0501  # half of the last printed digit
SLOWER = ("average_travel_time_s", "approach_time_s", "delay_s", "stops_per_veh", "mean_queue_veh", "max_wait_s")


def bound_of(name, **options):
    scenario = load_scenario(name)
    return evaluate(scenario, controller_by_name("free-flow"), protocol_by_name("literature-10-5"), **options)


@pytest.mark.parametrize("name", ["single", "arterial6", "grid4x4", "town"])
def test_the_bound_is_below_every_controller(name):
    bound = bound_of(name, seeds=[3], horizon_s=1800)
    for controller in controller_names():
        theirs = evaluate(
            load_scenario(name), controller_by_name(controller), protocol_by_name("literature-10-5"), seeds=[3],
            horizon_s=1800,
        )  # fmt: skip
        for metric in SLOWER:
            assert bound["metrics"][metric]["mean"] <= theirs["metrics"][metric]["mean"], (controller, metric)
        assert bound["metrics"]["throughput_veh"]["mean"] >= theirs["metrics"]["throughput_veh"]["mean"]


def test_the_bound_fills_the_same_object_as_a_run():
    bound = bound_of("single", seeds=[0, 1], horizon_s=900)
    run = evaluate(
        load_scenario("single"), controller_by_name("random"), protocol_by_name("literature-10-5"), seeds=[0, 1],
        horizon_s=900,
    )  # fmt: skip
    assert list(bound) == list(run)
    for part in ("metrics", "series", "safety", "cost", "timing"):
        assert set(bound[part]) == set(run[part]), part
    assert bound["fallback"] is run["fallback"] is None
    assert bound["series"]["t"] == run["series"]["t"]
    last = bound["series"]["average_travel_time_s"][-1]
    assert last == pytest.approx(bound["metrics"]["average_travel_time_s"]["per_seed"])
    assert np.shape(bound["series"]["running_veh"]) == np.shape(run["series"]["running_veh"])
    assert bound["metrics"]["average_travel_time_s"]["per_seed"][0] != last[1]


@pytest.mark.parametrize("name", FIGURES)
def test_the_bound_equals_the_figures_of_others_to_the_printed_digit(benchmark_data, name):
    scenario = load_scenario(f"cityflow/{name}")
    not_cut, cut = (alone_as_published(scenario, horizon_s=horizon_s) for horizon_s in (100_000, 3600))
    ours = [
        [seconds.mean() for seconds in (alone.travel_s, alone.approach_s, alone.approach_span_s)]
        for alone in (not_cut, cut)
    ]
    assert np.transpose(ours) == pytest.approx(np.array(FIGURES[name]), abs=PRINTED_S)


def test_the_figure_of_others_for_hangzhou_is_lower_by_the_end_of_one_trip_alone(benchmark_data):
    scenario = load_scenario("cityflow/hangzhou_4x4")
    whole = alone_as_published(scenario, horizon_s=3600, followed_s=3600)
    followed = alone_as_published(scenario, horizon_s=3600)
    differ = np.flatnonzero(whole.approach_span_s != followed.approach_span_s)
    assert whole.whole_travel_s[differ].tolist() == [1005]
    assert whole.approach_span_s.mean() == pytest.approx(244.970, abs=5e-4)  # theirs: 244.8
    assert followed.approach_span_s.mean() == pytest.approx(244.834, abs=5e-4)


def test_a_trip_like_an_earlier_one_has_what_it_would_have_alone():
    scenario = load_scenario("grid4x4")
    trips = scenario.trips(0)
    together = drive_alone(scenario.network, scenario.demand, trips, horizon_s=3600)
    alike = [n for n in range(len(trips)) if trips.route[n] in trips.route[:n]]
    assert len(alike) > 100
    for n in [*alike[::200], *alike[-20:]]:  # the last ones are cut
        one = Trips(*(getattr(trips, field)[n : n + 1] for field in ("release_s", "route", "type", "start_lane")))
        alone = drive_alone(scenario.network, scenario.demand, one, horizon_s=3600)
        for ours, theirs in zip(together, alone, strict=True):
            assert ours[n] == pytest.approx(theirs[0], rel=1e-9, abs=1e-6)


def test_the_bound_decides_nothing():
    assert bound_names() == ("free-flow",)
    with pytest.raises(InputError, match="free-flow is a bound and decides nothing; name it in evaluate or compare"):
        controller_by_name("free-flow").decide(None, None, 0)


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "single", "--controller", "free-flow", "--hires-log", "{folder}/run.csv"],
        ["replay", "single", "--controllers", "free-flow", "--out", "{folder}/run.html"],
        ["shadow", "max-pressure", "single", "--in-charge", "free-flow"],
    ],
    ids=lambda command: command[0],
)
def test_nobody_looks_on_at_a_bound(command, tmp_path, capsys):
    assert main([*(word.format(folder=tmp_path) for word in command), "--horizon", "120"]) == 2
    assert "free-flow: is a bound" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
