"""SUMO's own signals on a scenario, for reference: no shield of ours, no protocol, the same trips and metrics.

`static` is the programme of the network's file; `actuated` the same phases under SUMO's actuated control, which ends a
green at a gap of three seconds on its detectors, between the file's least and longest green, or 5 s and 50 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from intergreen.agents.evaluation.metrics import metrics_of
from intergreen.envs.network.sumo_include import read_elements
from intergreen.envs.simulation.sumo import SumoSimulator
from intergreen.envs.simulation.sumo_folder import ScratchFolder
from intergreen.envs.simulation.sumo_world import SumoSettings, sumo_world
from intergreen.envs.sumo_net_file import net_of, require_sumo

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.scenario import Scenario

KINDS = ("static", "actuated")
LEAST_GREEN_S, LONGEST_GREEN_S = "5", "50"


def own_signals(
    scenario: Scenario, kind: str, *, seeds: Sequence[int] = (0,), horizon_s: int | None = None
) -> dict[str, FloatArray]:
    """All metrics, one value a seed, with SUMO's own signals in charge.

    Parameters
    ----------
    kind : one of `KINDS`
    """
    require_sumo(scenario.name)
    horizon_s = scenario.horizon_s if horizon_s is None else horizon_s
    folder = ScratchFolder()
    names = net_of(scenario, folder.path)
    settings = SumoSettings(additional=() if kind == "static" else (str(_actuated(names.net, folder.path)),))
    unsignalled = names._replace(signals=())
    world = sumo_world(scenario.network, scenario.demand, unsignalled, settings, folder=folder.path, hears_calls=False)
    simulator = SumoSimulator(scenario.network, world)
    rows = []
    try:
        for seed in seeds:
            simulator.reset([scenario.trips(seed, horizon_s=horizon_s)], [seed])
            simulator.advance(horizon_s)
            rows.append(metrics_of(simulator.totals(), horizon_s=horizon_s))
    finally:
        simulator.close()
        folder.remove()
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _actuated(net: Path, folder: Path) -> Path:
    """The programmes of a net as actuated ones, in an additional file."""
    root = ElementTree.Element("additional")
    for tag in read_elements(net, "net"):
        if tag.name == "tlLogic":
            signal = ElementTree.SubElement(root, "tlLogic", id=tag.text("id"), type="actuated", programID="actuated")
            for phase in tag.children("phase"):
                ElementTree.SubElement(signal, "phase", _limits(phase.text("state")) | phase.element.attrib)
    path = folder / "actuated.add.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def _limits(state: str) -> dict[str, str]:
    is_green = bool(set(state) & set("Gg")) and not set(state) & set("yu")
    return {"minDur": LEAST_GREEN_S, "maxDur": LONGEST_GREEN_S} if is_green else {}
