"""Networks that SUMO's `netgenerate` makes, read as any other network of SUMO's."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from intergreen.envs.network.road_network import RoadNetwork, require_signals
from intergreen.envs.network.sumo import read_sumo_network

_LONGEST_S = 60.0  # it takes tenths of a second
_MEND = "let more junctions have signals (tls.guess.threshold, default.junctions.type)"


def generate_sumo_network(
    name: str, options: Mapping[str, str | float | bool], *, netgenerate: Path, seed: int
) -> RoadNetwork:
    """The network of the options and the seed: the same for the same version of SUMO.

    Parameters
    ----------
    options : of `netgenerate`, by their names without dashes; see "netgenerate" in SUMO's documentation
    netgenerate : the program

    Raises
    ------
    InputError
        If nothing in the network has a signal, or it cannot be read.
    ValueError
        If `netgenerate` makes none, with its words.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.net.xml"
        run_netgenerate(file, options, netgenerate=netgenerate, seed=seed)
        network = read_sumo_network(file)
    require_signals(network, name, mend=_MEND)
    return network


def run_netgenerate(file: Path, options: Mapping[str, str | float | bool], *, netgenerate: Path, seed: int) -> None:
    """Let it write the ``.net.xml`` at `file`; see `generate_sumo_network`."""
    given = [f"--{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in options.items()]
    command = [str(netgenerate), *given, f"--seed={seed}", "--output-file", str(file)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        raise ValueError(f"netgenerate has not ended after {_LONGEST_S:g} s") from None
    if made.returncode != 0 or not file.is_file():
        raise ValueError(f"netgenerate failed: {' '.join(made.stderr.split())}")
