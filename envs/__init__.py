"""Everything between a road network and a learning agent.

network     what a road network is: readers, generators, immutable arrays
demand      who wants to drive where and when
simulation  the compiled engine
signals     phases and their timing

On top of them, from a scenario to an environment:

scenario, protocol   what is simulated, under which timing
core                 signals and traffic of many copies of one network, compiled
layout               where the features of a network's signals come from
observation, reward  from counts to what a policy sees and is told
readings             what detectors tell; detector_faults lets them fail, fault_file reads which
episodes             episodes side by side
traffic_env          the Gymnasium environment, TrafficSignalEnv
gym_vector_env       copies of it side by side, TrafficSignalVectorEnv
parallel_env         the PettingZoo environment, TrafficParallelEnv
vector_env           the environment to train in with Stable-Baselines3, TrafficVecEnv
render               pictures and a window
kernel_cache         where compiled kernels are kept if nowhere else

Import from the modules: ``from intergreen.envs.network import RoadNetwork``. Importing this package registers the
environments' ids with Gymnasium and loads none of them.
"""

if __name__ == "envs":
    raise ImportError(
        "this folder is installed as intergreen.envs: pip install -e . and import intergreen.envs instead of envs"
    )

from pathlib import Path

from intergreen.envs.kernel_cache import find_room_for_kernels
from intergreen.envs.registration import register_environments

find_room_for_kernels(Path(__file__).parent / "simulation")
register_environments()
