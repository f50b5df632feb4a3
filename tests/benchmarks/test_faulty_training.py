"""What a policy loses where a tenth of the detectors is dead: trained with them, and without.

`pytest tests/benchmarks/test_faulty_training.py --benchmark-enable -s` trains for some minutes and judges on ten runs
that nobody trains on; without the option both trainings are a few decisions long, and nothing is claimed. Both
policies are of recipe `robust`.
"""

from __future__ import annotations

import pytest
import yaml

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.recipe import read_recipe
from intergreen.agents.learning.train import train
from intergreen.envs.fault_file import read_faults
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario


def travel_time_s(folder, faults, *, seeds, horizon_s):
    scenario = load_scenario("grid4x4")
    protocol = protocol_by_name(scenario.default_protocol)
    controller = controller_by_name(str(folder))
    result = evaluate(scenario, controller, protocol, seeds=seeds, horizon_s=horizon_s, faults=faults)
    return result["metrics"]["average_travel_time_s"]["mean"]


def trained(folder, **changes):
    """A run's folder, of recipe `robust` with these changes."""
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(yaml.safe_dump({**read_recipe("robust").settings(), **changes}))
    return train(prepare(str(recipe), out=folder))


@pytest.mark.parametrize("seed", [0, 1])
def test_what_dead_detectors_cost(benchmark, tmp_path, seed):
    whole = benchmark.enabled
    budget = {} if whole else {"steps": 640, "replicas": 2, "evaluation": {"seeds": 1, "horizon_s": 100}}
    runs = {"seeds": range(10 if whole else 1), "horizon_s": 3600 if whole else 400}
    dead = read_faults("dead-10").faults

    def lost(faults):
        folder = trained(tmp_path / f"on-{faults}", seed=seed, faults=faults, **budget)
        healthy, failing = travel_time_s(folder, (), **runs), travel_time_s(folder, dead, **runs)
        print(f"\nseed {seed}, trained on {faults}: {healthy:.1f} s, a tenth of the detectors dead {failing:.1f} s")
        return failing - healthy

    with_dead, without = benchmark.pedantic(lambda: (lost("dead-10"), lost(None)), rounds=1)
    assert not whole or with_dead < 0.5 * without
