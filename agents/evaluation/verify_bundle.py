"""`intergreen verify BUNDLE`: does a bundle's proof hold, and is it the proof of the plans that the bundle states?

Reading a bundle has checked that its files are those that its sums tell of. Here the plans are made anew from the
networks that `signals.json` names, proved anew, and compared with every number that the bundle states of them: whoever
changes a proof and its sum is found out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from intergreen.agents.deployment.bundle import PROOF, SIGNALS, stated_plans
from intergreen.agents.deployment.draft import json_bytes
from intergreen.agents.deployment.proofs import proof_stated, prove_every_plan, signals_stated
from intergreen.agents.evaluation.verify import stated_proof
from intergreen.agents.tables import TextTable, table_of
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network import read_cityflow_network
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.protocol import FIELD, protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.agents.deployment.bundle import Bundle
    from intergreen.agents.deployment.proofs import Junctions
    from intergreen.agents.progress import Progress
    from intergreen.envs.network import RoadNetwork

Row = dict[str, Any]


class NamedNetwork(NamedTuple):
    """Junctions, and what they are called."""

    name: str
    network: RoadNetwork


def verify_bundle(bundle: Bundle, network: NamedNetwork | None = None, *, progress: Progress | None = None) -> Row:
    """What is found: `holds`, `differences` in words, and a row for every proof, with `in_bundle`.

    Parameters
    ----------
    network : the bundle's own, where it was made for one that is not shipped; any other is proved under its timings too

    Raises
    ------
    InputError
        If the bundle names junctions that are not here, or a network that is not its own.
    """
    signals, proofs = stated_plans(bundle)
    timings = tuple(dict.fromkeys((*bundle.protocols, *FIELD)))
    for name in timings:
        _check_protocol(bundle, name)
    stated = _stated_junctions(bundle, [*signals, *proofs], network)
    others = [network] if network is not None and all(network is not one for one in stated) else []
    of_bundle, rows = [], []
    for proved in prove_every_plan([*stated, *others], timings, progress=progress):
        is_stated = proved.junctions not in others
        if is_stated:
            of_bundle.append(proof_stated(proved))
        rows.append(stated_proof(*proved) | {"in_bundle": proved.found.proof.plan_hash in bundle.proved})
    differences = [
        *([] if signals and proofs else ["no plan is stated, or none is proved"]),
        *_differences(SIGNALS, signals, signals_stated(stated, timings)),
        *_differences(PROOF, proofs, of_bundle),
        *(f"plan {row['plan_hash'][:12]} is not safe: {row['violation']['what']}" for row in rows if not row["holds"]),
    ]
    return {"bundle": bundle.name, "holds": not differences, "differences": differences, "proofs": rows}


def bundle_table(found: Row) -> TextTable:
    """One row for every proof."""
    rows = [
        {
            "network": one["scenario"],
            "protocol": one["protocol"],
            "states": one["states"],
            "transitions": one["transitions"],
            "seconds": f"{one['seconds']:.2f}",
            "plan": one["plan_hash"][:12],
            "proof": "holds" if one["holds"] else one["violation"]["invariant"],
            "in the bundle": "yes" if one["in_bundle"] else "no",
        }
        for one in found["proofs"]
    ]
    verdict = "holds" if found["holds"] else f"does not hold ({len(found['differences'])})"
    return table_of(f"signal safety of the bundle {found['bundle']}: {verdict}", rows)


def named_network(name: str, *, drop_invalid_routes: bool = False) -> NamedNetwork:
    """The network of a scenario, a `roadnet.json`, or a folder that holds one."""
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return NamedNetwork(path.resolve().parent.name, read_cityflow_network(path))
    scenario = load_scenario(name, drop_invalid_routes=drop_invalid_routes)
    return NamedNetwork(scenario.name, scenario.network)


def _stated_junctions(bundle: Bundle, rows: Sequence[Row], given: NamedNetwork | None) -> list[Junctions]:
    """The networks of the rows, in their order: the one that is given where it is the bundle's own, or shipped ones."""
    names = list(dict.fromkeys(row["network"] for row in rows))
    if bundle.network is None:
        return [_shipped(bundle, name) for name in names]
    if len(names) != 1:
        raise InputError(bundle.folder / SIGNALS, "signals", f"are of {len(names)} networks, not one", "export again")
    own = given or _shipped(bundle, names[0])
    if fingerprint_of(own.network) != bundle.network:
        mend = "name the one that it was made for" if given else "name its network behind the bundle"
        raise InputError(bundle.folder, "network", f"was made for another network than {own.name}", mend)
    return [NamedNetwork(names[0], own.network)] if given is None or given.name != names[0] else [given]


def _shipped(bundle: Bundle, name: str) -> Junctions:
    if name not in scenario_names():  # a name from a file is no path
        problem = f"names the network {shown(name)}, which is not shipped"
        raise InputError(bundle.folder / SIGNALS, "network", problem, "name its network behind the bundle")
    return load_scenario(name)


def _check_protocol(bundle: Bundle, name: str) -> None:
    try:
        protocol_by_name(name)
    except InputError as error:
        raise InputError(bundle.folder / SIGNALS, "protocols", error.problem, "use the version in the card") from None


def _differences(file: str, stated: Sequence[Row], found: Sequence[Row]) -> Iterator[str]:
    """In words, plan by plan."""
    wanted = {row["plan_hash"]: row for row in json.loads(json_bytes(list(found)))}
    met: set[str] = set()
    for row in stated:
        plan = row["plan_hash"]
        where = f"{file}: plan {shown(plan[:12])} of {shown(row['network'])} under {shown(row['protocol'])}"
        if plan in met:
            yield f"{where} stands there twice"
        elif plan not in wanted:
            yield f"{where} is no plan of the junctions that the bundle names"
        else:
            yield from (f"{where}: {words}" for words in _changes(row, wanted[plan]))
        met.add(plan)
    for plan, row in wanted.items():
        if plan not in met:
            yield f"{file}: plan {plan[:12]} of {row['network']} is missing"


def _changes(stated: Row, found: Row) -> Iterator[str]:
    for key in sorted(stated.keys() | found.keys()):
        if key not in found:
            yield f"{shown(key)} is nothing that is stated"
        elif key not in stated:
            yield f"{key} is missing"
        elif stated[key] != found[key]:
            yield f"{key} is {shown(stated[key])}, found {shown(found[key])}"
