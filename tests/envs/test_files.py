"""Files that appear whole or not at all, and which one it was that could not be written."""

import errno
from pathlib import Path

import pytest

from intergreen.agents import cli
from intergreen.envs.files import naming, replacing, write_text


@pytest.fixture
def full_disk(monkeypatch):
    """As a disk does: it lets a file be opened, and fails without a name when something is written."""

    def write(self, text, encoding):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr(Path, "write_text", write)


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, full_disk):
    path = tmp_path / "result.json"
    write_text(path, "old")
    full_disk()
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(path, "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]
    assert path.read_text() == "old"


def test_a_missing_file_is_named_as_itself(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, naming(tmp_path / "result.json"):
        (tmp_path / "other.json").read_text()
    assert caught.value.filename == str(tmp_path / "other.json")


def test_the_temporary_name_is_told_to_nobody(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "result.json"):
        pass  # nothing is written, so there is nothing to rename
    assert caught.value.filename == str(tmp_path / "result.json")


def test_the_command_line_says_which_file(tmp_path, full_disk, capsys):
    report = str(tmp_path / "report.html")
    full_disk()
    command = ["compare", "single", "--controllers", "fixed-time", "--horizon", "60", "--report", report]
    assert cli.main(command) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told == f"{report}: No space left on device; check the path, its permissions and the free space"
