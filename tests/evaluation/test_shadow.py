"""Shadow runs: the run in charge is untouched, the shadow sees what it sees, and the log adds up to the report."""

import csv
import json
import re

import numpy as np
import pytest

from intergreen.agents.controllers import FixedTime, MaxPressure, controller_by_name
from intergreen.agents.deployment.ladder import Rung, RungChange
from intergreen.agents.evaluation import run
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.served import phase_lanes, served_of
from intergreen.agents.evaluation.shadow import Pair, faulty_runs, shadow, shadow_pair
from intergreen.agents.evaluation.shadow_estimate import estimate_from_log, same_sign
from intergreen.agents.evaluation.shadow_log import COLUMNS, log_rows, write_log
from intergreen.agents.evaluation.shadow_tables import shadow_tables
from intergreen.agents.evaluation.shadow_watch import Shadow
from intergreen.agents.tables import plain_text
from intergreen.envs.core import TrafficCore
from intergreen.envs.errors import InputError
from intergreen.envs.network import TURN_RIGHT
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

LITERATURE, FIELD = protocol_by_name("literature-10-5"), protocol_by_name("us-mutcd-5")
OWN_KEYS = {"policy", "asked", "shadow", "estimate"}


@pytest.fixture(scope="module")
def arterial():
    return load_scenario("arterial6")


@pytest.fixture(scope="module")
def pair():
    return shadow_pair("max-pressure", "arterial6", in_charge="fixed-time")


@pytest.fixture(scope="module")
def seen(pair):
    return shadow(pair, seeds=[0, 1], horizon_s=900)


def beside(scenario, in_charge, policy, protocol, **settings):
    """An evaluation of `in_charge` with `policy` beside it: the result, and what the shadow has seen."""
    plan = protocol.plan(scenario.network, own_clearance=in_charge.own_clearance)
    onlooker = Shadow(scenario, policy, protocol, plan)
    return evaluate(scenario, in_charge, protocol, **settings, onlooker=onlooker), onlooker.watched


def without_cost(result):
    return {key: value for key, value in result.items() if key != "cost"}


@pytest.mark.parametrize("protocol", [LITERATURE, FIELD, protocol_by_name("us-mutcd-7")], ids=lambda one: one.name)
@pytest.mark.parametrize("in_charge", ["fixed-time", "webster", "max-pressure", "fixed-cycle"])
def test_shadow_changes_no_digit_of_the_run_in_charge(arterial, in_charge, protocol):
    settings = {"seeds": [0, 1], "horizon_s": 700}
    alone = evaluate(arterial, controller_by_name(in_charge), protocol, **settings)
    watched, _ = beside(
        arterial, controller_by_name(in_charge), controller_by_name("universal-0"), protocol, **settings
    )
    assert without_cost(watched) == without_cost(alone)
    assert watched["cost"]["vehicle_updates"] == alone["cost"]["vehicle_updates"]


@pytest.mark.parametrize("parts", [[10], [3, 7], [1] * 10])
@pytest.mark.parametrize("protocol", [LITERATURE, FIELD], ids=lambda one: one.name)
def test_period_in_parts_is_the_period_at_once(arterial, protocol, parts):
    plan = protocol.plan(arterial.network)
    cores = [TrafficCore(arterial.network, plan, arterial.demand) for _ in range(2)]
    start = plan.choices[None, :, 0]
    for core in cores:
        core.reset([arterial.trips(0, horizon_s=400)], [0], start)
    random = np.random.default_rng(7)
    for _ in range(40):
        wanted = random.integers(-1, 12, start.shape).astype(np.int32)  # there is no phase beyond 8
        cores[0].run(wanted, 10)
        cores[1].run(wanted, parts[0])
        for seconds in parts[1:]:
            cores[1].go_on(seconds)
        for name in ("phase", "aspects", "interventions"):
            np.testing.assert_array_equal(getattr(cores[0], name), getattr(cores[1], name))
    assert cores[0].interventions.sum() > 0
    assert cores[0].totals().sum_travel_time_s.tolist() == cores[1].totals().sum_travel_time_s.tolist()


@pytest.mark.parametrize("protocol", [LITERATURE, FIELD], ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["fixed-time", "webster", "max-pressure", "universal-0"])
def test_shadow_of_itself_always_agrees_and_would_change_nothing(arterial, name, protocol):
    _, (watched,) = beside(
        arterial, controller_by_name(name), controller_by_name(name), protocol, seeds=[0, 1], horizon_s=700
    )
    for mine, its in zip(watched.wanted, watched.shown, strict=True):
        np.testing.assert_array_equal(mine, its)
    delay = estimate_from_log([watched], protocol.interval_s, same_trips=False)["delay_s"]
    assert (delay["mean"], delay["ci95"], delay["per_seed"]) == (0.0, [0.0, 0.0], [0.0, 0.0])


