"""A controller of one's own by `package.module:name`: what it may be, where it is looked for, and what goes wrong."""

import sys

import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.registry import is_own
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.compare import comparison_cells
from intergreen.agents.evaluation.grid import run_grid
from intergreen.envs.errors import InputError

METHODS = """
import helpers_of_mine
from intergreen.agents.controllers import MaxPressure

class Mine(MaxPressure):
    name = "mine"

class Nameless(MaxPressure):
    name = None

class Short:
    name = "short"

class Choosy(MaxPressure):
    def __init__(self, weight): ...

def fresh():
    return Mine()

def broken():
    return 1 / 0

READY = Mine()
NUMBER = 7
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder, with `methods_of_mine.py` and a package; forgotten afterwards."""
    (tmp_path / "methods_of_mine.py").write_text(METHODS)
    (tmp_path / "helpers_of_mine.py").write_text("")
    (tmp_path / "bad_of_mine.py").write_text("import no_such_dependency\n")
    (tmp_path / "torn_of_mine.py").write_text("def f(:\n")
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')\n")
    package = tmp_path / "package_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("from methods_of_mine import Mine\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [one for one in sys.modules if "_of_mine" in one]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["methods_of_mine:Mine", "methods_of_mine:fresh", "package_of_mine.deep:Mine"])
