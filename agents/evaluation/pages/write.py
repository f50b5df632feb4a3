"""What `compare` writes to look at: the page, and figures for papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.pages.close_up import close_ups
from intergreen.agents.evaluation.pages.comparison import Section, cells_to_see, comparison_page, sections_of
from intergreen.agents.evaluation.pages.figures import write_figures
from intergreen.envs.files import write_text

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.progress import Progress

PAGE_SUFFIX = ".html"


def sections_to_show(
    cells: Sequence[Cell],
    results: Sequence[Mapping[str, Any]],
    *,
    seed: int,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[Section]:
    """The results by setting, with a close look at one more run of each cell, on the trips of `seed`."""
    near = cells_to_see(cells)
    seen = close_ups(near, seed=seed, horizon_s=horizon_s, progress=progress)
    names = {decider_by_name(cell.controller_name).name: cell.controller_name for cell in cells}
    return sections_of(results, names, list(zip(near, seen, strict=True)))


def write_looks(sections: Sequence[Section], *, page: Path | None, figures: Path | None) -> list[Path]:
    """Write the page and the figures that are asked for; returns the paths."""
    written = []
    if page is not None:
        write_text(page, comparison_page(sections))
        written.append(page)
    return written + (write_figures(sections, figures) if figures is not None else [])
