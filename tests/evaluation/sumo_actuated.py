"""One intersection in SUMO, under SUMO's own actuated control and under ours; prints the mean delay of either, s.

A process of its own, because libsumo holds one simulation per process. Same network, trips, drivers, greens, yellow,
red, least and longest green, and the same place of the detectors; ours is asked every second.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import libsumo
import numpy as np
import sumo

from intergreen.agents.controllers import Setup
from intergreen.agents.controllers.actuated import Actuated, ActuatedSettings
from intergreen.agents.controllers.base import near_distance_m
from intergreen.envs.demand import TurnSpec, generate_demand
from intergreen.envs.layout import arrival_bounds_m
from intergreen.envs.network import TURN_RIGHT, GridSpec, generate_grid
from intergreen.envs.network.sumo_plain import write_sumo_plain
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import Scenario
from intergreen.envs.signals import SignalStatus

LEAST_S, LONGEST_S, YELLOW_S, RED_S, PASSAGE_S, HORIZON_S = 5, 40, 3, 2, 2.5, 3600


class Junction:
    """What a display of our phases looks like in SUMO's letters, link by link."""

    def __init__(self, network, net_file):
        self.network, self.j = network, int(network.signalled[0])
        movement = {
            (network.road_ids[network.movement_from_road[m]], network.road_ids[network.movement_to_road[m]]): m
            for m in range(network.n_movements)
        }
        links = [one for one in ElementTree.parse(net_file).getroot().iter("connection") if "tl" in one.attrib]
        self.id = links[0].attrib["tl"]
        self.movements = np.zeros(len(links), int)
        for one in links:
            self.movements[int(one.attrib["linkIndex"])] = movement[one.attrib["from"], one.attrib["to"]]
        self.is_right = network.movement_turn[self.movements] == TURN_RIGHT
        lanes = [f"{one.attrib['from']}_{one.attrib['fromLane']}" for one in sorted(links, key=_index)]
        asking = {lane for lane, right in zip(lanes, self.is_right, strict=True) if not right}
        self.always_green = sorted(set(lanes) - asking)

    def letters(self, phase, ending="G"):
        green = self.network.phase_matrix(self.j)[phase][self.movements - self.network.movement_start[self.j]]
        shown = np.where(green, ending, "r")
        return "".join(np.where(self.is_right, "g", shown))  # right turns always have green and yield


def _index(connection):
    return int(connection.attrib["linkIndex"])


def converted(network, folder):
    """The network as SUMO's."""
    plain, net = write_sumo_plain(network, folder), folder / "network.net.xml"
    netconvert = Path(sumo.SUMO_HOME) / "bin" / "netconvert"
    command = [netconvert, "-n", plain["nod"], "-e", plain["edg"], "-x", plain["con"], "-o", net]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return net


def trips_file(scenario, folder):
    """The trips of seed 0, with the engine's drivers: headway as `tau`, no dawdling."""
    trips, (car,) = scenario.trips(0), scenario.demand.types
    root = ElementTree.Element("routes")
    driver = {
        "length": car.length_m, "minGap": car.min_gap_m, "maxSpeed": car.max_speed_mps, "accel": car.max_accel_mps2,
        "decel": car.max_decel_mps2, "tau": car.headway_s, "sigma": 0.0, "speedDev": 0.0,
    }  # fmt: skip
    ElementTree.SubElement(root, "vType", {"id": "car"} | {key: str(value) for key, value in driver.items()})
    for n, (release_s, route) in enumerate(zip(trips.release_s, trips.route, strict=True)):
        vehicle = ElementTree.SubElement(
            root, "vehicle", id=str(n), type="car", depart=str(release_s), departLane="best"
        )
        roads = " ".join(scenario.network.road_ids[road] for road in scenario.demand.route(route))
        ElementTree.SubElement(vehicle, "route", edges=roads)
    path = folder / "trips.rou.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def sumos_own(junction, folder):
    """A file with SUMO's actuated programme over our phases."""
    logic = ElementTree.Element("tlLogic", id=junction.id, type="actuated", programID="ours", offset="0")
    for key, value in (("max-gap", PASSAGE_S), ("passing-time", PASSAGE_S), ("detector-gap", PASSAGE_S)):
        ElementTree.SubElement(logic, "param", key=key, value=str(value))
    for lane in junction.always_green:  # ours takes no notice of those who never wait for a phase
        ElementTree.SubElement(logic, "param", key=lane, value="NO_DETECTOR")
    for phase in (1, 2, 3, 4):
        green = {"minDur": str(LEAST_S), "maxDur": str(LONGEST_S), "duration": str(LEAST_S)}
        ElementTree.SubElement(logic, "phase", green | {"state": junction.letters(phase)})
        ElementTree.SubElement(logic, "phase", duration=str(YELLOW_S), state=junction.letters(phase, "y"))
        ElementTree.SubElement(logic, "phase", duration=str(RED_S), state=junction.letters(phase, "r"))
    root = ElementTree.Element("additional")
    root.append(logic)
    path = folder / "signals.add.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def seen(network, near_m, bounds_m):
    """Lane counts as the native engine has them."""
    n = network.n_lanes
    counts = SimpleNamespace(
        waiting=np.zeros((1, n), np.int32),
        near=np.zeros((1, n), np.int32),
        arriving=np.zeros((1, n, bounds_m.shape[1]), np.int32),
    )
    lanes = np.diff(network.road_lane_start)
    for lane in range(n):
        road = network.lane_road[lane]
        name = f"{network.road_ids[road]}_{lanes[road] - 1 - network.lane_index[lane]}"
        for vehicle in libsumo.lane.getLastStepVehicleIDs(name):
            left_m = libsumo.lane.getLength(name) - libsumo.vehicle.getLanePosition(vehicle)
            if libsumo.vehicle.getSpeed(vehicle) < 0.1:
                counts.waiting[0, lane] += 1
                continue
            counts.near[0, lane] += left_m <= near_m[lane]
            step = int(np.searchsorted(bounds_m[lane], left_m))
            if step < bounds_m.shape[1]:
                counts.arriving[0, lane, step] += 1
    return counts


