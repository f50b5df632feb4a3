"""The model card: for people, what a policy is for, what it was trained on, what it reaches, where it fails."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from intergreen.agents.controllers.run_folder import DISTILLED, RECIPE, REFINED, SAVED
from intergreen.envs.simulators import NATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.deployment.draft import Comparison, Draft
    from intergreen.agents.learning.recipe import Recipe, WorldsSettings

_NUMBERS_OF_A_RUN = ("steps", "minutes")
_OF_A_SAVED_MODEL = ("scenario", "protocol", "simulator", "horizon_s", "features", "reward", "neighbour_share",
                     "demand_scale", "end_locked", "faults", "width", "steps")  # fmt: skip


class Result(NamedTuple):
    """One row of the card's table, all in seconds of average travel time."""

    scenario: str
    protocol: str
    seeds: int
    means: dict[str, float]  # by controller, the policy under the name `policy`
    interval: tuple[float, float]  # 95 % bootstrap of the policy


def card_text(name: str, draft: Draft, results: Sequence[Result]) -> str:
    """The card as Markdown; the same for the same training and results."""
    return "\n".join(
        [
            f"# {name}",
            "",
            "A policy for traffic signals: which phase to serve next, from counts per lane. Exported by Intergreen.",
            "",
            "## Intended use",
            "",
            "Simulation, and shadow runs beside a controller that stays in charge. Not for a street without an",
            "engineer of record who has checked the timing, and an unmodified hardware monitor (MMU, CMU): software",
            "cannot see a lamp that has burnt out or a relay that sticks.",
            "",
            "## What it is",
            "",
            *_table(("", ""), _facts(draft)),
            "",
            "## What it reaches",
            "",
            *(_results(results) if results else ["Not measured when this was exported: `intergreen export --help`."]),
            "",
            "## Known failures and limits",
            "",
            *_limits(draft, results),
            "",
            "## Signals",
            "",
            f"{len(draft.proofs)} plans are proved safe for every wish and every call in every second: `proof.json`",
            "has their hashes, `signals.json` their matrices and times. Small plans of another network are proved",
            "before an environment or a comparison uses them, all by `intergreen verify`; the runtime names others.",
            "",
        ]
    )


def _generated(worlds: WorldsSettings) -> str:
    """How many worlds of each kind, in words."""
    networks = f"{worlds.count} generated networks"
    if worlds.from_sumo:
        networks += f" ({100 * worlds.from_sumo:g} % with SUMO's streets and drivers)"
    return f"{networks} and {worlds.junctions} single junctions" if worlds.junctions else networks


def _facts(draft: Draft) -> list[tuple[str, str]]:
    recipe, run = draft.recipe, draft.run
    trained_on = (
        f"{_generated(recipe.worlds)} with generated demand; no network or trip of a benchmark"
        if recipe.worlds is not None
        else _scenarios_and_trips(run, recipe)
    )
    versions = run.get("versions", {})
    return [
        ("runs on", "any network" if recipe.worlds is not None else "that network alone; its fingerprint is checked"),
        ("trained on", trained_on),
        ("timings", ", ".join(draft.protocols)),
        ("sees", ", ".join(recipe.features) + "; counts per lane, never a vehicle's identity"),
        ("learner", f"{_learner(run, recipe)}, seed {_seed(run, recipe)}"),
        ("trained again by", _again(run, recipe)),
        ("code", f"{run.get('git_commit') or 'not known'}; intergreen {versions.get('intergreen', '?')}"),
        ("export", _export(draft.comparison)),
    ]


def _scenarios_and_trips(run: dict[str, Any], recipe: Recipe) -> str:
    saved = run.get("saved", {})
    names = " and ".join(f"`{name}`" for name in saved.get("scenarios") or [recipe.scenario])
    simulators = [name for name in saved.get("simulators", [recipe.simulator]) if name != NATIVE]
    where = f", simulated by {' and '.join(simulators)}" if simulators else ""
    if saved.get("exact_trips"):
        return f"the network and demand of {names}, the file's own trips, which it is evaluated on too{where}"
    return f"the network and demand of {names}, trips drawn anew for every episode{where}"


def is_unfinished(run: dict[str, Any]) -> bool:
    """Was the training ended before its time, and not gone on with?"""
    outcome = run.get("outcome", {})
    return "steps" in outcome and not outcome.get("finished", True)


def _seed(run: dict[str, Any], recipe: Recipe) -> str:
    if "saved" not in run:
        return str(recipe.seed)
    return "none" if run["saved"]["seed"] is None else str(run["saved"]["seed"])