@pytest.mark.parametrize(("horizon_s", "blocks"), [(300, 1), (310, 1), (590, 1), (600, 2)])
def test_one_block_of_a_log_has_no_interval(pair, horizon_s, blocks):
    result, _ = shadow(pair, seeds=[0], horizon_s=horizon_s)
    delay = result["estimate"]["from_log"]["delay_s"]
    assert delay["mean"] != 0.0
    assert (delay["ci95"] == [None, None]) == (blocks == 1)


def test_controller_that_is_its_own_shadow_by_another_name_measures_no_difference(pair):
    cell = pair.policy
    result, _ = shadow(Pair(cell, cell), seeds=[0], horizon_s=300)
    assert result["shadow"]["agree"] == 1.0
    assert result["estimate"]["from_log"]["delay_s"]["mean"] == 0.0
    assert all(one["difference"]["mean"] == 0.0 for one in result["estimate"]["counterfactual"].values())
    assert result["estimate"]["same_sign"] is True


class Recording(MaxPressure):
    """Max-pressure that keeps what it was told."""

    name = "recording"

    def start(self, setup):
        self.told = []
        return super().start(setup)

    def decide(self, counts, signals, time_s):
        copies = signals._replace(**{name: values.copy() for name, values in signals._asdict().items()})
        self.told.append((time_s, counts.waiting.copy(), counts.near.copy(), copies))
        return super().decide(counts, signals, time_s)


def test_shadow_is_told_what_the_controller_in_charge_is_told(arterial):
    in_charge, policy = Recording(), Recording()
    beside(arterial, in_charge, policy, FIELD, seeds=[0], horizon_s=600)
    assert len(policy.told) == 120
    for (second, *counts, mine), (at, *same, its) in zip(policy.told, in_charge.told, strict=True):
        assert second == at
        np.testing.assert_array_equal(counts, same)
        for name in ("phase", "green_s", "red_s", "granted"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(its, name))
        assert not mine.overruled.any()


def test_shadow_of_a_programme_is_told_of_the_last_green_and_of_no_green_time_while_it_clears(arterial):
    policy = Recording()
    beside(arterial, FixedTime(), policy, LITERATURE, seeds=[0], horizon_s=600)
    durations = arterial.network.phase_duration_s[:9]  # 5 s of clearance, then eight phases of 30 s: 245 s
    ends = np.cumsum(durations)
    for second, *_, signals in policy.told:
        running = int(np.searchsorted(ends, second % ends[-1], side="right"))
        before = 0 if second == 0 else int(np.searchsorted(ends, (second - 1) % ends[-1], side="right"))
        if second > 5 and before != 0:
            assert signals.phase[0, 0] == before  # what the lamps showed in the last second
            assert signals.green_s[0, 0] == second % ends[-1] - ([0, *ends][before]) or running != before
        if second > ends[-1] and before == 0:
            assert (signals.phase[0, 0], signals.green_s[0, 0]) == (8, 0)
        assert signals.granted.all()


def test_row_of_the_log_tells_the_counts_that_the_shadow_saw(arterial):
    policy = Recording()
    _, (watched,) = beside(arterial, FixedTime(), policy, LITERATURE, seeds=[3], horizon_s=900)
    network = arterial.network
    names = [network.intersection_ids[j] for j in network.signalled]
    told = {second: (waiting[0], near[0]) for second, waiting, near, _ in policy.told}
    rows = list(log_rows([watched], names, every=True))
    assert len(rows) == 90 * 6
    assert any(row["waiting_shown"] > 0 for row in rows)
    for row in rows:
        j = network.signalled[names.index(row["signal"])]
        for side in ("shown", "wanted"):
            phase = network.phase_start[j] + row[side]
            served = network.phase_movements[
                network.phase_movement_start[phase] : network.phase_movement_start[phase + 1]
            ]
            lanes = {
                lane
                for m in served.tolist()
                if network.movement_turn[m] != TURN_RIGHT
                for lane in network.start_lanes(m).tolist()
            }
            waiting, near = (sum(int(counts[lane]) for lane in lanes) for counts in told[row["second"]])
            assert row[f"waiting_{side}"] == waiting
            assert 0.0 <= row[f"released_{side}"] <= waiting + near
    differing = list(log_rows([watched], names, every=False))
    assert differing == [row for row in rows if row["shown"] != row["wanted"]]
    assert 0 < len(differing) < len(rows)


def test_programme_in_its_clearance_counts_as_the_phase_that_it_leads_to(arterial):
    _, (watched,) = beside(arterial, FixedTime(), MaxPressure(), LITERATURE, seeds=[0], horizon_s=600)
    at = watched.second.tolist().index(0)
    assert watched.shown.phase[at, 0, 0] == 1  # phase 0 is on for 5 s, then phase 1
    assert (watched.shown.phase[:-1] > 0).all()


