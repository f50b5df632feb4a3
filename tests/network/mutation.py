"""A random change anywhere in a JSON document, for hypothesis."""

import copy
from typing import Any

from hypothesis import strategies as st

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, -1, 1, 1e308, 1e-308, 10**30, 0.1, "", "in_W", "c", [], {}, [[]], {"x": 1, "y": 2}]),
    st.text(max_size=4),
)


def containers(document: Any) -> list[Any]:
    found = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list)) and value:
            found.append(value)
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to three values deleted, replaced, doubled or exchanged with another."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = containers(document)
        if not places:
            break
        place, other = draw(st.sampled_from(places)), draw(st.sampled_from(places))
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        change = draw(st.sampled_from(["delete", "replace", "double", "exchange"]))
        if change == "delete":
            del place[key]
        elif change == "double" and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        elif change == "exchange":
            other_key = draw(st.sampled_from(list(other) if isinstance(other, dict) else range(len(other))))
            place[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(place[key])
        else:
            place[key] = copy.deepcopy(draw(ODD))  # a later change may go inside it
    return document
