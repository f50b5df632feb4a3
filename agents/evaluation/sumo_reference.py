"""SUMO's own signals on a scenario, for reference: no shield of ours, no protocol, the same trips and metrics.

`static` is the programme that the files begin with; `actuated` the same phases under SUMO's actuated control, which
ends a green at a gap of three seconds on its detectors, between the file's least and longest green, or 5 s and 50 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from intergreen.agents.evaluation.metrics import metrics_of
from intergreen.envs.network.sumo_include import read_elements
from intergreen.envs.network.sumo_programmes import Programmes
from intergreen.envs.simulation.sumo import SumoSimulator
from intergreen.envs.simulation.sumo_folder import ScratchFolder
from intergreen.envs.simulation.sumo_world import SumoSettings, sumo_world
from intergreen.envs.sumo_net_file import net_of, require_sumo

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.scenario import Scenario

KINDS = ("static", "actuated")
LEAST_GREEN_S, LONGEST_GREEN_S = "5", "50"
_NAME = "intergreen's own"  # of programmes, beside which any file may have others


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
    settings = SumoSettings(additional=(str(_own_programmes(scenario, kind, names.net, folder.path)),))
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


def _own_programmes(scenario: Scenario, kind: str, net: Path, folder: Path) -> Path:
    """The programmes that the scenario begins with, by a name that nobody has, in an additional file: as they are, on
    SUMO's clock, which stands at 0 when it begins here, or as actuated ones."""
    begin_s, end_s = scenario.sumo_window_s
    programmes, tags = Programmes(), {}
    for tag in chain(read_elements(net, "net"), *(read_elements(path) for path in scenario.sumo_additional)):
        programmes.read(tag, begin_s)
        if tag.name == "tlLogic" and any(tag.children("phase")):
            tags[tag.id(), tag.text("programID", "0")] = tag
    root = ElementTree.Element("additional")
    for signal, programme in programmes.running(begin_s, end_s).items():
        tag = tags[signal, programme.name]
        logic = deepcopy(tag.element)
        other = {"offset": f"{programme.offset_s - begin_s:g}"} if kind == "static" else {"type": "actuated"}
        logic.attrib.update({"programID": _NAME} | other)
        for phase in logic.iter("phase") if kind == "actuated" else ():
            phase.attrib.update(_limits(phase.attrib["state"]) | phase.attrib)
        root.append(logic)
    path = folder / "programmes.add.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def _limits(state: str) -> dict[str, str]:
    is_green = bool(set(state) & set("Gg")) and not set(state) & set("yu")
    return {"minDur": LEAST_GREEN_S, "maxDur": LONGEST_GREEN_S} if is_green else {}
