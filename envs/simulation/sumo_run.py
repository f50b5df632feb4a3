"""One simulation in SUMO through libsumo, in this process: aspects of the movements in, what is displayed and who is
where out. libsumo holds one simulation per process.

What a signal shows is set as a state of its own (`setRedYellowGreenState`), which lasts until the next one: no
programme of the network's file advances meanwhile. What is displayed is read back from SUMO after every second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.demand.sumo_trips import write_sumo_trips
from intergreen.envs.simulation.motion import HALTED_BELOW_MPS
from intergreen.envs.simulation.sumo_folder import ScratchFolder
from intergreen.envs.simulation.sumo_lamps import Lamps
from intergreen.envs.simulation.sumo_library import heard_errors, load_libsumo, start_libsumo
from intergreen.envs.simulation.sumo_sums import Second, Sums

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.simulation.sumo_world import SumoWorld

INCIDENTS = ("teleports", "collisions", "emergency_stops")


class Seen(NamedTuple):
    """What a second has brought."""

    displayed: ByteArray  # (M,) lamps lit, read back from SUMO
    calls: ByteArray  # (M,) who stands at a stop line after it; empty where nobody asks


class LaneSeconds(NamedTuple):
    """Lane sums of one replica since they were last taken; as `LaneSums`, without the backlogs' signs."""

    queue: FloatArray  # (L,)
    delay: FloatArray  # (L,)
    person_delay: FloatArray  # (L,)