def test_released_is_at_saturation_flow_and_never_more_than_wait_or_come_near(arterial):
    lanes = phase_lanes(arterial.network, LITERATURE.plan(arterial.network))
    waiting, near = (np.full((1, arterial.network.n_lanes), count, np.int32) for count in (3, 1))
    phase = np.full((1, 6), 1, np.int32)
    for green_s, per_lane in ((0.0, 0.0), (3.0, 1.5), (8.0, 4.0), (10.0, 4.0)):
        queue, released = served_of(phase, waiting, near, np.full((1, 6), green_s), lanes)
        np.testing.assert_allclose(released, queue / 3 * per_lane)  # 0.5 vehicles a second and lane
    assert served_of(phase * 0 - 1, waiting, near, np.full((1, 6), 10.0), lanes)[0].tolist() == [[0] * 6]


def test_estimate_is_the_sum_over_the_log(pair, seen):
    result, watched = seen
    rows = list(log_rows(watched, pair.signals, every=True))
    for seed, delay_s in zip([0, 1], result["estimate"]["from_log"]["delay_s"]["per_seed"], strict=True):
        gain = sum(row["released_wanted"] - row["released_shown"] for row in rows if row["seed"] == seed)
        vehicles = len(pair.in_charge.scenario.trips(seed, horizon_s=900))
        assert delay_s == pytest.approx(-10 * gain / vehicles, rel=1e-12)


def test_one_seed_is_resampled_by_blocks_of_time(pair, seen):
    alone, _ = shadow(pair, seeds=[0], horizon_s=900, counterfactual=False)
    estimate = alone["estimate"]
    assert estimate["from_log"]["resampled"] == "blocks of 300 s"
    assert estimate["from_log"]["delay_s"]["mean"] == seen[0]["estimate"]["from_log"]["delay_s"]["per_seed"][0]
    low, high = estimate["from_log"]["delay_s"]["ci95"]
    assert low < estimate["from_log"]["delay_s"]["mean"] < high
    assert (estimate["counterfactual"], estimate["counterfactual_safety"], estimate["same_sign"]) == (None,) * 3
    assert len(faulty_runs(alone)) == 1


def test_second_run_is_the_policy_evaluated_on_the_same_trips(arterial, seen):
    found = seen[0]["estimate"]["counterfactual"]
    runs = [
        evaluate(arterial, one, LITERATURE, seeds=[0, 1], horizon_s=900)["metrics"]
        for one in (FixedTime(), MaxPressure())
    ]
    for name, one in found.items():
        before, after = (each[name] for each in runs)
        assert (one["in_charge"], one["policy"]) == (before["mean"], after["mean"])
        pairs = zip(before["per_seed"], after["per_seed"], strict=True)
        assert one["difference"]["per_seed"] == [b - a for a, b in pairs]


def test_result_is_that_of_evaluate_and_the_keys_that_are_documented(arterial, seen):
    result, _ = seen
    alone = evaluate(arterial, FixedTime(), LITERATURE, seeds=[0, 1], horizon_s=900)
    assert set(result) == set(alone) | OWN_KEYS
    assert {key: result[key] for key in alone if key != "cost"} == without_cost(alone)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["policy"], result["asked"]) == ("max-pressure", "a programme of its own")
    shares = {
        "decisions", "agree", "changes_shown", "changes_wanted", "no_choice_shown", "waiting_shown_veh",
        "waiting_wanted_veh", "serves_more", "serves_fewer",
    }  # fmt: skip
    assert set(result["shadow"]) == shares | {"signals", "rungs", "rung_changes"}
    assert all(set(one) == shares | {"signal"} for one in result["shadow"]["signals"])
    assert set(result["estimate"]) == {"from_log", "counterfactual", "counterfactual_safety", "same_sign"}
    assert set(result["estimate"]["from_log"]) == {"delay_s", "resampled"}
    assert set(result["estimate"]["counterfactual"]) == {
        "average_travel_time_s", "delay_s", "mean_queue_veh", "throughput_veh",
    }  # fmt: skip
    assert result["estimate"]["from_log"]["resampled"] == "seeds"


def test_every_key_stands_in_the_documentation(seen):
    from intergreen.agents.evaluation import shadow as module

    words = set(re.findall(r"\w+", module.__doc__))
    result, _ = seen
    assert {*OWN_KEYS, *result["shadow"], *result["estimate"], *result["estimate"]["from_log"]} <= words


