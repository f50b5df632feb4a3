"""SUMO's files that include others."""

from pathlib import Path

import pytest
from network import sumo_small as small
from network.sumo_small import Crossroads

from intergreen.envs.errors import InputError
from intergreen.envs.network import read_sumo_network
from intergreen.envs.network.sumo_include import MOST_INCLUDES, read_elements
from intergreen.envs.scenario import load_scenario

INCLUDE = '<include href="{}"/>'


def written(folder: Path, **texts: str) -> Path:
    """Files `a` -> a.xml, `sub_a` -> sub/a.xml; the first one is returned."""
    paths = [folder / f"{name.replace('_', '/')}.xml" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return paths[0]


def listed(path: Path) -> list[str]:
    return [f"{tag.name} {tag.text('id')}" for tag in read_elements(path)]


def root(*parts: str) -> str:
    return f"<routes>{''.join(parts)}</routes>"


def test_what_is_included_stands_where_the_include_stands(tmp_path):
    """Paths are relative to the including file; a root that is an element itself is one, any other is passed over."""
    first = written(
        tmp_path,
        a=root('<route id="1"/>', INCLUDE.format("sub/b.xml"), '<route id="5"/>'),
        sub_b=f'<additional><vType id="2"/>{INCLUDE.format("c.xml")}{INCLUDE.format("../d.xml")}</additional>',
        sub_c='<vType id="3"/>',
        d='<anything><trip id="4"/></anything>',
    )
    assert listed(first) == ["route 1", "vType 2", "vType 3", "trip 4", "route 5"]


def test_an_include_inside_an_element_fills_it(tmp_path):
    inner = f'<vTypeDistribution id="d"><vType id="a"/>{INCLUDE.format("b.xml")}</vTypeDistribution>'
    first = written(tmp_path, a=root(inner), b='<vType id="b"/>')
    (tag,) = read_elements(first)
    assert [child.text("id") for child in tag.children("vType")] == ["a", "b"]


def test_a_file_may_be_included_twice(tmp_path):
    first = written(tmp_path, a=root(INCLUDE.format("b.xml") * 2), b=root('<route id="1"/>'))
    assert listed(first) == ["route 1", "route 1"]


@pytest.mark.parametrize("way", ["a.xml", "sub/b.xml"])
def test_a_file_that_includes_itself_is_refused(tmp_path, way):
    first = written(tmp_path, a=root(INCLUDE.format(way)), sub_b=root(INCLUDE.format("../a.xml")))
    with pytest.raises(InputError, match=r"<include> href: .*a\.xml' includes itself; take"):
        listed(first)


def test_files_that_include_the_next_twice_are_refused_before_they_fill_the_memory(tmp_path):
    names = [f"f{k}" for k in range(40)]
    texts = {
        name: root(INCLUDE.format(f"{after}.xml") * 2) for name, after in zip(names, [*names[1:], "f39"], strict=True)
    }
    first = written(tmp_path, **(texts | {"f39": root('<route id="1"/>')}))
    with pytest.raises(InputError, match=f"one more than {MOST_INCLUDES}"):
        listed(first)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (INCLUDE.format("lost.xml"), "a.xml: <include> href: 'lost.xml' is not there; name a file beside a.xml"),
        ("<include/>", "a.xml: <include> href: is missing"),
        (INCLUDE.format("b.xml"), "b.xml: line 1 column 9: not valid XML"),
    ],
)
def test_an_include_that_leads_nowhere_is_refused_by_its_file(tmp_path, text, said):
    first = written(tmp_path, a=root(text), b="<routes><")
    with pytest.raises(InputError) as refused:
        listed(first)
    assert said in str(refused.value)


def test_a_network_and_its_demand_may_be_in_parts(tmp_path):
    xml = Crossroads().xml()
    first, past = xml.index("<tlLogic"), xml.index("</tlLogic>") + len("</tlLogic>")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "lights.xml").write_text(f"<additional>{xml[first:past]}</additional>")
    (tmp_path / "whole.net.xml").write_text(xml)
    (tmp_path / "small.net.xml").write_text(xml[:first] + INCLUDE.format("parts/lights.xml") + xml[past:])
    whole, parted = (read_sumo_network(tmp_path / f"{name}.net.xml") for name in ("whole", "small"))
    assert parted.phase_duration_s.tolist() == whole.phase_duration_s.tolist()
    (tmp_path / "parts" / "trips.xml").write_text(small.routes('<trip id="a" depart="0" from="in_S" to="out_N"/>'))
    (tmp_path / "a.rou.xml").write_text(small.routes(INCLUDE.format("parts/trips.xml")))
    config = '<configuration><net-file value="small.net.xml"/><route-files value="a.rou.xml"/></configuration>'
    (tmp_path / "a.sumocfg").write_text(config)
    assert len(load_scenario(tmp_path).trips(0)) == 1


def test_a_configuration_includes_nothing_as_in_sumo(tmp_path):
    (tmp_path / "a.sumocfg").write_text(f"<configuration>{INCLUDE.format('b.xml')}</configuration>")
    with pytest.raises(InputError, match="<include>: is not in SUMO's configurations; write the options"):
        load_scenario(tmp_path)
