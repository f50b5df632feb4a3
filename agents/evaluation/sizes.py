"""How large the scenarios are that can be named."""

from __future__ import annotations

from intergreen.envs.scenario import load_scenario, scenario_names


def scenario_sizes() -> list[dict[str, object]]:
    """One row per scenario that can be named here; `vehicles` counts the trips of seed 0 up to the horizon."""
    return [scenario_size(name) for name in scenario_names()]


def scenario_size(name: str) -> dict[str, object]:
    """Signals, roads, lanes, vehicles, horizon and default protocol of one scenario."""
    # Benchmark data may hold flows without a route; the size of the rest is of interest all the same.
    scenario = load_scenario(name, drop_invalid_routes=True)
    return {
        "scenario": name,
        "signals": len(scenario.network.signalled),
        "roads": scenario.network.n_roads,
        "lanes": scenario.network.n_lanes,
        "vehicles": len(scenario.trips(0).release_s),
        "horizon_s": scenario.horizon_s,
        "protocol": scenario.default_protocol,
    }
