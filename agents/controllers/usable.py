"""What a controller makes of readings that cannot be true; see `intergreen.envs.usable`."""

from intergreen.envs.usable import MOST_VEH, usable, usable_whole

__all__ = ["MOST_VEH", "usable", "usable_whole"]
