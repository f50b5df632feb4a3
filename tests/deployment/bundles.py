"""A small bundle with random weights, as `intergreen export` would write one, in a fraction of a second."""

import json
from pathlib import Path

import numpy as np

from intergreen.agents.controllers.policy_network import PolicyNetwork, actor_shapes
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.bundle import CARD, MODEL, OBSERVATION, PROOF, SCHEMA, SIGNALS, SUMS, sums_of
from intergreen.agents.deployment.columns import COLUMNS
from intergreen.agents.deployment.graph import policy_graph
from intergreen.envs.observation import CHOICE_COLUMNS, DEFAULT_FEATURES

EVERYTHING = (0.0, 10.0)  # the range of an observation: nothing is beyond what training had


def random_network(features=DEFAULT_FEATURES, *, seed=0, width=8) -> PolicyNetwork:
    """A policy for these features with random weights."""
    random = np.random.default_rng(seed)
    movement, signal = observation_columns(features)
    shapes = actor_shapes(width, len(movement), len(signal))
    return PolicyNetwork({name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


def bundle_contents(
    features=DEFAULT_FEATURES,
    *,
    seed=0,
    width=8,
    seen=EVERYTHING,
    fingerprint=None,
    protocols=("literature-10-5",),
    network=None,
):
    """The files of a bundle, all but the sums, by name."""
    network = network or random_network(features, seed=seed, width=width)
    stated = None if fingerprint is None else {"name": "its own", "fingerprint": fingerprint}
    texts = {
        OBSERVATION: _observation(features, seen),
        SIGNALS: {"schema": SCHEMA, "protocols": list(protocols), "network": stated, "signals": []},
        PROOF: {"schema": SCHEMA, "proofs": []},
    }
    return {
        MODEL: policy_graph(network, {"features": ",".join(features), "schema": str(SCHEMA)}),
        CARD: b"# A policy with random weights\n",
        **{name: json.dumps(text).encode() for name, text in texts.items()},
    }


def write_contents(folder: Path, contents) -> Path:
    """The folder with these files and their sums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / SUMS).write_bytes(sums_of(contents))
    return folder


def write_random_bundle(folder: Path, features=DEFAULT_FEATURES, **options) -> Path:
    """A bundle in `folder`; options as `bundle_contents` takes them."""
    return write_contents(folder, bundle_contents(features, **options))


def _observation(features, seen):
    movement, signal = observation_columns(features)
    return {
        "schema": SCHEMA,
        "features": list(features),
        "movement": [_row(column) | {"seen": list(seen)} for column in movement],
        "choice": [_row(column) for column in CHOICE_COLUMNS],
        "signal": [_row(column) | {"seen": list(seen)} for column in signal],
        "serves": {"unit": "flag", "range": [0.0, 1.0], "meaning": "1 where the choice gives the movement green"},
    }


def _row(column):
    unit, limits, meaning = COLUMNS[column]
    return {"column": column, "unit": unit, "range": list(limits), "meaning": meaning}