def _learner(run: dict[str, Any], recipe: Recipe) -> str:
    budget = ", ".join(f"{getattr(recipe, key):,} {key}" for key in _NUMBERS_OF_A_RUN if getattr(recipe, key))
    if is_unfinished(run):
        budget = f"unfinished: {run['outcome']['steps']:,} steps of {budget}"
    if run.get("made_by") == DISTILLED:
        return f"distilled from {_teachers_in_words(run)}, {budget}"
    if run.get("made_by") == REFINED:
        how = run["refined"]
        number = "one round" if how["rounds"] == 1 else f"{how['rounds']} rounds"
        rounds = f"{number} of {how['moments']:,} moments, {how['look_ahead_s']} s ahead"
        mean = ", the mean of the weights before and after" if how.get("average") else ""
        return f"refined from {how['name']}, {rounds}{mean}"
    if "saved" in run:
        saved = run["saved"]
        rate = "of its own schedule" if saved["learning_rate"] is None else f"{saved['learning_rate']:g}"
        how = f"gamma {saved['gamma']:g}, learning rate {rate}"
        reward = f"{recipe.reward}, changed by a wrapper" if saved.get("reward_wrapped") else recipe.reward
        return f"{saved['learner']} of Stable-Baselines3, {how}, reward {reward}, {budget}"
    return f"{recipe.algorithm}, reward {recipe.reward}, {budget}"


def _teachers(run: dict[str, Any]) -> str:
    return ",".join(one["name"] for one in run["teachers"])


def _teachers_in_words(run: dict[str, Any]) -> str:
    several = len(run["teachers"]) > 1
    words = f"the mean of {_teachers(run)}" if several else _teachers(run)
    rules = run.get("rules")
    if not rules:
        return words
    return f"{words}, and from rules where they do better, in {rules['taught_in']} of {rules['worlds']} networks"


def _again(run: dict[str, Any], recipe: Recipe) -> str:
    if run.get("made_by") == DISTILLED:
        rules = " --rules" if run.get("rules") else ""
        share = f" --from-sumo {recipe.worlds.from_sumo:g}" if recipe.worlds and recipe.worlds.from_sumo else ""
        where = "the recipe below says on what networks, and has seed and steps"
        return f"`intergreen distil {_teachers(run)}{rules}{share}`; {where}"
    if run.get("made_by") == REFINED:
        return f"`intergreen refine {_refined_how(run['refined'], recipe)}`"
    if run.get("made_by") == SAVED:
        return "the Python that called Stable-Baselines3; below stands what its environment was"
    return f"`intergreen train {RECIPE}` with the recipe below"


def _refined_how(how: dict[str, Any], recipe: Recipe) -> str:
    """The command line behind `intergreen refine`."""
    words = [how["name"]]
    if recipe.scenario is not None:
        words += [recipe.scenario, *(("--protocol", recipe.protocol) if recipe.protocol is not None else ())]
    words += ["--rounds", how["rounds"], "--moments", how["moments"], "--look-ahead", how["look_ahead_s"]]
    if recipe.worlds is not None and recipe.worlds.from_sumo:
        words += ["--from-sumo", recipe.worlds.from_sumo]
    words += ["--average"] if how["average"] else []
    return shlex.join(str(word) for word in [*words, "--seed", recipe.seed])


def _export(found: Comparison) -> str:
    return f"PyTorch, ONNX Runtime and NumPy chose the same phase on all {found.observations:,} recorded observations"


def _results(results: Sequence[Result]) -> list[str]:
    others = [name for name in results[0].means if name != "policy"]
    head = ("scenario", "protocol", "seeds", *others, "this policy", "95 % interval")
    rows = [
        (
            one.scenario,
            one.protocol,
            str(one.seeds),
            *(f"{one.means[name]:.1f}" for name in others),
            f"{one.means['policy']:.1f}",
            f"{one.interval[0]:.1f}–{one.interval[1]:.1f}" if one.seeds > 1 else "one demand",
        )
        for one in results
    ]
    return ["`average_travel_time_s` of all vehicles, waiting outside included; the ladder below the policy.", "",
            *_table(head, rows)]  # fmt: skip


def _limits(draft: Draft, results: Sequence[Result]) -> list[str]:
    lines = [
        "- What lies beyond the ranges in `observation.json` is not decided by the policy but by actuated control.",
        "- Detectors that fail, a policy that fails, a call that is not served: the ladder, `docs/deployment.md`.",
        "- Trained in a simulator without pedestrians, cyclists and trams.",
    ]
    for one in results:
        better = [name for name, mean in one.means.items() if name != "policy" and mean <= one.means["policy"]]
        if better:
            lines.append(f"- On {one.scenario} under {one.protocol} it is not better than {' and '.join(better)}.")
    saved = draft.run.get("made_by") == SAVED
    known = "What its environment was, in a recipe's words:"
    head = known if saved else "The recipe, as `intergreen train` takes it:"
    return [*lines, "", head, "", "```yaml", _recipe_yaml(draft), "```"]


def _recipe_yaml(draft: Draft) -> str:
    import yaml

    settings: dict[str, Any] = draft.recipe.settings()
    if draft.run.get("made_by") == SAVED:  # the rest are a recipe's defaults, which nobody trained with
        settings = {key: value for key, value in settings.items() if key in _OF_A_SAVED_MODEL}
    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=110).rstrip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
