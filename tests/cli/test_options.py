"""What may be typed after an option, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.options import (
    parse_names,
    parse_seeds,
    require_apart,
    require_folder,
    require_horizon,
    require_positive,
    require_simulator,
    require_threads,
    require_writable,
)
from intergreen.envs.errors import InputError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-9", list(range(10))), ("0,1,5", [0, 1, 5]), ("3", [3]), ("4-4", [4]), (" 1 , 2-3 ", [1, 2, 3])],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    ["", "a", "-1", "9-0", "1-", "1,,2", "1.5", "0-99999999", "1,1", "0-3,2", "²", "99999999999", "9" * 5000],
    ids=lambda text: text[:12],
)
def test_wrong_seeds_are_refused_with_the_option_and_the_mend(text):
    with pytest.raises(InputError, match=r"command line: --seeds: .*; write 0-9, 0,1,5 or 3"):
        parse_seeds(text)


@given(st.text(max_size=20))
def test_any_text_is_seeds_or_an_input_error(text):
    try:
        seeds = parse_seeds(text)
    except InputError:
        return
    assert seeds
    assert all(seed >= 0 for seed in seeds)


def test_names_are_split_at_commas():
    assert parse_names("fixed-time, max-pressure,runs/a") == ["fixed-time", "max-pressure", "runs/a"]


@pytest.mark.parametrize("text", ["", "a,,b", "a,a"])
def test_wrong_names_are_refused(text):
    with pytest.raises(InputError, match="--controllers"):
        parse_names(text)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_numbers_must_be_positive(value):
    with pytest.raises(InputError, match="--minutes: must be greater than 0"):
        require_positive("--minutes", value)


@pytest.mark.parametrize("threads", [0, -2, 100_000])
def test_threads_must_have_cores(threads):
    with pytest.raises(InputError, match="--threads"):
        require_threads(threads)


def test_absent_options_and_good_values_pass(tmp_path):
    require_simulator("native")
    require_positive("--horizon", None)
    require_threads(1)
    for target in (None, "-", str(tmp_path / "new.json")):
        require_writable("--json", target)


def test_simulators_that_do_not_exist_are_refused_by_name():
    with pytest.raises(InputError, match="no simulator is called 'cityflow'; use native or sumo"):
        require_simulator("cityflow")


def test_output_must_have_a_folder(tmp_path):
    with pytest.raises(InputError, match="create it first"):
        require_writable("--json", str(tmp_path / "missing" / "new.json"))
    with pytest.raises(InputError, match="name a file"):
        require_writable("--json", str(tmp_path))


@pytest.mark.parametrize("name", ["flow.json", "roadnet.json", "my.sumocfg", "recipe.yaml", "run.json"])
def test_what_other_commands_read_is_not_written_over(name, tmp_path):
    require_writable("--json", str(tmp_path / name))
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=rf"--json: would overwrite '.*{name}', which .* read; name another"):
        require_writable("--json", str(tmp_path / name))


def test_horizon_of_years_is_refused():
    require_horizon(1_000_000)
    require_horizon(None)
    with pytest.raises(InputError, match="--horizon: 1000001 s is very long; use at most 1000000 s"):
        require_horizon(1_000_001)


def test_report_must_be_a_folder_or_become_one(tmp_path):
    require_folder("--report", None)
    require_folder("--report", tmp_path / "new" / "report")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; name a folder"):
        require_folder("--report", tmp_path / "file" / "report")


def test_two_outputs_into_one_place_are_refused(tmp_path):
    one, other = tmp_path / "a.html", f"{tmp_path}/./a.html"
    require_apart(json=str(tmp_path / "b.json"), report=one, hires_log=None)
    require_apart(json="-", log="-")
    with pytest.raises(InputError, match=r"--hires-log: '.*a\.html' is what --report writes; name another"):
        require_apart(report=one, json=None, hires_log=other)
