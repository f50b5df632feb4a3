"""What is installed, under which name, and who imports whom."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT_IMPORTS = (
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command; lint_imports_command()",
    "--no-cache",
)
FOLDERS = ("envs", "agents", "configs", "checkpoints")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_imported_by_its_plain_name_says_the_right_one(folder: str):
    done = run(sys.executable, "-c", f"import {folder}", cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError")
    assert f"installed as intergreen.{folder}" in done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_package_says_that_it_is_typed(folder: str):
    assert (ROOT / folder / "py.typed").is_file()


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from a copy of the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder)
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    done = run(sys.executable, "-c", build, target, cwd=source)
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("intergreen-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_every_source_file(wheel_names: set[str]):
    sources = {
        f"intergreen/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for pattern in ("*.py", "*.yaml", "*.html", "*.css", "*.js", "py.typed")
        for path in (ROOT / folder).rglob(pattern)
    }
    assert sources <= wheel_names


def test_wheel_holds_nothing_outside_its_name(wheel_names: set[str]):
    assert {name.split("/")[0] for name in wheel_names if ".dist-info/" not in name} == {"intergreen"}
    assert not [name for name in wheel_names if "__pycache__" in name]
    assert any(name.endswith("licenses/LICENSE") for name in wheel_names)


def test_nothing_imports_upward():
    done = run(*LINT_IMPORTS, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("envs/network/upward.py", "from intergreen.envs.demand import demand", "network < demand"),
        ("envs/signals/upward.py", "import intergreen.envs.protocol", "know nothing of the modules above"),
        ("envs/upward.py", "import intergreen.agents.cli", "agents stand on envs"),
        ("agents/controllers/upward.py", "import intergreen.agents.evaluation.report", "controllers < learning"),
        ("envs/simulation/upward.py", "def late():\n    import gymnasium", "know no environment library"),
        ("envs/circle_a.py", "import intergreen.envs.circle_b", "no circles"),
    ],
    ids=lambda value: value if str(value).endswith(".py") else "",
)
def test_an_import_upward_is_found(module: str, line: str, contract: str, tmp_path: Path):
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / "intergreen" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "intergreen" / module).write_text(f"{line}\n")
    if "circle" in module:
        (tmp_path / "intergreen/envs/circle_b.py").write_text("import intergreen.envs.circle_a\n")
    done = run(*LINT_IMPORTS, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    broken = [text for text in done.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), done.stdout


def test_base_install_works_without_the_extras(tmp_path: Path):
    """Whatever is above the base install is imported where it is used, never at the top of a module."""
    script = """
import sys
for name in ("torch", "stable_baselines3", "tensorboard", "matplotlib", "pettingzoo", "libsumo", "sumolib"):
    sys.modules[name] = None
import intergreen.envs, intergreen.agents.controllers, intergreen.agents.evaluation.compare
from intergreen.agents.cli import main
sys.exit(main(["scenarios"]))
"""
    done = run(sys.executable, "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
