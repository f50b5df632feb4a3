"""The greens of a SUMO programme: its phases without the yellow and the red between them, whatever its kind.

Static, actuated, NEMA and delay-based programmes are all read as their phases, with the times given. States that a
driver may treat as green are kept where nothing else serves a connection: a turn on red (`s`), a signal that is off
(`o` gives way, `O` has the right of way). A signal that is off altogether is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from intergreen.envs.network.sumo_net import SumoNet
    from intergreen.envs.network.sumo_programmes import Programme

MAJOR, MINOR = "G", "g"
_TRANSITION = frozenset("yYu")
_ELSE = {"s": MINOR, "o": MINOR, "O": MAJOR}  # what counts as green for a connection that nothing else serves


class Green(NamedTuple):
    """One phase: by index in the programme's states `G`, `g` where it yields, or `r`."""

    duration_s: float  # from the end of the green before, with the clearance, to its own end
    states: tuple[str, ...]  # more than one where phases that differ in who yields follow each other

    def serves(self, index: int) -> bool:
        return self.states[0][index] != "r"


class Greens(NamedTuple):
    """The phases of one signal, and how far its programme has come when the clock stands at 0."""

    phases: tuple[Green, ...]
    elapsed_s: float
    n_later: int = 0  # of the phases, the last ones: those of programmes that take over later, which last no time
    longest_red_s: float = 0.0  # of a phase without green or yellow for any car; it is none here


def greens_of(net: SumoNet, programme: Programme, used: Iterable[int], begin_s: float) -> Greens:
    """The phases that serve the connections with indices `used`; none where the signal is off.

    Raises
    ------
    InputError
        If nobody ever has green, or the programme lasts no time.
    """
    indices = sorted(set(used))
    states = [_plain(state, indices) for state in programme.states]
    if all(set(state) <= set("oO ") for state in states):
        return Greens((), 0.0)
    reds_s = [s for s, state in zip(programme.durations_s, states, strict=True) if set(state) <= set("r ")]
    states = _with_lasting_greens(states, indices)
    kept = _kept(states, indices)
    if not kept:
        raise net.fail(f"<tlLogic id={shown(programme.id)}>", "no phase gives green to anybody", "add one that does")
    later = _later_greens(programme, indices)
    if not programme.cycle_s > 0:
        raise net.fail(f"<tlLogic id={shown(programme.id)}>", "all its times are 0", "give a phase a time > 0")
    after_last_s = sum(programme.durations_s[kept[-1] + 1 :])  # the programme begins within the first phase
    elapsed_s = (begin_s - programme.offset_s + after_last_s) % programme.cycle_s
    phases = _merged(_timed(programme, states, kept))
    known = {_served(green) for green in phases}
    new = {_served(green): green for green in reversed(later) if _served(green) not in known}
    return Greens((*phases, *reversed(new.values())), elapsed_s, len(new), max(reds_s, default=0.0))


def never_green(programme: Programme, used: Iterable[int]) -> set[int]:
    """Of the indices `used`, those without green in any phase, of this programme and those that take over later."""
    indices = sorted(set(used))
    every = [one.states for one in (programme, *(later.programme for later in programme.later))]
    plain = [_with_lasting_greens([_plain(state, indices) for state in states], indices) for states in every]
    return {i for i in indices if not any(state[i] in "Gg" for states in plain for state in states)}


def _later_greens(programme: Programme, indices: list[int]) -> list[Green]:
    """Of the programmes that take over later: whoever is in charge may choose them; they last no time by themselves."""
    greens = []
    for _, one in programme.later:
        states = _with_lasting_greens([_plain(state, indices) for state in one.states], indices)
        greens += [Green(0.0, (_green_only(states[p]),)) for p in _kept(states, indices)]
    return greens


def _served(green: Green) -> str:
    return green.states[0].upper()


def _green_only(state: str) -> str:
    return "".join(c if c in "Gg" else "r" for c in state)


def _plain(state: str, indices: list[int]) -> str:
    """The state with blanks for what no car's connection shows."""
    shown_at = set(indices)
    return "".join(c if i in shown_at else " " for i, c in enumerate(state))


def _with_lasting_greens(states: list[str], indices: list[int]) -> list[str]:
    """A connection that never shows G or g goes by its other states, see `_ELSE`."""
    never = [i for i in indices if not any(state[i] in "Gg" for state in states)]
    return ["".join(_ELSE.get(c, c) if i in never else c for i, c in enumerate(state)) for state in states]


def _kept(states: list[str], indices: list[int]) -> list[int]:
    """Phases with a green and no yellow, and those with both that alone serve a connection."""
    with_green = [p for p, state in enumerate(states) if set(state) & set("Gg")]
    clean = [p for p in with_green if not set(states[p]) & _TRANSITION]
    served = {i for p in clean for i in indices if states[p][i] in "Gg"}
    needed = [p for p in with_green if any(states[p][i] in "Gg" and i not in served for i in indices)]
    return sorted({*clean, *needed})


def _timed(programme: Programme, states: list[str], kept: list[int]) -> list[Green]:
    """Each kept phase with its time and that of what is left out before it."""
    n = len(states)
    before = [kept[-1] - n, *kept[:-1]]
    return [
        Green(
            sum(programme.durations_s[p % n] for p in range(last + 1, own + 1)),
            (_green_only(states[own]),),
        )
        for last, own in zip(before, kept, strict=True)
    ]


def _merged(phases: list[Green]) -> tuple[Green, ...]:
    """Neighbours that serve the same connections are one phase."""
    merged = phases[:1]
    for phase in phases[1:]:
        last = merged[-1]
        if _served(phase) == _served(last):
            merged[-1] = Green(last.duration_s + phase.duration_s, last.states + phase.states)
        else:
            merged.append(phase)
    return tuple(merged)
