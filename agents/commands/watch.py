"""What there is to look at: the page that plays a run, and what `compare` writes beside its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intergreen.agents.commands.common import (
    DropOption,
    FaultsOption,
    HorizonOption,
    ProtocolOption,
    ScenarioArgument,
    finish,
    make_engine_ready,
    say_if_overruled,
    say_if_without_clearance,
    say_written,
)
from intergreen.agents.options import parse_names, require_folder, require_horizon, require_writable
from intergreen.agents.progress import progress_bar
from intergreen.envs.errors import InputError

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.tables import TextTable

MOST_SIDE_BY_SIDE = 2


def replay(
    scenario: ScenarioArgument,
    controllers: Annotated[str, typer.Option("--controllers", metavar="A[,B]", help="one, or two side by side")],
    out: Annotated[str, typer.Option("--out", metavar="FILE.html", help="the page to write")],
    protocol: ProtocolOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="whose trips")] = 0,
    horizon: HorizonOption = None,
    drop_invalid_routes: DropOption = False,
    faults: FaultsOption = None,
) -> None:
    """Write a page that plays a run: one file, to open in any browser, without a network."""
    require_horizon(horizon)
    require_writable("--out", out)
    if not out.endswith((".html", ".htm")):
        raise InputError("command line", "--out", f"{out!r} is no page's name", "write FILE.html")
    names = parse_names(controllers)
    if len(names) > MOST_SIDE_BY_SIDE:
        problem = f"{len(names)} controllers do not fit side by side"
        raise InputError("command line", "--controllers", problem, f"name at most {MOST_SIDE_BY_SIDE}")
    from intergreen.agents.evaluation.compare import comparison_cells
    from intergreen.agents.evaluation.pages.replay import film_cells, replay_page
    from intergreen.envs.fault_file import read_faults
    from intergreen.envs.files import write_text

    cells = comparison_cells(
        [scenario],
        names,
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
    )
    make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("filming") as progress:
        takes = film_cells(cells, seed=seed, horizon_s=horizon, progress=progress)
    write_text(Path(out), replay_page(takes))
    say_written([Path(out)])
    say_if_overruled([take.result for take in takes])
    say_if_without_clearance([take.result for take in takes])
    finish([take.result for take in takes])


def require_report(report: Path | None) -> Path | None:
    """The page that `--report` asks for by its ending, None for a folder; refuses what could not be written."""
    if report is not None and report.suffix == ".html":
        require_writable("--report", str(report))
        return report
    require_folder("--report", report)
    return None


def require_figures(figures: Path | None) -> None:
    """Refuse a folder that could not be made, and figures where nothing can draw them."""
    require_folder("--figures", figures)
    if figures is not None:
        from intergreen.agents.evaluation.pages.figures import require_matplotlib

        require_matplotlib()


def look_closely(
    cells: Sequence[Cell],
    results: Sequence[Mapping[str, Any]],
    *,
    horizon_s: int | None,
    page: Path | None,
    figures: Path | None,
    more: Sequence[TextTable] = (),
) -> None:
    """Write the page and the figures of a comparison, after one more run of each cell."""
    from intergreen.agents.evaluation.pages.write import sections_to_show, write_looks

    with progress_bar("looking closely") as progress:
        sections = sections_to_show(cells, results, horizon_s=horizon_s, progress=progress)
    say_written(write_looks(sections, page=page, figures=figures, more=more))
