"""The examples in docstrings are true.

Run from here and not by `--doctest-modules`, which would import every module a second time under the folder's own name.
"""

import doctest
import importlib
import pkgutil

import pytest

import intergreen.agents
import intergreen.envs


def module_names() -> list[str]:
    """Every module of the library but the one that runs the command line when imported."""
    packages = (intergreen.envs, intergreen.agents)
    found = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return sorted(name for name in found if not name.endswith("__main__"))


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_some_examples_were_found():
    examples = doctest.DocTestFinder().find(importlib.import_module("intergreen.agents.options"))
    assert any(test.examples for test in examples)