class SumoRun:
    """A simulation; what a second `reset` in the same process begins is not the same every time."""

    def __init__(self, world: SumoWorld) -> None:
        self._sumo, self._world = load_libsumo(), world
        self._folder = ScratchFolder(world.folder)
        self._is_loaded = False
        self.cpu_s = 0.0  # spent here, starting and loading left out

    def reset(self, trips: Trips, seed: int) -> None:
        """Load network and trips, and stand before the first second.

        Raises
        ------
        RuntimeError
            With SUMO's words, if it refuses them.
        """
        self._end()
        world, sumo = self._world, self._sumo
        routes = self._folder.path / "trips.rou.xml"
        write_sumo_trips(
            routes,
            world.demand,
            trips,
            world.road_ids,
            world.road_length_m,
            lane_change=world.lane_change,
            fan_out=world.fan_out,
        )
        try:
            with heard_errors() as said:
                start_libsumo(["-n", str(world.names.net), "-r", str(routes), *_options(world, seed)])
        except (sumo.TraCIException, sumo.FatalTraCIError) as error:
            errors = [line.removeprefix("Error: ") for line in said if line.startswith("Error: ")]
            raise RuntimeError(" ".join((errors or [str(error)])[0].split())) from None
        self._is_loaded = True
        self._lamps = Lamps(world.names.signals, world.n_movements)
        self._read_lanes()
        self._sums = Sums(world, trips)
        self._taken = LaneSeconds(*(np.zeros(world.n_lanes) for _ in LaneSeconds._fields))
        self._occupancy = np.array([kind.occupancy for kind in world.demand.types])[trips.type]
        self._trips = trips
        self._incidents: IntArray = np.zeros(len(INCIDENTS), np.int32)
        self._step()  # puts the first trips on the road: SUMO's vehicles do not drive in the second they enter
        self._observe()
        self._sums.begin()
        self.cpu_s = 0.0

    def _step(self) -> None:
        """One second; SUMO looks at a vehicle when it departs, and refuses some only then."""
        try:
            self._sumo.simulationStep()
        except (self._sumo.TraCIException, self._sumo.FatalTraCIError) as error:
            raise RuntimeError(" ".join(str(error).split())) from None

    def advance(self, aspects: ByteArray) -> Seen:
        """One second with these lamps (M,) lit.

        Raises
        ------
        RuntimeError
            With SUMO's words, if it goes no further.
        """
        begin = time.process_time()
        lights = self._sumo.trafficlight
        for signal, state in self._lamps.changes(aspects):
            lights.setRedYellowGreenState(signal, state)
        self._step()
        self._note_incidents()
        self._sums.add(self._observe())
        self._add_lane_second(self._sums.seen)
        displayed = self._lamps.read([lights.getRedYellowGreenState(s.id) for s in self._world.names.signals], aspects)
        seen = Seen(displayed, self._calls() if self._world.hears_calls else np.zeros(0, np.uint8))
        self.cpu_s += time.process_time() - begin
        return seen

    def counts(self, near_m: FloatArray, bounds_m: FloatArray) -> tuple[Any, ...]:
        """The fields of `Counts`, (L,) or (L, bins) each."""
        begin = time.process_time()
        n_lanes, second = self._world.n_lanes, self._sums.seen
        on_lane = second.seen >= 0
        lane, speed = second.seen[on_lane], second.speed_mps[on_lane]
        rest_m = self._rest_m(second.trip[on_lane], lane) + second.crossing_m[on_lane]
        vehicles = np.bincount(lane, minlength=n_lanes).astype(np.int32)
        halted = speed < HALTED_BELOW_MPS
        waiting = np.bincount(lane[halted], minlength=n_lanes).astype(np.int32)
        near = np.bincount(lane[~halted & (rest_m <= near_m[lane])], minlength=n_lanes).astype(np.int32)
        bins = (rest_m[:, None] > bounds_m[lane]).sum(axis=1)
        arriving = np.zeros((n_lanes, bounds_m.shape[1] + 1), np.int32)
        np.add.at(arriving, (lane[~halted], bins[~halted]), 1)
        total = np.bincount(lane, speed, minlength=n_lanes)
        mean_speed = np.divide(total, vehicles, out=np.zeros(n_lanes), where=vehicles > 0)
        self.cpu_s += time.process_time() - begin
        return vehicles, waiting, near, np.ascontiguousarray(arriving[:, :-1]), mean_speed

    def totals(self) -> dict[str, float]:
        """The fields of `Totals`."""
        return self._sums.totals()

    def told_incidents(self) -> IntArray:
        """(3,) how many of each of `INCIDENTS` so far."""
        return self._incidents

    def take_lane_seconds(self) -> LaneSeconds:
        """The lane sums of the seconds since the last call."""
        taken = LaneSeconds(*(values.copy() for values in self._taken))
        for values in self._taken:
            values[:] = 0.0
        return taken

    def waiting_outside(self) -> tuple[IntArray, FloatArray]:
        """(L,) vehicles and people that wait outside, by the lane their trips begin on."""
        trips = self._sums.waiting_outside()
        lane = self._trips.start_lane[trips]
        n_lanes = self._world.n_lanes
        vehicles = np.bincount(lane, minlength=n_lanes).astype(np.int32)
        return vehicles, np.bincount(lane, self._occupancy[trips], minlength=n_lanes).astype(np.float64)

    def positions(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Trip, lane, metres from its beginning and speed of everybody on a lane; who is inside a junction is not."""
        second = self._sums.seen
        on_lane = second.lane >= 0
        trip, lane = second.trip[on_lane], second.lane[on_lane]
        at_m = self._world.lane_length_m[lane] - self._rest_m(trip, lane)
        return trip, lane, at_m, second.speed_mps[on_lane]

    def close(self) -> None:
        """End the simulation; its files are gone then."""
        self._end()
        self._folder.remove()

    def _end(self) -> None:
        if self._is_loaded:
            self._is_loaded = False
            self._sumo.close()

    def _read_lanes(self) -> None:
        """Every lane of SUMO's, inside junctions as well: which of ours it is, and its limit."""
        ours = {name: number for number, name in enumerate(self._world.names.lanes)}
        names = self._sumo.lane.getIDList()
        self._row = {name: row for row, name in enumerate(names)}
        self._row[""] = len(names)  # of nobody, or of a vehicle that SUMO has taken off the road
        self._lane_of_row = np.array([*(ours.get(name, -1) for name in names), -1], np.int32)
        self._seen_of_row, self._crossing_of_row_m = self._lane_of_row.copy(), np.zeros(len(names) + 1)
        for row, name in enumerate(names):
            behind = self._behind_cut(name, ours)
            if behind >= 0:
                self._seen_of_row[row], self._crossing_of_row_m[row] = behind, self._sumo.lane.getLength(name)
        self._limit_of_row = np.array([*(self._sumo.lane.getMaxSpeed(name) for name in names), np.inf])

    def _behind_cut(self, name: str, ours: dict[str, int]) -> int:
        """The lane of ours that this one, inside a junction, leads to over a cut of the street; -1 for all others."""
        behind, passed = name, set[str]()
        while behind.startswith(":") and behind not in passed:  # paths of pedestrians lead in circles
            passed.add(behind)
            links = self._sumo.lane.getLinks(behind)
            behind = links[0][0] if links else ""
        number = ours.get(behind, -1) if passed else -1
        return number if number in self._world.behind_cuts else -1

    def _observe(self) -> Second:
        """Everybody in the network now; two plain getters each cost a tenth of what SUMO itself takes for a vehicle,
        its subscriptions six times as much."""
        vehicles, simulation, sums = self._sumo.vehicle, self._sumo.simulation, self._sums
        for name in simulation.getDepartedIDList():
            sums.enter(int(name), vehicles.getSpeedFactor(name), vehicles.getMaxSpeed(name))
        for name in simulation.getArrivedIDList():
            sums.finish(int(name))
        names = vehicles.getIDList()
        lane_id, speed, row = vehicles.getLaneID, vehicles.getSpeed, self._row
        rows = np.array([row[lane_id(name)] for name in names], np.int32)
        speeds = np.array([speed(name) for name in names], np.float64)
        trips = np.array([int(name) for name in names], np.int32)
        lane, limit_mps = self._lane_of_row[rows], self._limit_of_row[rows]
        seen, crossing_m = self._seen_of_row[rows], self._crossing_of_row_m[rows]
        return Second(trips, lane, limit_mps, np.maximum(speeds, 0.0), seen, crossing_m)

    def _add_lane_second(self, second: Second) -> None:
        world = self._world
        here = second.seen >= 0
        here[here] = world.queues[second.seen[here]]
        lane, speed = second.seen[here], second.speed_mps[here]
        lacks = np.maximum(0.0, 1.0 - speed / np.minimum(world.lane_limit_mps[lane], world.fastest_mps))
        self._taken.queue[:] += np.bincount(lane[speed < HALTED_BELOW_MPS], minlength=world.n_lanes)
        self._taken.delay[:] += np.bincount(lane, lacks, minlength=world.n_lanes)
        people = self._occupancy[second.trip[here]]
        self._taken.person_delay[:] += np.bincount(lane, lacks * people, minlength=world.n_lanes)

    def _calls(self) -> ByteArray:
        second, world = self._sums.seen, self._world
        lanes, movements, within_m = world.calling
        here = np.isin(second.seen, lanes)
        lane = second.seen[here]
        nearest_m = np.full(world.n_lanes, np.inf)
        np.minimum.at(nearest_m, lane, self._rest_m(second.trip[here], lane) + second.crossing_m[here])
        calls = np.zeros(world.n_movements, np.uint8)
        calls[movements[nearest_m[lanes] <= within_m]] = 1
        return calls

    def _rest_m(self, trip: IntArray, lane: IntArray) -> FloatArray:
        """(n,) metres to the stop line."""
        at = self._sumo.vehicle.getLanePosition
        at_m = np.array([at(str(vehicle)) for vehicle in trip.tolist()], np.float64)
        return np.asarray(self._world.lane_length_m[lane] - at_m)

    def _note_incidents(self) -> None:
        simulation = self._sumo.simulation
        self._incidents += (
            simulation.getStartingTeleportNumber(),
            simulation.getCollidingVehiclesNumber(),
            simulation.getEmergencyStoppingVehiclesNumber(),
        )


def _options(world: SumoWorld, seed: int) -> list[str]:
    """Who collides is counted and drives on; SUMO would put them elsewhere."""
    more = ["-a", ",".join(world.settings.additional)] if world.settings.additional else []
    return [
        *more, "--seed", str(seed % 2**31), "--step-length", "1", "--no-step-log", "--no-warnings", "--threads", "1",
        "--time-to-teleport", f"{world.settings.time_to_teleport_s:g}", "--collision.action", "warn",
    ]  # fmt: skip
