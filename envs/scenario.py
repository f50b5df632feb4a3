"""A scenario: a network, who drives on it, and for how long. From a shipped name, a YAML file or a folder.

A folder holds `roadnet.json` and `flow.json` (or both gzipped), or a `.sumocfg` of SUMO's, and always runs its own
demand. A YAML file describes a network and a demand; each seed draws its own trips from that demand. Benchmark networks
are read from the folder that INTERGREEN_DATA names, RESCO's also from the package sumo-rl (`benchmarks.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from intergreen.envs import benchmarks
from intergreen.envs.arrays import FloatArray
from intergreen.envs.demand import (
    Demand,
    Profile,
    Trips,
    randomise,
    read_cityflow_demand,
    read_sumo_demand,
    release_trips,
    vary,
)
from intergreen.envs.demand.demand import check_vehicles
from intergreen.envs.demand.release import choose_start_lanes
from intergreen.envs.demand.volumes import busy_s, missing_movement, movement_volumes, released_vehicles
from intergreen.envs.errors import InputError, meant
from intergreen.envs.network import RoadNetwork, find_file, read_cityflow_network, read_sumo_network, require_signals
from intergreen.envs.network.files import read_json
from intergreen.envs.protocol import checked_seconds
from intergreen.envs.scenario_file import NO_LIGHTPHASES, read_scenario_file
from intergreen.envs.sumo_config import SUFFIX, is_sumo_config, read_sumo_config, sumo_config_in

EMBEDDED = ("single", "arterial6", "grid4x4", "town", "city1024")
FOLDER_HORIZON_S = 3600
FOLDER_PROTOCOL = "literature-10-5"
SUMO_PROTOCOL = "resco"
SURVEY_S = 900.0  # volumes are counted for 15 minutes at least, the Highway Capacity Manual's analysis period


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A network with its demand.

    demand            the routes and vehicle types that all trips refer to
    fixed_demand      True: the demand's own trips for every seed; False: each seed draws as many on average
    default_protocol  the timing used where none is asked for
    profile           how the drawn trips are spread over time
    varied            True: a fixed demand's trips are other ones for every seed, see `unseen.with_varied_trips`
    evenly            True: drawn trips of a route follow each other evenly, as in files of flows, not by chance
    level             factor on the number of trips, see `unseen.at_level`
    survey_vph        (M,) volumes that plans are made from where they are not the demand's; None: they are
    sumo_net          the SUMO file that the network was read from, with
    sumo_additional   the files that may have programmes of its signals, and
    sumo_window_s     the seconds of SUMO's clock between which it was read; ours stands at 0 at the first
    """

    name: str
    network: RoadNetwork
    demand: Demand
    horizon_s: int
    fixed_demand: bool
    default_protocol: str
    profile: Profile = field(default_factory=Profile)
    varied: bool = False
    evenly: bool = False
    level: float = 1.0
    survey_vph: FloatArray | None = None
    sumo_net: Path | None = None
    sumo_window_s: tuple[float, float] = (0.0, math.inf)
    sumo_additional: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        checked_seconds("horizon_s", self.horizon_s)
        for name in ("fixed_demand", "varied", "evenly"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"need True or False as {name}, got {getattr(self, name)!r}")
        if self.evenly and self.fixed_demand:
            raise ValueError("a fixed demand has trips of its own: leave out evenly, or draw them (fixed_demand=False)")
        last_road = int(self.demand.route_roads.max(initial=-1))
        if last_road >= self.network.n_roads:
            there = f"network {self.network.name!r} has {self.network.n_roads}"
            raise ValueError(
                f"the demand is of another network: it drives on {last_road + 1} roads or more, and {there}"
            )
        missing = missing_movement(self.network, self.demand)
        if missing is not None:
            road, following = (self.network.road_ids[road] for road in missing)
            raise ValueError(
                f"the demand is of another network: a route goes from road {road!r} to road {following!r}, and nothing "
                f"leads there in network {self.network.name!r}"
            )

    def trips(self, seed: int, *, horizon_s: int | None = None) -> Trips:
        """Trips released before the horizon (the scenario's where none is given); the same for the same seed.

        With fixed demand the seed decides only on which of several possible lanes a trip starts, unless it is `varied`.

        Raises
        ------
        InputError
            If there are more trips than a run can have.
        """
        horizon_s = self.horizon_s if horizon_s is None else horizon_s
        try:
            if self.fixed_demand:
                trips = release_trips(self.network, self.demand, horizon_s=horizon_s, seed=seed)
                if self.level == 1.0 and not self.varied:
                    return trips
                check_vehicles(len(trips) * self.level)
                drawn = vary if self.varied else randomise
                return drawn(trips, self.demand, self.network, horizon_s=horizon_s, seed=seed, scale=self.level)
            # A shorter run meets the beginning of the same trips.
            return _released_before(horizon_s, self._drawn_trips(seed, max(horizon_s, self.horizon_s)))
        except ValueError as error:
            raise InputError(self.name, "demand", str(error), "shorten the horizon or thin the demand") from None

    def flows_vph(self) -> FloatArray:
        """(M,) vehicles per hour that are expected on every movement, as a survey of volumes would give them.

        Of a fixed demand, from its first release to its last: many files send all their vehicles early in their window.
        """
        if self.survey_vph is not None:
            return self.survey_vph
        expected, seconds = np.ones(self.demand.n_flows), float(self.horizon_s)
        if self.fixed_demand:
            expected = released_vehicles(self.demand, self.horizon_s)
            seconds = min(seconds, max(SURVEY_S, busy_s(self.demand, expected)))
        return movement_volumes(self.network, self.demand, expected) * 3600.0 / seconds

    def _drawn_trips(self, seed: int, horizon_s: int) -> Trips:
        """Poisson copies of the demand's flows. Routes stay the demand's, so that replicas of all seeds share them."""
        random = np.random.default_rng(seed)
        expected = self.level * self.profile.seconds(horizon_s) / self.profile.seconds(self.horizon_s)
        check_vehicles(expected * self.demand.n_flows)
        if self.evenly:
            return self._even_trips(random, expected, horizon_s)
        flow = np.repeat(np.arange(self.demand.n_flows), random.poisson(expected, self.demand.n_flows))
        random.shuffle(flow)
        release_s = self.profile.draw(len(flow), horizon_s, random)
        route = self.demand.flow_route[flow]
        lane = choose_start_lanes(self.network, self.demand, route, random)
        return Trips(release_s, route, self.demand.flow_type[flow], lane)

    def _even_trips(self, random: np.random.Generator, expected: float, horizon_s: int) -> Trips:
        """`expected` times the trips of every route, evenly from a share of its interval on: half of the times the same
        share for all routes, as where all flows of a file begin at once."""
        demand = self.demand
        in_order = np.argsort(demand.flow_route, kind="stable")
        starts = np.searchsorted(demand.flow_route[in_order], np.arange(demand.n_routes + 1))
        numbers = expected * np.diff(starts)
        begun = np.full(demand.n_routes, random.random()) if random.random() < 0.5 else random.random(demand.n_routes)
        count = np.maximum(np.ceil(numbers - begun), 0).astype(np.int64)
        route = np.repeat(np.arange(demand.n_routes, dtype=np.int32), count)
        number = np.arange(len(route)) - np.repeat(np.cumsum(count) - count, count)
        release_s = self.profile.times((number + begun[route]) / numbers[route], horizon_s)
        model = in_order[starts[route] + (random.random(len(route)) * np.diff(starts)[route]).astype(np.int64)]
        order = np.argsort(release_s, kind="stable")
        lane = choose_start_lanes(self.network, demand, route[order], random)
        return Trips(release_s[order], route[order], demand.flow_type[model][order], lane)