@pytest.mark.usefixtures("here")
def test_class_or_function_gives_a_fresh_controller(name):
    before = list(sys.path)
    one, other = controller_by_name(name), decider_by_name(name)
    assert one.name == other.name == "mine"
    assert one is not other
    assert is_own(name)
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_of_mine:Mine", "there is no module 'no_such_of_mine'; install it, or start where no_such_of_mine.py"),
        ("methods_of_mine.deep:Mine", "there is no module 'methods_of_mine.deep'"),
        ("methods_of_mine.py:Mine", "names a file, not a module; write methods_of_mine:Mine"),
        ("some/where/methods_of_mine.py:Mine", "not a module; start in some/where and write methods_of_mine:Mine"),
        ("methods_of_mine:Mein", "methods_of_mine.py has no 'Mein'; did you mean 'Mine'?"),
        ("methods_of_mine:NUMBER", "is 7; name a class, or a function"),
        ("methods_of_mine:READY", "is a controller that is made already; name a class"),
        ("methods_of_mine:Choosy", "cannot be called without arguments: missing a required argument: 'weight'"),
        ("methods_of_mine:Short", "a Short is no controller, it has no interval_s, own_clearance, start, decide"),
        ("methods_of_mine:Nameless", "need a name that is a text, got None"),
        ("methods_of_mine:broken", "makes none: ZeroDivisionError"),
        ("bad_of_mine:Mine", "cannot be imported: ModuleNotFoundError: No module named 'no_such_dependency'"),
        ("torn_of_mine:Mine", "cannot be imported: SyntaxError"),
        ("queue:Mine", "has no 'Mine'"),  # Python's own, not the file that lies here
    ],
)
@pytest.mark.usefixtures("here")
def test_what_gives_no_controller_is_one_line(name, words):
    with pytest.raises(InputError) as caught:
        decider_by_name(name)
    assert str(caught.value).startswith(f"{name}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("here")
def test_nothing_is_imported_but_what_is_named():
    with pytest.raises(InputError):
        decider_by_name("methods_of_mine")  # no colon: a name like any other
    with pytest.raises(InputError):
        decider_by_name("./methods_of_mine:Mine")
    assert "methods_of_mine" not in sys.modules


@pytest.mark.parametrize("which", ["best", "last"])
def test_best_policy_of_a_run_is_no_module(here, which):
    assert not is_own(f"methods_of_mine:{which}")
    with pytest.raises(InputError, match=r"no controller or folder is called 'universal:.*'; did you mean 'universal"):
        decider_by_name(f"universal:{which}")
    (here / "methods_of_mine").mkdir()
    with pytest.raises(InputError, match=r"run\.json: not in this folder"):
        controller_by_name(f"methods_of_mine:{which}")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("here")
def test_own_controller_stands_in_a_comparison_whatever_process_runs_it(workers):
    cells = comparison_cells(["single"], ["max-pressure", "methods_of_mine:Mine"])
    theirs, mine = run_grid(cells, seeds=[0, 1], workers=workers, horizon_s=120)
    assert (theirs["controller"], mine["controller"]) == ("max-pressure", "mine")
    assert mine["metrics"] == theirs["metrics"]
    assert not mine["failed"]


@pytest.mark.usefixtures("here")
def test_command_line_takes_one_and_refuses_what_is_none(capsys):
    assert main(["evaluate", "single", "--controller", "methods_of_mine:Mine", "--horizon", "60"]) == 0
    assert "mine" in capsys.readouterr().out
    assert main(["evaluate", "single", "--controller", "methods_of_mine:Mein", "--horizon", "60"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_store_keeps_nothing_of_a_controller_whose_source_it_does_not_know(here):
    pytest.importorskip("pyarrow")
    cells = comparison_cells(["single"], ["methods_of_mine:Mine"])
    run_grid(cells, seeds=[0], horizon_s=60, store=here / "store")
    assert not list((here / "store").rglob("*.parquet"))


RUNNING = """
import numpy as np
from intergreen.agents.controllers import MaxPressure

class Raises(MaxPressure):
    name = "raises"
    def decide(self, counts, signals, time_s):
        if time_s >= 20:
            raise KeyError("lane_7")
        return super().decide(counts, signals, time_s)

class Talks(MaxPressure):
    name = "talks"
    def decide(self, counts, signals, time_s):
        return "north"

class Beyond(MaxPressure):
    name = "beyond"
    def decide(self, counts, signals, time_s):
        return np.full_like(super().decide(counts, signals, time_s), 99)
"""


@pytest.fixture
def running(tmp_path, monkeypatch):
    (tmp_path / "running_of_mine.py").write_text(RUNNING)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "running_of_mine.py"
    sys.modules.pop("running_of_mine", None)


COMMANDS = {
    "evaluate": ("evaluate", "single", "--horizon", "60", "--controller"),
    "compare": ("compare", "single", "--horizon", "60", "--threads", "2", "--controllers"),
    "replay": ("replay", "single", "--horizon", "60", "--out", "page.html", "--controllers"),
    "shadow": ("shadow", "single", "--horizon", "300"),
}


def asked(command, controller):
    words = list(COMMANDS[command])
    return [words[0], controller, *words[1:]] if command == "shadow" else [*words, controller]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_it_raises_while_it_runs_is_one_line_with_its_place(running, command, capsys):
    assert main(asked(command, "running_of_mine:Raises")) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"running_of_mine:Raises: KeyError: 'lane_7'; line 9 of {running}"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_that_is_no_phases_is_one_line(running, command, capsys):
    assert main(asked(command, "running_of_mine:Talks")) == 2
    assert "controller: talks decided 'north' at 0 s; need numbers of phases" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "compare", "replay"])
def test_phases_that_do_not_exist_are_told(running, command, capsys):
    assert main(asked(command, "running_of_mine:Beyond")) == 0
    told = capsys.readouterr().err
    assert "single, beyond: 360 wishes an hour were for phases that do not exist: the present one was kept" in told


@pytest.mark.parametrize("answer", ["0", "-1", "2.5", "None", "True"])
def test_a_decision_that_would_stand_for_no_time_is_one_line(running, answer, capsys):
    """The run never ended."""
    idle = f"    def seconds_until_change(self, time_s):\n        return {answer}\n"
    running.write_text(f"{RUNNING}\nclass Idle(MaxPressure):\n    name = 'idle'\n{idle}")
    assert main(["evaluate", "single", "--horizon", "60", "--controller", "running_of_mine:Idle"]) == 2
    told = capsys.readouterr().err
    assert f"idle said {answer} in seconds_until_change at 0 s; need whole seconds, 1 or more" in told


def test_calls_that_the_shield_serves_before_what_is_wished_are_told_where_they_are_many(capsys):
    for protocol, is_told in (("us-mutcd-5", True), ("literature-10-5", False)):
        words = ["evaluate", "grid4x4", "--horizon", "1200", "--protocol", protocol, "--controller", "fixed-time"]
        assert main(words) == 0
        assert ("times an hour the shield served a call that had waited long" in capsys.readouterr().err) == is_told


@pytest.mark.parametrize("protocol", ["us-mutcd-5", "literature-10-5"])
def test_own_programme_wishes_for_no_phase_that_is_not_shown(protocol, capsys):
    assert main(["evaluate", "single", "--horizon", "600", "--protocol", protocol, "--controller", "fixed-time"]) == 0
    assert "do not exist" not in capsys.readouterr().err


def test_what_is_ours_keeps_its_traceback(running, monkeypatch):
    monkeypatch.setattr("intergreen.agents.evaluation.run.summarise_all", lambda metrics: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(asked("evaluate", "running_of_mine:Beyond"))


def test_a_seed_that_fails_in_a_comparison_tells_its_place_too(running, capsys):
    assert main(["compare", "single", "--horizon", "60", "--controllers", "running_of_mine:Raises,fixed-time"]) == 1
    place = f"running_of_mine:Raises: KeyError: 'lane_7'; line 9 of {running}"
    assert f"single, raises, seed 0: failed: {place}" in capsys.readouterr().err
