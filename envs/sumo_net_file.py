"""Which `.net.xml` a scenario runs on in SUMO: its own file where it was read from one, else one that netconvert makes.

Also the one place that asks whether SUMO is installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.envs.errors import InputError
from intergreen.envs.network.sumo_index import index_of_read, index_of_written
from intergreen.envs.network.sumo_plain import convert_plain, write_sumo_plain

if TYPE_CHECKING:
    from intergreen.envs.network.sumo_index import SumoIndex
    from intergreen.envs.scenario import Scenario

PACKAGES = ("sumo", "libsumo")


def require_sumo(who: str) -> None:
    """Raise InputError if SUMO is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        problem = f"SUMO is not installed: no package {missing[0]} is here"
        raise InputError(who, "", problem, 'install it: pip install "intergreen[sumo]"')


def sumo_program(name: str) -> Path:
    """One of the programs that come with SUMO, such as `netconvert`."""
    import sumo

    return Path(sumo.SUMO_HOME) / "bin" / name


def net_of(scenario: Scenario, folder: Path) -> SumoIndex:
    """The network's file, written to `folder` where it has none of its own, and what SUMO calls lanes and signals.

    Raises
    ------
    InputError
        If netconvert cannot make one.
    """
    if scenario.sumo_net is not None:
        begin_s, end_s = scenario.sumo_window_s
        return index_of_read(
            scenario.sumo_net, scenario.network, begin_s=begin_s, end_s=end_s, additional=scenario.sumo_additional
        )
    net = folder / "network.net.xml"
    try:
        convert_plain(write_sumo_plain(scenario.network, folder), net, sumo_program("netconvert"))
    except RuntimeError as error:
        words = " ".join(str(error).split())
        raise InputError(
            scenario.name, "network", words, "mend the network, or run it in the native simulator"
        ) from None
    return index_of_written(net, scenario.network)
