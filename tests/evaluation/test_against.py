"""Tables beside the reference: who meets whom, and what is left out."""

from __future__ import annotations

import json

import pytest

from intergreen.agents.evaluation.against import against_tables, with_comparisons


def result(scenario, controller, times, *, protocol="literature-10-5", seeds=None):
    seeds = list(range(len(times))) if seeds is None else seeds
    metrics = {"average_travel_time_s": {"mean": None, "ci95": [None, None], "per_seed": list(times)}} if times else {}
    return {
        "scenario": scenario,
        "controller": controller,
        "protocol": protocol,
        "horizon_s": 3600,
        "simulator": "native",
        "faults": [],
        "seeds": seeds,
        "metrics": metrics,
    }


AMP, FREE = "advanced-max-pressure", "free-flow"


def test_each_scenario_has_a_table_and_all_together_one():
    results = [
        result(scenario, name, times)
        for scenario in ("a", "b")
        for name, times in ((AMP, [200.0, 210.0]), ("webster", [150.0, 150.0]), (FREE, [100.0, 110.0]))
    ]
    first, second, together = against_tables(results)
    assert [table.title.split(" · ")[0] for table in (first, second, together)] == ["a", "b", "2 scenarios together"]
    ((name, _, difference, chance, score),) = first.rows
    assert (name, chance) == ("webster", "1.00 [0.16, 1.00]")
    assert difference.startswith("-55.0 [")
    assert score.startswith("0.55 [")
    assert together.rows[0][0] == "webster"


def test_protocols_never_meet():
    results = [
        result("a", AMP, [200.0, 210.0]),
        result("a", "webster", [150.0, 151.0], protocol="literature-5-2"),
        result("b", AMP, [200.0, 210.0], protocol="literature-5-2"),
    ]
    assert against_tables(results) == []
    assert [one["against"] for one in with_comparisons(results)] == [None, None, None]


def test_a_seed_that_failed_for_one_is_left_out_for_both():
    results = [result("a", AMP, [200.0, 210.0], seeds=[0, 2]), result("a", "x", [150.0, 1e9, 170.0], seeds=[0, 1, 2])]
    against = with_comparisons(results)[1]["against"]
    assert against["runs"] == 2
    assert against["difference_s"]["value"] == -45.0


def test_a_controller_that_has_no_result_has_no_row():
    results = [result("a", AMP, [200.0]), result("a", "x", []), result("a", "y", [150.0])]
    (table,) = against_tables(results)
    assert [row[0] for row in table.rows] == ["y"]


def test_what_is_missing_in_one_scenario_is_not_in_the_table_of_all():
    results = [result(scenario, AMP, [200.0, 201.0]) for scenario in "ab"]
    results += [result(scenario, "x", [150.0, 151.0]) for scenario in "ab"] + [result("a", "y", [1.0, 2.0])]
    assert [row[0] for row in against_tables(results)[-1].rows] == ["x"]


def test_comparisons_are_json_and_change_nothing_else():
    results = [result("a", AMP, [200.0, 201.0]), result("a", "x", [150.0, 152.0])]
    found = with_comparisons(results)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [{key: value for key, value in one.items() if key != "against"} for one in found] == results
    assert found[1]["against"]["score"] is None


@pytest.mark.parametrize("name", [AMP, FREE])
def test_the_reference_and_the_bound_are_not_compared_with_themselves(name):
    assert with_comparisons([result("a", AMP, [1.0]), result("a", name, [1.0])])[1]["against"] is None
