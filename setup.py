"""Maps the top-level folders to the packages `intergreen.<folder>`; everything else stands in pyproject.toml.

The list of packages is found here, not written down there, so that a new sub-package needs no edit.
"""

from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent
FOLDERS = ("envs", "agents", "configs", "checkpoints")


def packages_of(folder: str) -> list[str]:
    """The installed names of `folder` and of every folder below it, those that hold only data included."""
    below = find_namespace_packages(str(HERE / folder), exclude=["*__pycache__*"])
    return [f"intergreen.{folder}", *(f"intergreen.{folder}.{name}" for name in below)]


setup(
    package_dir={f"intergreen.{folder}": folder for folder in FOLDERS},
    packages=[name for folder in FOLDERS for name in packages_of(folder)],
    package_data={
        "": ["py.typed", "*.yaml"],
        "intergreen.agents.evaluation.pages": ["assets/*"],
        "intergreen.configs": ["**/*.yaml"],
        "intergreen.checkpoints": ["**/*"],
    },
    exclude_package_data={"": ["__pycache__/*", "*.pyc", "*.nbi", "*.nbc"]},
)
