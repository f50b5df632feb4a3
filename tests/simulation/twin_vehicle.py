"""One driver of the engine's plain-Python twin: the state of a vehicle and its arithmetic.

The order of the operations is CityFlow's, because the engine is held to equal floats.
"""

from __future__ import annotations

import math

from intergreen.envs.demand import VehicleType

TURN_SPEED_MPS = 8.3333
YIELD_DISTANCE_M = 5.0
NEVER = math.inf


class Vehicle:
    """One trip on the road or waiting to enter it."""

    def __init__(self, trip: int, kind: VehicleType, path: list[int], release_s: int, priority: int) -> None:
        self.trip = trip
        self.kind = kind
        self.path = path
        self.release_s = release_s
        self.priority = priority
        self.at = 0  # index of the own drivable in the path
        self.previous = -1  # the drivable it stood on before its last change of drivable
        self.distance = 0.0
        self.speed = 0.0
        self.leader: Vehicle | None = None
        self.gap = 0.0
        self.blocker: Vehicle | None = None
        self.entered_link = NEVER  # step at which it came onto its link
        self.gone = False

    @property
    def drivable(self) -> int:
        return self.path[self.at]

    def ahead(self, steps: int) -> int | None:
        """The drivable `steps` after the own one, None where the trip ends."""
        return self.path[self.at + steps] if self.at + steps < len(self.path) else None

    def braking_distance(self) -> float:
        return 0.5 * self.speed * self.speed / self.kind.max_decel_mps2

    def zone(self) -> float:
        """How far ahead this driver looks for a leader and minds the junction [m]."""
        kind = self.kind
        return kind.max_speed_mps * kind.max_speed_mps / kind.usual_decel_mps2 / 2 + kind.max_speed_mps * 2

    def can_yield(self, to_cross: float) -> bool:
        if to_cross > 0:
            return self.braking_distance() < to_cross - YIELD_DISTANCE_M
        return to_cross < 0 and to_cross + self.kind.length_m < 0

    def stop_before(self, distance: float) -> float:
        """Next speed of a driver who will stand `distance` metres ahead."""
        faster = self.speed + self.kind.usual_accel_mps2
        if (self.speed + faster) / 2 + faster * faster / self.kind.usual_decel_mps2 / 2 < distance:
            return faster
        steps = 2 * distance / (self.speed + 1e-8)
        if steps >= 1:
            return self.speed - self.speed / math.floor(steps)
        return self.speed - self.speed / steps if self.speed > 0 else 0.0

    def reach_steps(self, distance: float, *, turns: bool) -> int:
        """Whole seconds until a point `distance` metres ahead is reached."""
        if distance <= 0:
            return 0
        target = TURN_SPEED_MPS if turns else self.kind.max_speed_mps
        accel = self.kind.usual_accel_mps2
        if self.speed > target:
            return math.ceil(distance / self.speed)
        whole = math.floor((target - self.speed) / accel)
        reached = self.speed + whole * accel
        used = (self.speed + reached) * whole / 2
        if reached < target:
            used += (reached + target) / 2
        if used > distance:
            return math.ceil((math.sqrt(self.speed * self.speed + 2 * accel * distance) - self.speed) / accel)
        return math.ceil((target - self.speed) / accel) + math.ceil((distance - used) / target)

    def follow_speed(self) -> float:
        """Next speed that keeps clear of the leader."""
        lead, me, v = self.leader, self.kind, self.speed
        if lead is None:
            return me.max_speed_mps
        closing = max(0.0, v - lead.speed)
        return min(
            no_collision_speed(lead.speed, lead.kind.max_decel_mps2, v, me.max_decel_mps2, self.gap, 0.0),
            no_collision_speed(lead.speed, lead.kind.usual_decel_mps2, v, me.usual_decel_mps2, self.gap, me.min_gap_m),
            (self.gap + (lead.speed + closing / 2) - v / 2) / (me.headway_s + 0.5),
        )


def no_collision_speed(
    leader_speed: float, leader_decel: float, speed: float, decel: float, gap: float, target_gap: float
) -> float:
    """Highest next speed that still stops `target_gap` behind a leader who brakes now; -100 where none does."""
    c = speed / 2 + target_gap - 0.5 * leader_speed * leader_speed / leader_decel - gap
    a = 0.5 / decel
    b = 0.5
    if b * b < 4 * a * c:
        return -100.0
    by_braking = 0.5 / a * (math.sqrt(b * b - 4 * a * c) - b)
    return min(by_braking, 2 * leader_speed - leader_decel + 2 * (gap - target_gap))


def leads_into_cycle(foe: Vehicle) -> bool:
    """Whether the chain of who waits for whom, from `foe` on, ever closes: then somebody must go."""
    seen = {id(foe)}
    vehicle = foe.blocker
    while vehicle is not None:
        if id(vehicle) in seen:
            return True
        seen.add(id(vehicle))
        vehicle = vehicle.blocker
    return False