class OurLights:
    """Our controller, asked every second, with the same yellow and red between greens."""

    def __init__(self, junction, setup, recall):
        self.junction, self.network = junction, setup.network
        self.controller = Actuated(ActuatedSettings(PASSAGE_S, LEAST_S, LONGEST_S, recall))
        self.phase = int(self.controller.start(setup)[0, 0])
        self.near_m, self.bounds_m = near_distance_m(setup.network, 1), arrival_bounds_m(setup.network)
        self.green_s, self.left_s, self.target = 0, 0, self.phase

    def show(self, second):
        if self.left_s == 0 and self.target != self.phase:
            self.phase, self.green_s = self.target, 0
        if self.left_s == 0:
            status = SignalStatus(np.array([[self.phase]]), np.array([[self.green_s]]), None, None, None)
            counts = seen(self.network, self.near_m, self.bounds_m)
            self.target = int(self.controller.decide(counts, status, second)[0, 0])
            if self.target != self.phase and self.green_s > 0:
                self.left_s = YELLOW_S + RED_S
        if self.left_s > 0:
            letters = self.junction.letters(self.phase, "y" if self.left_s > RED_S else "r")
            self.left_s -= 1
        else:
            letters = self.junction.letters(self.phase)
            self.green_s += 1
        libsumo.trafficlight.setRedYellowGreenState(self.junction.id, letters)


def mean_delay_s(files, lights=None):
    """Seconds lost, on the way and waiting to enter, of all who arrived."""
    out = files["folder"] / "trips.xml"
    options = ["--no-step-log", "--no-warnings", "--time-to-teleport", "-1", "--tripinfo-output", str(out)]
    libsumo.start(["sumo", "-n", str(files["net"]), "-r", str(files["routes"]), "-a", str(files["signals"]), *options])
    second = 0
    while libsumo.simulation.getMinExpectedNumber() > 0:
        if lights is not None:
            lights.show(second)
        libsumo.simulationStep()
        second += 1
    libsumo.close()
    trips = ElementTree.parse(out).getroot().findall("tripinfo")
    return sum(float(t.attrib["timeLoss"]) + float(t.attrib["departDelay"]) for t in trips) / len(trips), len(trips)


def main(entry_vph):
    network = generate_grid(GridSpec(rows=1, columns=1))
    demand = generate_demand(network, TurnSpec(entry_vph=entry_vph, horizon_s=HORIZON_S), seed=1)
    scenario = Scenario("one", network, demand, HORIZON_S, fixed_demand=False, default_protocol="literature-10-5")
    protocol = protocol_by_name("literature-10-5")
    setup = Setup(network, protocol.plan(network), protocol, 1, flows_vph=scenario.flows_vph())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net, routes = converted(network, folder), trips_file(scenario, folder)
        junction = Junction(network, net)
        files = {"folder": folder, "net": net, "routes": routes, "signals": sumos_own(junction, folder)}
        theirs, n_theirs = mean_delay_s(files)
        ours = {recall: mean_delay_s(files, OurLights(junction, setup, recall)) for recall in ("min", "none")}
    trips = [n_theirs, *(n for _, n in ours.values())]
    print(
        json.dumps(
            {"sumo_s": theirs, "minimum_recall_s": ours["min"][0], "skipping_s": ours["none"][0], "trips": trips}
        )
    )


if __name__ == "__main__":
    main(float(sys.argv[1]))
