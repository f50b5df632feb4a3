"""What README and `docs/` tell people to type is there: commands with their options, snippets, a scenario of one's own.

Commands are taken apart by the command line itself, and not run; other tests run them.
"""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from network import small

from intergreen.agents.cli import app, main
from intergreen.agents.learning.recipe import read_recipe
from intergreen.envs.observation import N_BINS
from intergreen.envs.scenario import load_scenario

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
SHORTER = {".learn(200_000)": ".learn(960)"}


def fenced(language: str) -> list[str]:
    """Code blocks of one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Whatever begins with the command's name, but for what is cut short by an ellipsis."""
    lines = [line for block in fenced("sh") for line in block.splitlines()]
    written = [
        *lines,
        *re.findall(r"`(intergreen [a-z][^`]*)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.S | re.M)),
    ]
    typed = dict.fromkeys(" ".join(shlex.split(one, comments=True)) for one in written if one.startswith("intergreen "))
    return [one for one in typed if "…" not in one and one != "intergreen"]


@pytest.mark.parametrize("command", commands())
def test_command_and_its_options_are_there(command):
    name, *arguments = shlex.split(command)[1:]
    known = typer.main.get_command(app).commands
    assert name in known
    if arguments:  # a name alone is spoken of, not typed
        known[name].make_context(name, arguments)


def test_some_commands_were_found():
    assert len(commands()) > 20


@pytest.fixture
def beside_my_network(tmp_path, monkeypatch):
    """A folder as the reader has it: `my_network/`, and the checkout's policies."""
    (tmp_path / "my_network").mkdir()
    small.write(tmp_path / "my_network")
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", range(len(fenced("python"))))
@pytest.mark.usefixtures("beside_my_network")
def test_snippet_runs_as_it_stands(number):
    text = fenced("python")[number]
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    nobody = np.zeros(load_scenario("my_network").network.n_lanes, dtype=int)
    bins = np.zeros((len(nobody), N_BINS), dtype=int)
    told = {"waiting": nobody, "vehicles": nobody, "arriving": bins, "time_s": 0}
    exec(compile(text, f"snippet {number} of the pages", "exec"), told)


@pytest.mark.usefixtures("beside_my_network")
def test_method_of_ones_own_is_compared_as_it_says(monkeypatch):
    (text,) = [text for text in fenced("python") if "class LongestQueue" in text]
    Path("my_method.py").write_text(text.split("scenario = ")[0])
    (command,) = [one for one in commands() if "my_method:LongestQueue" in one]
    assert main([*shlex.split(command)[1:], "--horizon", "120", "--json", "told.json"]) == 0
    assert [one["controller"] for one in json.loads(Path("told.json").read_text())] == ["max-pressure", "longest-queue"]
    monkeypatch.delitem(sys.modules, "my_method")


def test_scenario_of_ones_own_can_be_loaded(tmp_path):
    texts = [text for text in fenced("yaml") if text.startswith("name:")]
    assert texts
    for text in texts:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        assert len(load_scenario(path).trips(0)) > 0


def test_recipe_of_ones_own_can_be_read(tmp_path):
    texts = [text for text in fenced("yaml") if text.startswith("algorithm:")]
    assert texts
    for text in texts:
        path = tmp_path / "my_recipe.yaml"
        path.write_text(text)
        assert read_recipe(str(path)).scenario == "my_network/"


def anchors(path):
    """Where links may lead on a page: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text(encoding="utf-8"))
    for path, anchor in links:
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor[1:] in anchors(target), anchor


def test_every_page_is_linked_from_readme():
    readme = PAGES[0].read_text(encoding="utf-8")
    assert [path.name for path in PAGES[1:] if f"(docs/{path.name})" not in readme] == []


def test_json_has_the_keys_that_it_says(tmp_path, monkeypatch, capsys):
    def keys(value, path=""):
        inner = value.items() if isinstance(value, dict) else ()
        return {path}.union(*(keys(one, f"{path}/{name}") for name, one in inner))

    (written,) = map(json.loads, fenced("json"))
    small.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = ["--controllers", "max-pressure", "--seeds", "0,1", "--horizon", "600", "--json", "-"]
    assert main(["compare", ".", *arguments]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert keys(written) <= keys(told)
    assert written.keys() == told.keys()
    assert all(written[part].keys() == told[part].keys() for part in ("series", "safety", "cost"))
    assert [len(one) for one in written["series"].values()] == [len(one) for one in told["series"].values()]
    defined = set(re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", TEXT, re.MULTILINE))
    assert told["metrics"].keys() <= {name for names in defined for name in names}
