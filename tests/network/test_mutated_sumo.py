"""Whatever is in a SUMO network: it loads as a sound network or is an InputError."""

import copy
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from network.sumo_small import Crossroads
from network.test_mutated_files import assert_sound

from intergreen.envs.errors import InputError
from intergreen.envs.network import read_sumo_network
from intergreen.envs.signals import FixedClearance, make_plan

GOOD = Crossroads(waits_inside=(2,)).xml()
ODD = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1", "1e308", "nan", "inf", "1_0", "in_S", "C", ":C_0_0", "GGGG", "r", "0,0", "all"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=4),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The crossroads with one to three attributes or elements deleted, replaced, doubled or exchanged."""
    root = ElementTree.fromstring(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        parents = [element for element in root.iter() if len(element)]
        parent = draw(st.sampled_from(parents)) if parents else root
        change = draw(st.sampled_from(["drop", "double", "attribute", "forget", "exchange"]))
        if not len(parent):
            break
        child = draw(st.sampled_from(list(parent)))
        if change == "drop":
            parent.remove(child)
        elif change == "double":
            parent.append(copy.deepcopy(child))
        elif child.attrib:
            key = draw(st.sampled_from(sorted(child.attrib)))
            if change == "forget":
                del child.attrib[key]
            elif change == "attribute":
                child.set(key, draw(ODD))
            else:
                other = draw(st.sampled_from([e for e in root.iter() if e.attrib]))
                child.set(key, draw(st.sampled_from(sorted(other.attrib.values()))))
    return ElementTree.tostring(root)


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.net.xml")
        path.write_bytes(content)
        try:
            network = read_sumo_network(path)
            assert_sound(network)
            make_plan(network, timing=FixedClearance(3))
        except InputError as error:
            refusal = str(error)
        else:
            return
    assert refusal.isprintable()


@settings(max_examples=300)
@given(mutated())
def test_changed_network_loads_or_is_refused(content):
    check(content)


@settings(max_examples=150)
@given(st.data())
def test_damaged_bytes_load_or_are_refused(data):
    content = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(bytes(content))
