"""The times of one intersection's movements (m,) and pairs (m, m), where `profiles` gives those of many at once."""

from intergreen.envs.signals import profiles
from intergreen.envs.signals.pairs import pairs_of


def _of_movements(times_s):
    return lambda profile, network, j, **keywords: times_s(profile, network, pairs_of(network, [j]), **keywords)


def _of_pairs(times_s):
    def matrix_s(profile, network, j, **keywords):
        pairs = pairs_of(network, [j])
        return pairs.matrix(times_s(profile, network, pairs, **keywords), 0)

    return matrix_s


yellow_s, min_green_s, max_green_s = map(_of_movements, (profiles.yellow_s, profiles.min_green_s, profiles.max_green_s))
intergreen_s, conflict_intergreen_s = map(_of_pairs, (profiles.intergreen_s, profiles.conflict_intergreen_s))
