"""The environments' ids, known to Gymnasium as soon as `intergreen.envs` is imported; nothing is loaded before `make`.

`gym.make("intergreen.envs:Grid4x4-v0")` imports and makes in one go; `gym.make_vec("intergreen.envs:Grid4x4-v0",
num_envs=8)` makes eight copies that are simulated together.
"""

from __future__ import annotations

SCENARIO_OF_ID = {
    "Single-v0": "single",
    "Arterial6-v0": "arterial6",
    "Grid4x4-v0": "grid4x4",
    "Town-v0": "town",
    "City1024-v0": "city1024",
}
_ENTRY_POINT = "intergreen.envs.traffic_env:TrafficSignalEnv"
_VECTOR_ENTRY_POINT = "intergreen.envs.gym_vector_env:TrafficSignalVectorEnv"


def register_environments() -> None:
    """Register one id for each shipped scenario; ids that are there already stay.

    A street computer that runs an exported policy has no Gymnasium, and needs none.
    """
    try:
        from gymnasium.envs.registration import register, registry
    except ImportError:
        return
    for name, scenario in SCENARIO_OF_ID.items():
        if name not in registry:
            register(
                id=name,
                entry_point=_ENTRY_POINT,
                vector_entry_point=_VECTOR_ENTRY_POINT,
                kwargs={"scenario": scenario},
            )
