"""What a signal head shows one movement in one tick: the lamps that are lit, as bits."""

DARK, RED, YELLOW, GREEN = 0, 1, 2, 4
RED_AMBER = RED | YELLOW  # about to be green, where drivers are told (Germany)