def _released_before(horizon_s: int, trips: Trips) -> Trips:
    n = int(np.searchsorted(trips.release_s, horizon_s))
    return Trips(trips.release_s[:n], trips.route[:n], trips.type[:n], trips.start_lane[:n])


def scenario_names() -> tuple[str, ...]:
    """Names that can be loaded here: the embedded scenarios and the benchmark networks, if there are any."""
    return (*EMBEDDED, *benchmarks.names())


def load_scenario(name: str | Path, *, drop_invalid_routes: bool = False) -> Scenario:
    """The scenario of that name, YAML file, `.sumocfg` or folder.

    Parameters
    ----------
    drop_invalid_routes : leave out vehicles of a folder whose route does not exist, as CityFlow does; counted in
        `demand.dropped_flows`

    Raises
    ------
    InputError
        If there is no such scenario, or anything in its files is wrong.
    """
    text, path = str(name), Path(name)
    if text in EMBEDDED:
        with as_file(files("intergreen.configs") / "scenarios" / f"{text}.yaml") as shipped:
            return _from_yaml(shipped)
    folder = benchmarks.folder(text)
    if folder is not None:
        return _from_folder(folder, text, drop_invalid_routes)
    if path.is_dir():
        return _from_folder(path, path.resolve().name, drop_invalid_routes)
    if path.is_file():
        if is_sumo_config(path):
            return _from_sumo(path, path.stem, drop_invalid_routes)
        _refuse_half(path)
        return _from_yaml(path)
    raise _unknown(text)


