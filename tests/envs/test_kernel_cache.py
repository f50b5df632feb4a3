"""Compiled kernels have a place also where nothing but temporary files can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intergreen.envs import kernel_cache

# As root, who may write anywhere, a read-only folder is one that says so.
SCRIPT = """
import os, sys
from pathlib import Path
installed, readable = Path(sys.argv[1]), os.access
os.access = lambda path, mode: Path(path) != installed and readable(path, mode)
from intergreen.envs.kernel_cache import find_room_for_kernels
find_room_for_kernels(installed)
import numba

print(os.environ.get("NUMBA_CACHE_DIR", ""), numba.config.CACHE_DIR)

"""


def places_told(tmp_path, **environment):
    """NUMBA_CACHE_DIR, and what Numba made of it, in a process whose installation is read-only."""
    (tmp_path / "file").touch()
    clean = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=clean | {"HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_read_only_installation_without_a_home_gets_a_folder_of_its_own_that_goes_with_it(tmp_path):
    place, of_numba = map(Path, places_told(tmp_path))
    assert place == of_numba
    assert place.parent == tmp_path
    assert not place.exists()


def test_folder_that_the_user_names_stays(tmp_path):
    assert places_told(tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) == [str(tmp_path)] * 2


def test_home_that_can_be_written_to_is_left_to_numba(tmp_path):
    assert places_told(tmp_path, HOME=str(tmp_path)) == []


def test_writable_installation_is_left_to_numba(tmp_path, monkeypatch):
    monkeypatch.delenv(kernel_cache.VARIABLE, raising=False)
    kernel_cache.find_room_for_kernels(tmp_path)
    assert kernel_cache.VARIABLE not in os.environ


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_worker_leaves_the_folder_to_the_process_that_made_it(tmp_path):
    kernel_cache._remove(str(tmp_path), os.getpid() + 1)
    assert tmp_path.exists()
    kernel_cache._remove(str(tmp_path), os.getpid())
    assert not tmp_path.exists()
