"""Tables of text, and files that are whole or not there."""

import io
from pathlib import Path

import pytest

from intergreen.agents.tables import TextTable, markdown_text, plain_text, print_table, table_of, transposed
from intergreen.envs.files import json_text, replacing, write_json, write_text


def test_table_of_rows_takes_the_keys_as_headings():
    table = table_of("sizes", [{"name": "grid", "lanes": 3}, {"name": "town", "lanes": None}])
    assert plain_text(table) == "# sizes\nname  lanes\ngrid      3\ntown      –\n"


def test_table_without_rows_prints_its_title():
    assert plain_text(table_of("nothing", [])).startswith("# nothing\n")


@pytest.mark.parametrize("text_of", [plain_text, markdown_text])
def test_name_with_control_characters_keeps_to_its_cell_and_commands_no_terminal(text_of):
    text = text_of(table_of("out\nW", [{"lane\t1": "in\rE\x1b[31m", "veh": 3}]))
    assert len(text.splitlines()) == 3
    assert "in\\rE\\x1b[31m" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_name_is_no_tag_in_markdown():
    text = markdown_text(table_of("sizes", [{"a|b": "<img src=x onerror=alert(1)> & co"}]))
    assert "| a\\|b |" in text
    assert "| &lt;img src=x onerror=alert(1)> &amp; co |" in text


def test_failed_write_leaves_the_old_file(tmp_path: Path):
    target = tmp_path / "result.json"
    write_text(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half of")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_never_holds_not_a_number():
    with pytest.raises(ValueError, match="JSON"):
        json_text({"mean": float("nan")})


def test_json_file_ends_with_a_line_break(tmp_path: Path):
    write_json(tmp_path / "new" / "a.json", {"×": 1})
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == '{"×": 1}\n'


def test_transposed_keeps_the_marked_cells():
    table = TextTable("t", ("name", "a", "b"), (("x", "1", "2"), ("y", "3", "4")), frozenset({(1, 2)}))
    turned = transposed(table)
    assert turned.headings == ("name", "x", "y")
    assert turned.rows == (("a", "1", "3"), ("b", "2", "4"))
    assert turned.marked == {(1, 2)}


@pytest.mark.parametrize("columns", ["200", "30"])
def test_terminal_shows_every_number_however_narrow(columns, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    headings = ("name", *(f"metric {c}" for c in range(8)))
    table = TextTable("wide", headings, (("x", *(f"10{c}.5" for c in range(8))),))
    terminal = io.StringIO()
    print_table(table, terminal)
    printed = terminal.getvalue()
    assert all(cell in printed for cell in table.rows[0])
    assert "\x1b" in printed


def test_a_device_is_written_to_and_never_replaced(tmp_path):
    device = tmp_path / "null"
    device.symlink_to("/dev/null")
    write_text(device, "nowhere")
    assert device.is_symlink()
    assert list(tmp_path.iterdir()) == [device]
