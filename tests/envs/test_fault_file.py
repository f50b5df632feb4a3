"""Lists of faults from YAML: shipped names and files, and the one line that every wrong input gets."""

import pytest

from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import fault_names, read_faults
from intergreen.envs.fault_kinds import (
    DETECTOR_KINDS,
    FAULT_KINDS,
    Dead,
    Delay,
    DetectorFault,
    Noise,
    PolicyRaises,
    PolicySleeps,
)
from intergreen.envs.network import GridSpec, generate_grid

NETWORK = generate_grid(GridSpec(rows=1, columns=1))

YAML = """
faults:
- {kind: dead, share: 0.1, begin_s: 600}
- {kind: noise, share: 1.0, sd: 0.3}
- {kind: delay, lanes: [road_0_1_0_0, road_0_1_0_1], seconds: 30, end_s: 900}
- {kind: policy-raises, begin_s: 10, end_s: 20}
- {kind: policy-sleeps, seconds: 0.5}
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to_file


def test_file_becomes_the_faults_that_it_lists_in_its_order(write):
    listed = read_faults(write(YAML))
    assert listed.faults == (
        Dead(share=0.1, begin_s=600),
        Noise(share=1.0, sd=0.3),
        Delay(lanes=("road_0_1_0_0", "road_0_1_0_1"), seconds=30, end_s=900),
        PolicyRaises(begin_s=10, end_s=20),
        PolicySleeps(seconds=0.5),
    )
    assert listed.of_policy == listed.faults[3:]
    listed.check_lanes(NETWORK)


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_is_written_by_its_name_and_said_again_in_the_result(write, kind):
    more = {"noise": ", sd: 0.5", "delay": ", seconds: 5", "policy-sleeps": ", seconds: 5"}.get(kind, "")
    share = ", share: 0.25" if FAULT_KINDS[kind] in DETECTOR_KINDS else ""
    (fault,) = read_faults(write(f"faults:\n- {{kind: {kind}{share}, begin_s: 7{more}}}\n")).faults
    assert type(fault) is FAULT_KINDS[kind]
    stated = fault.stated()
    assert (stated["kind"], stated["begin_s"], stated["end_s"]) == (kind, 7, None)
    assert [fault.is_on(t) for t in (6, 7, 10**9)] == [False, True, True]


@pytest.mark.parametrize("name", fault_names())
def test_shipped_list_is_what_its_name_says(name):
    (fault,) = read_faults(name).faults
    if isinstance(fault, DetectorFault):
        assert f"{fault.kind}-{round(100 * fault.share)}" == name
    else:
        assert fault.kind == name


def test_shipped_lists_cover_every_kind():
    assert {fault.kind for name in fault_names() for fault in read_faults(name).faults} == set(FAULT_KINDS)


WRONG = {
    "unknown key": (
        "share: 0.1",
        "shair: 0.1",
        r"faults\[0\]\.shair: unknown key; did you mean 'share'\? known keys: kind,",
    ),
    "unknown top key": ("faults:", "fault:", r"fault: unknown key; did you mean 'faults'\? known keys: faults,"),
    "key of another kind": (
        "kind: dead,",
        "kind: dead, sd: 1,",
        r"faults\[0\]\.sd: unknown key; .*known keys: kind, begin_s",
    ),
    "unknown kind": ("kind: dead", "kind: ded", r"faults\[0\]\.kind: is 'ded'; use one of drop, dead, freeze,"),
    "missing kind": ("kind: dead, ", "", r"faults\[0\]\.kind: is missing; use one of drop,"),
    "missing setting": (", sd: 0.3", "", r"faults\[1\]\.sd: is missing; add it"),
    "nowhere": ("share: 0.1, ", "", r"faults\[0\]: need either share or lanes"),
    "share above one": ("share: 0.1", "share: 10", r"faults\[0\]: need a share between 0 and 1, got 10"),
    "not a number": ("share: 0.1", "share: some", r"faults\[0\]\.share: input should be a valid number.*got 'some'"),
    "half a second": ("begin_s: 600", "begin_s: 0.5", r"faults\[0\]\.begin_s: input should be a valid integer"),
    "end before begin": (
        "begin_s: 10, end_s: 20",
        "begin_s: 10, end_s: 5",
        r"faults\[3\]: need end_s > begin_s, got 5",
    ),
    "negative deviation": ("sd: 0.3", "sd: -0.3", r"faults\[1\]: need a finite sd >= 0, got -0.3"),
    "one lane as text": ("[road_0_1_0_0, road_0_1_0_1]", "road_0_1_0_0", r"faults\[2\]\.lanes: .*got 'road_0_1_0_0'"),
    "endless sleep": ("seconds: 0.5", "seconds: .inf", r"faults\[4\]: need a finite number of seconds > 0, got inf"),
    "lanes of a policy": (
        "kind: policy-raises,",
        "kind: policy-raises, lanes: [a],",
        r"faults\[3\]\.lanes: unknown key",
    ),
    "entry without keys": (
        "{kind: dead, share: 0.1, begin_s: 600}",
        "dead",
        r"faults\.0: input should be a valid dict",
    ),
    "not yaml": ("lanes: [road", "lanes: {[road", r"line \d+ column \d+: not valid YAML: "),
}


@pytest.mark.parametrize(("good", "bad", "message"), WRONG.values(), ids=WRONG)
def test_wrong_file_gets_one_line_that_names_file_and_field(write, good, bad, message):
    assert good in YAML
    path = write(YAML.replace(good, bad))
    with pytest.raises(InputError, match=message) as refused:
        read_faults(path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "7", "[]", "faults: 7", "faults: {kind: dead}", "? [a]\n: b"])
def test_file_of_another_shape_is_refused(write, text):
    with pytest.raises(InputError, match=r"mine\.yaml"):
        read_faults(write(text))


def test_empty_list_is_no_fault(write):
    assert read_faults(write("faults: []")).faults == ()


def test_lane_that_the_network_has_not_names_file_entry_and_mend(write):
    path = write(YAML.replace("road_0_1_0_1]", "road_0_1_0_9]"))
    words = r"mine\.yaml: faults\[2\]\.lanes: the network has no lane 'road_0_1_0_9'; did you mean 'road_0_1_0_\d'\?"
    with pytest.raises(InputError, match=words):
        read_faults(path).check_lanes(NETWORK)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dead-11", "did you mean 'dead-1'"),
        ("nothing-like-it", "one of dead-1, dead-10, dead-100,"),
        (".", "one of dead-1,"),
    ],
)
def test_unknown_name_is_refused(name, words):
    with pytest.raises(InputError, match=f"--faults: no file or list of faults is called '{name}'; .*{words}"):
        read_faults(name)
