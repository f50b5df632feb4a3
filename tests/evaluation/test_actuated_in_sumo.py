"""Actuated control beside SUMO's own, on one intersection in SUMO, with the same greens, yellow, red and detectors."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

WITHIN = 0.1


@pytest.mark.skipif(
    any(find_spec(package) is None for package in ("sumo", "libsumo")),
    reason='SUMO is not installed: pip install "intergreen[sumo]"',
)
@pytest.mark.parametrize("entry_vph", [300, 450, 600])
def test_actuated_control_loses_as_much_time_as_sumos_and_less_where_it_skips(entry_vph):
    """SUMO serves every phase in turn, called or not: that is ours with a minimum recall.

    Mean delay at 300 / 450 / 600 veh/h an approach, s: SUMO's 14.1, 18.0 and 24.4; ours with minimum recall 13.8, 17.5
    and 22.8; ours 9.3, 15.1 and 21.7. At 650 veh/h SUMO's loses 31.1 and ours 25.9: near capacity the two part.
    """
    script = Path(__file__).with_name("sumo_actuated.py")
    command = [sys.executable, str(script), str(entry_vph)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stderr[-2000:]
    delays = json.loads(result.stdout.strip().splitlines()[-1])
    assert len(set(delays["trips"])) == 1
    assert delays["minimum_recall_s"] == pytest.approx(delays["sumo_s"], rel=WITHIN)
    assert delays["skipping_s"] < delays["sumo_s"]
