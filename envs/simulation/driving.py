"""How one driver chooses a speed: car following, stopping, and the time to reach a point.

Scalars in, scalars out, one-second steps. The formulas are CityFlow's (Zhang et al., 2019, "CityFlow: a
multi-agent reinforcement learning environment for large scale city traffic scenario"). The order of the
operations is part of the model: a last-digit difference flips a branch within tens of simulated minutes.
"""

from __future__ import annotations

import math

import numpy as np

from intergreen.envs.simulation.compile import inlined

NO_SAFE_SPEED = -100.0  # what the no-collision formula answers when even standing still is too fast
KRAUSS_EPS_M = 0.001  # SUMO's NUMERICAL_EPS
STOP_HEADWAY_S = 1.0  # of SUMO's drivers before a stop line: a step, whatever their tau (`MSCFModel_Krauss::stopSpeed`)
KRAUSS_MARGIN_M = 10.0 * KRAUSS_EPS_M
_WITHIN_A_SECOND = 0.9  # of what takes one whole second of braking: well away from all rounding
_SPEED_EPS = 1e-8


@inlined
def no_collision_speed(leader_speed, leader_decel, speed, decel, gap, target_gap):
    """Highest next speed [m/s] that still stops `target_gap` behind a leader who brakes now [m/s, m/s^2, m]."""
    a = 0.5 / decel
    c = speed * 0.5 + target_gap - 0.5 * leader_speed * leader_speed / leader_decel - gap
    discriminant = 0.25 - 4.0 * a * c
    if discriminant < 0.0:
        return NO_SAFE_SPEED
    by_braking = 0.5 / a * (math.sqrt(discriminant) - 0.5)
    by_distance = 2.0 * leader_speed - leader_decel + 2.0 * (gap - target_gap)
    return by_braking if by_braking < by_distance else by_distance


@inlined
def headway_speed(leader_speed, speed, gap, headway):
    """Next speed [m/s] that keeps the time headway [s], the leader's braking anticipated by half the difference."""
    closing = speed - leader_speed
    if closing < 0.0:
        closing = 0.0
    return (gap + (leader_speed + closing / 2.0) - speed * 0.5) / (headway + 0.5)


@inlined
def brake_distance(speed, decel):
    """Distance to a stand [m] at constant deceleration."""
    return 0.5 * speed * speed / decel


@inlined
def stop_before_speed(distance, speed, accel, decel):
    """Next speed [m/s] of a driver who will stand `distance` metres ahead."""
    faster = speed + accel
    if (speed + faster) * 0.5 + (faster * faster / decel / 2.0) < distance:
        return faster
    steps = 2.0 * distance / (speed + _SPEED_EPS)
    if steps >= 1.0:
        return speed - speed / math.floor(steps)
    if speed == 0.0:
        return 0.0
    return speed - speed / steps


@inlined
def krauss_brake_distance(speed, decel):
    """Distance to a stand [m] of SUMO's driver, who drives every whole second at the speed at its end."""
    if speed < decel:
        return 0.0
    steps = np.floor(speed / decel)
    return steps * speed - decel * steps * (steps + 1.0) * 0.5


@inlined
def krauss_speed(gap, leader_speed, leader_decel, decel, tau):
    """Highest next speed [m/s] of SUMO's driver `gap` metres behind a leader, or, of speed 0, a line.

    Krauss (1998), "Microscopic modeling of traffic flow", DLR, in whole seconds as SUMO has it
    (`MSCFModel::maximumSafeStopSpeedEuler`): whoever brakes by `decel` from the next second but `tau` on stands in
    time, behind a leader who brakes by `leader_decel` from now.
    """
    room = gap + krauss_brake_distance(leader_speed, leader_decel) - KRAUSS_EPS_M
    if room < 0.0:
        return 0.0
    if room < _WITHIN_A_SECOND * decel * tau:  # as in a queue: no whole second, so neither root nor rounding
        return room / tau
    steps = np.floor(0.5 - tau + 0.5 * math.sqrt(1.0 + 4.0 * (2.0 * room / decel - tau + tau * tau)))
    needed = 0.5 * steps * (steps - 1.0) * decel + steps * decel * tau
    return steps * decel + (room - needed) / (steps + tau)