def _refuse_half(path: Path) -> None:
    """A network without a demand, or the other way about, is no scenario."""
    stem = path.name.removesuffix(".gz")
    if stem in ("roadnet.json", "flow.json"):
        raise InputError(path, "", "is half a scenario", "name the folder that holds roadnet.json and flow.json")
    if stem.endswith(".json") and _is_cityflows(read_json(path)):
        mend = "name the folder that holds roadnet.json and flow.json"
        raise InputError(path, "", "is a part of a scenario of CityFlow's", mend)
    if stem.endswith(".xml"):
        raise InputError(path, "", "is a part of a scenario of SUMO's", f"name the {SUFFIX} that lists it")


def _is_cityflows(content: object) -> bool:
    """Are these the flows, the network or the configuration that CityFlow reads?"""
    return isinstance(content, list) or (
        isinstance(content, dict) and bool({"intersections", "roadnetFile"} & set(content))
    )


def _from_folder(folder: Path, name: str, drop_invalid_routes: bool) -> Scenario:
    config = sumo_config_in(folder)
    if config is not None:
        return _from_sumo(config, name, drop_invalid_routes)
    _refuse_net_alone(folder)
    roadnet = find_file(folder, "roadnet.json")
    network = read_cityflow_network(roadnet)
    require_signals(network, roadnet, mend=NO_LIGHTPHASES)
    demand = read_cityflow_demand(find_file(folder, "flow.json"), network, drop_invalid=drop_invalid_routes)
    return Scenario(name, network, demand, FOLDER_HORIZON_S, fixed_demand=True, default_protocol=FOLDER_PROTOCOL)


def _refuse_net_alone(folder: Path) -> None:
    """A network of SUMO's with nothing that says which trips it has, and none of CityFlow's beside it."""
    nets = sorted(folder.glob("*.net.xml*"))
    if nets and not any(folder.glob("roadnet.json*")):
        mend = f"write a {SUFFIX} that lists its net-file and route-files"
        raise InputError(folder, "", f"holds {nets[0].name} and no {SUFFIX}", mend)


def _from_sumo(path: Path, name: str, drop_invalid_routes: bool) -> Scenario:
    config = read_sumo_config(path)
    begin_s, end_s = config.given.window
    network = read_sumo_network(config.net, begin_s=begin_s, end_s=end_s, additional=config.additional)
    require_signals(network, config.net, mend="use a network with traffic lights (netconvert --tls.guess)")
    given = config.given._replace(drop_invalid=drop_invalid_routes or config.given.drop_invalid)
    demand = read_sumo_demand(config.demand_files, network, given, net_file=config.net)
    protocol = benchmarks.PROTOCOLS.get(name, SUMO_PROTOCOL)
    return Scenario(
        name,
        network,
        demand,
        config.horizon_s,
        fixed_demand=True,
        default_protocol=protocol,
        sumo_net=config.net,
        sumo_window_s=(begin_s, end_s),
        sumo_additional=config.additional,
    )


def _from_yaml(path: Path) -> Scenario:
    content = read_scenario_file(path)
    return Scenario(
        name=content.name,
        network=content.network,
        demand=content.demand,
        horizon_s=content.horizon_s,
        fixed_demand=False,
        default_protocol=content.protocol,
        profile=content.profile,
    )


def _unknown(name: str) -> InputError:
    missing = benchmarks.what_is_missing(name)
    if missing is not None:
        return InputError(name, "", *missing)
    names = scenario_names()
    known = (
        f"use one of {', '.join(names)}, a YAML file, a .sumocfg, or a folder with a .sumocfg or with roadnet.json and"
        " flow.json"
    )
    return InputError(name, "", "no such scenario, file or folder", meant(name, names).rstrip() or known)
