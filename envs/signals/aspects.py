"""What a signal head shows, see `intergreen.envs.aspects`."""

from intergreen.envs.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW

__all__ = ["DARK", "GREEN", "RED", "RED_AMBER", "YELLOW"]
