"""A bundle's proof is made anew: what was changed is told, whatever the sums say, and nothing else is."""

import json

import pytest
from deployment.bundles import bundle_contents, write_contents

from intergreen.agents import cli
from intergreen.agents.deployment.bundle import PROOF, SIGNALS, SUMS, read_bundle
from intergreen.agents.deployment.draft import json_bytes
from intergreen.agents.deployment.proofs import proofs_of, signals_stated
from intergreen.agents.evaluation import verify_bundle as module
from intergreen.agents.evaluation.verify_bundle import NamedNetwork, verify_bundle
from intergreen.envs.errors import InputError
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.scenario import load_scenario

TIMINGS = ("literature-10-2",)  # small proofs; the field's profiles have a million transitions each


@pytest.fixture(autouse=True)
def without_field_timings(monkeypatch):
    monkeypatch.setattr(module, "FIELD", ())


def contents_for(junctions, fingerprint=None):
    contents = bundle_contents(fingerprint=fingerprint)
    stated = json.loads(contents[SIGNALS])
    rows = {"signals": signals_stated(junctions, TIMINGS), "protocols": list(TIMINGS)}
    return contents | {
        SIGNALS: json_bytes(stated | rows),
        PROOF: json_bytes({"schema": stated["schema"], "proofs": proofs_of(junctions, TIMINGS)}),
    }


@pytest.fixture(scope="module")
def contents():
    return contents_for([load_scenario("single")])


def changed(contents, file, change):
    """With another content of one file; sums are made from what is written."""
    content = json.loads(contents[file])
    change(content)
    return contents | {file: json_bytes(content)}


def found_in(tmp_path, contents, network=None):
    return verify_bundle(read_bundle(write_contents(tmp_path / "bundle", contents)), network)


def test_what_export_writes_holds(tmp_path, contents):
    found = found_in(tmp_path, contents)
    assert found["differences"] == []
    assert found["holds"]
    assert [row["plan_hash"] for row in found["proofs"]] == [
        row["plan_hash"] for row in json.loads(contents[PROOF])["proofs"]
    ]
    assert all(row["in_bundle"] and row["holds"] for row in found["proofs"])


def first(content):
    return content[next(key for key in ("proofs", "signals") if key in content)][0]


CHANGES = {
    "states": (PROOF, lambda c: first(c).update(states=1), "states is 1"),
    "result": (PROOF, lambda c: first(c).update(result_hash="0" * 64), "result_hash is"),
    "another plan": (PROOF, lambda c: first(c).update(plan_hash="0" * 64), "is no plan of the junctions"),
    "one more plan": (PROOF, lambda c: c["proofs"].append(first(c) | {"plan_hash": "1" * 64}), "is no plan of"),
    "a plan less": (PROOF, lambda c: c["proofs"].pop(), "is missing"),
    "a plan twice": (PROOF, lambda c: c["proofs"].append(first(c)), "stands there twice"),
    "a number less": (PROOF, lambda c: first(c).pop("transitions"), "transitions is missing"),
    "a number more": (PROOF, lambda c: first(c).update(sure=1), "'sure' is nothing that is stated"),
    "yellow": (SIGNALS, lambda c: first(c)["yellow_s"].__setitem__(0, 1), "yellow_s is"),
    "a conflict less": (SIGNALS, lambda c: first(c)["permissive"][0].__setitem__(4, 1), "permissive is"),
    "signals less": (SIGNALS, lambda c: c["signals"].pop(), "is missing"),
    "no proofs": (PROOF, lambda c: c.update(proofs=[]), "none is proved"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_with_a_right_sum_is_told(tmp_path, contents, name):
    file, change, words = CHANGES[name]
    found = found_in(tmp_path, changed(contents, file, change))
    assert not found["holds"]
    assert any(words in line for line in found["differences"]), found["differences"]


def test_plans_that_are_missing_are_told_in_the_order_in_which_they_are_made():
    found = [{"plan_hash": f"{k:064x}"[::-1], "network": "single", "protocol": TIMINGS[0]} for k in range(40)]
    told = [f"{PROOF}: plan {row['plan_hash'][:12]} of single is missing" for row in found]
    assert list(module._differences(PROOF, [], found)) == told


def test_command_tells_a_changed_proof_and_ends_with_status_1(tmp_path, contents, capsys):
    file, change, words = CHANGES["states"]
    folder = write_contents(tmp_path / "bundle", changed(contents, file, change))
    assert cli.main(["verify", str(folder)]) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert f"{folder}: changed, or made by another version: export the policy again" in told.err
    assert "does not hold (1)" in told.out


def test_command_tells_the_same_as_json(tmp_path, contents, capsys):
    folder = write_contents(tmp_path / "bundle", contents)
    assert cli.main(["verify", str(folder), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["holds"] is True
    assert len(found["proofs"]) == len(json.loads(contents[PROOF])["proofs"])


@pytest.mark.parametrize("damage", [SUMS, PROOF, "policy.onnx"])
def test_broken_bundle_is_one_line_and_status_2(tmp_path, contents, damage, capsys):
    folder = write_contents(tmp_path / "bundle", contents)
    (folder / damage).write_bytes(b"")
    assert cli.main(["verify", str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert damage in line


@pytest.mark.parametrize("name", ["/etc/passwd", "../town", "nowhere"])
def test_name_in_a_file_is_no_path(tmp_path, contents, name):
    spoilt = changed(contents, SIGNALS, lambda c: first(c).update(network=name))
    with pytest.raises(InputError, match="is not shipped"):
        found_in(tmp_path, spoilt)


@pytest.mark.parametrize("row", [{}, {"plan_hash": 1, "network": "single", "protocol": "field"}, 7])
def test_row_that_names_no_plan_is_refused(tmp_path, contents, row):
    with pytest.raises(InputError, match="holds a row without"):
        found_in(tmp_path, changed(contents, SIGNALS, lambda c: c["signals"].append(row)))


def test_bundle_for_a_network_of_its_own_is_verified_with_that_network_alone(tmp_path):
    network = generate_grid(GridSpec(rows=1, columns=2))
    own = NamedNetwork("mine", network)
    contents = contents_for([own], fingerprint_of(network))
    assert found_in(tmp_path, contents, NamedNetwork("another name", network))["holds"]
    with pytest.raises(InputError, match="name its network behind the bundle"):
        found_in(tmp_path, contents)
    with pytest.raises(InputError, match="another network"):
        found_in(tmp_path, contents, NamedNetwork("town", load_scenario("town").network))


def test_another_network_is_proved_too_where_the_bundle_is_for_any(tmp_path, contents):
    town = load_scenario("town")
    found = found_in(tmp_path, contents, NamedNetwork(town.name, town.network))
    assert found["holds"]
    assert {row["in_bundle"] for row in found["proofs"]} == {True, False}
    assert {row["scenario"] for row in found["proofs"] if not row["in_bundle"]} == {"town"}