@inlined
def krauss_is_free(gap, leader_speed, leader_half, decel, half, tau, speed):
    """Whether `krauss_speed` is surely higher than `speed` [m/s], found without a root or a division.

    half, leader_half : 0.5 / decel of the driver and of the leader [s^2/m]

    In whole seconds a way to a stand takes v^2 / (2 b) - v / 2 metres and between 0 and b / 8 more, see
    `krauss_brake_distance`; who drives at v needs v tau beside it. The rest is a margin above all rounding.
    """
    needed = speed * (speed * half - 0.5 + tau) + 0.125 * decel + KRAUSS_MARGIN_M
    return gap + leader_speed * (leader_speed * leader_half - 0.5) > needed


@inlined
def krauss_slowing_speed(distance, entry, decel, half, speed):
    """`speed` [m/s], lowered to the highest from which SUMO's driver slows down by `distance` metres ahead.

    It drives there at `entry` in the second in which it arrives, after whole seconds of braking by `decel`
    (`MSCFModel::freeSpeed`). Who is far enough is told without a root, as in `krauss_is_free`.

    half : 0.5 / decel [s^2/m]
    """
    if distance > (speed * speed - entry * entry) * half + 0.5 * (speed + entry) + 0.125 * decel + KRAUSS_MARGIN_M:
        return speed
    if distance < entry:
        return min(speed, entry)
    a = 0.5 * decel + entry
    steps = np.floor((math.sqrt(a * a + 2.0 * decel * distance) - a) / decel)
    spare = max(0.0, distance - entry - steps * (0.5 * decel * (steps + 1.0) + entry))
    return min(speed, entry + steps * decel + spare / (steps + 1.0))


@inlined
def chance(number, step):
    """A number in [0, 1) that depends on both alone, so that no state is kept: splitmix64 (Steele et al., 2014)."""
    z = np.uint64(number) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(step) * np.uint64(0xD1342543DE82EF95)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inlined
def reach_steps(distance, speed, target_speed, accel):
    """Whole seconds until `distance` [m] is covered, accelerating to `target_speed` [m/s].

    The last, partial second of the acceleration counts as a whole one, as in CityFlow.
    """
    if distance <= 0.0:
        return 0.0
    if speed > target_speed:
        return math.ceil(distance / speed)
    accelerating = 0.0
    if target_speed > speed:
        whole = math.floor((target_speed - speed) / accel)
        reached = speed + whole * accel
        accelerating = (speed + reached) * whole / 2.0
        if reached < target_speed:
            accelerating += (reached + target_speed) / 2.0
    if accelerating > distance:
        return math.ceil((math.sqrt(speed * speed + 2.0 * accel * distance) - speed) / accel)
    return math.ceil((target_speed - speed) / accel) + math.ceil((distance - accelerating) / target_speed)


@inlined
def speed_after(distance, speed, accel):
    """Speed [m/s] after `distance` [m] of a steady acceleration: `MSCFModel::estimateSpeedAfterDistance`."""
    return math.sqrt(max(0.0, speed * speed + 2.0 * accel * distance))


@inlined
def minimal_arrival_time(distance, speed, arrival_speed, accel):
    """Seconds until `distance` [m] is covered, accelerating to `arrival_speed` [m/s], at least `speed`, and no farther.

    `MSCFModel::getMinimalArrivalTime`; who creeps is told as if it drove 0.1 m/s.
    """
    if distance <= 0.0:
        return 0.0
    changing_s = (arrival_speed - speed) / accel
    rest = distance - 0.5 * changing_s * (arrival_speed + speed)
    if rest >= 0.0:
        return changing_s + rest / max(arrival_speed, 0.1)
    return (math.sqrt(speed * speed + 2.0 * accel * distance) - speed) / accel


@inlined
def can_yield(distance, braking, length, setback):
    """Whether a vehicle `distance` metres before a crossing (negative: past it) can leave it to another.

    braking : its distance to a stand [m]
    setback : m before the crossing where it would wait
    """
    if distance > 0.0:
        return braking < distance - setback
    return distance < 0.0 and distance + length < 0.0