def test_shares_are_those_of_the_log_and_signals_stand_worst_first(pair, seen):
    result, watched = seen
    rows, found = list(log_rows(watched, pair.signals, every=True)), result["shadow"]
    assert found["decisions"] == len(rows)
    assert found["agree"] == pytest.approx(np.mean([row["shown"] == row["wanted"] for row in rows]))
    assert found["waiting_wanted_veh"] == pytest.approx(np.mean([row["waiting_wanted"] for row in rows]))
    assert found["serves_more"] == pytest.approx(
        np.mean([row["waiting_wanted"] > row["waiting_shown"] for row in rows])
    )
    agreements = [one["agree"] for one in found["signals"]]
    assert agreements == sorted(agreements)
    assert {one["signal"] for one in found["signals"]} == set(pair.signals)
    assert (
        0.3 < found["no_choice_shown"] < 0.7
    )  # four of the programme's eight phases are no choices of literature-10-5


def test_same_run_twice_gives_the_same_result_however_it_is_batched(pair, seen, monkeypatch):
    again, watched = shadow(pair, seeds=[0, 1], horizon_s=900)
    assert without_cost(again) == without_cost(seen[0])
    monkeypatch.setattr(run, "_BATCH_BYTES", 1.0)
    parts, separately = shadow(pair, seeds=[0, 1], horizon_s=900)
    assert len(separately) == 2
    assert list(log_rows(separately, pair.signals, every=True)) == list(log_rows(watched, pair.signals, every=True))
    assert parts["estimate"] == again["estimate"]
    assert parts["shadow"] == again["shadow"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_log_file_holds_the_rows(pair, seen, tmp_path, suffix):
    path, rows = tmp_path / f"log{suffix}", list(log_rows(seen[1], pair.signals, every=False))
    write_log(path, iter(rows))
    lines = path.read_text().splitlines()
    if suffix == ".csv":
        read = list(csv.DictReader(lines))
        assert lines[0] == ",".join(COLUMNS)
        assert read == [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    else:
        assert [json.loads(line) for line in lines] == rows
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


class Stepping(MaxPressure):
    """A policy with a ladder that steps down in second 100 at its second signal."""

    name = "stepping"

    def start(self, setup):
        self.rung = np.zeros((setup.n_replicas, setup.plan.n_signals), np.int32)
        self.log = []
        return super().start(setup)

    def decide(self, counts, signals, time_s):
        if time_s == 100:
            self.rung[0, 1] = Rung.ACTUATED
            self.log.append(RungChange(100, 0, 1, Rung.LEARNED, Rung.ACTUATED, "a detector is silent"))
        return super().decide(counts, signals, time_s)


def test_ladder_of_the_shadow_is_in_the_result_the_table_and_the_log(pair, monkeypatch):
    from intergreen.agents.evaluation import shadow as module

    monkeypatch.setattr(module, "decider_by_name", lambda name: FixedTime() if name == "fixed-time" else Stepping())
    result, watched = shadow(pair, seeds=[5], horizon_s=200, counterfactual=False)
    signal = pair.signals[1]
    assert result["shadow"]["rung_changes"] == [
        {
            "second": 100,
            "seed": 5,
            "signal": signal,
            "before": "learned policy",
            "after": "actuated control",
            "reason": "a detector is silent",
        }
    ]
    assert result["shadow"]["rungs"] == pytest.approx({"learned policy": 110 / 120, "actuated control": 10 / 120})
    down = {row["second"] for row in log_rows(watched, pair.signals, every=True) if row["rung"] == "actuated control"}
    assert down == set(range(100, 200, 10))
    assert "a detector is silent" in "".join(map(plain_text, shadow_tables(result)))


def test_tables_tell_both_estimates_apart(seen):
    text = "".join(map(plain_text, shadow_tables(seen[0])))
    assert "max-pressure beside fixed-time · arterial6 · literature-10-5 · 900 s" in text
    assert "the network's programme as it stands" in text
    (log,) = (line for line in text.splitlines() if line.startswith("estimated from the log alone"))
    assert log.endswith("seeds")
    assert sum(line.startswith("measured in a second run") for line in text.splitlines()) == 4


def test_two_estimates_have_the_same_sign_where_both_say_who_is_better():
    assert same_sign(None, 1.0) is None
    assert same_sign(-2.0, -0.1) is True
    assert same_sign(2.0, -0.1) is False
    assert same_sign(0.0, 0.0) is True


def test_same_controller_on_both_sides_is_refused():
    with pytest.raises(InputError, match="'max-pressure' would be the shadow of itself; name another controller"):
        shadow_pair("max-pressure", "single", in_charge="max-pressure")


def test_wish_for_what_is_no_phase_counts_as_the_present_phase(arterial):
    class Nonsense(MaxPressure):
        name = "nonsense"

        def decide(self, counts, signals, time_s):
            return np.where(np.arange(6) % 2, np.nan, 1e9) * np.ones((1, 1))

    _, (watched,) = beside(arterial, MaxPressure(), Nonsense(), LITERATURE, seeds=[0], horizon_s=100)
    np.testing.assert_array_equal(watched.wanted.phase, watched.present)  # the shield would keep the present phase
