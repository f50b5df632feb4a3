"""What `compare` writes to look at: the page, and figures for papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.agents.evaluation.pages.close_up import close_ups
from intergreen.agents.evaluation.pages.comparison import Section, comparison_page, runs_to_see, sections_of
from intergreen.agents.evaluation.pages.figures import write_figures
from intergreen.envs.files import write_text

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.progress import Progress
    from intergreen.agents.tables import TextTable


def sections_to_show(
    cells: Sequence[Cell],
    results: Sequence[Mapping[str, Any]],
    *,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[Section]:
    """The results of the cells, in their order, by setting, with a close look at one more run of each cell."""
    runs = runs_to_see(cells, results)
    seen = close_ups(runs, horizon_s=horizon_s, progress=progress)
    names = {cell.controller_title: cell.controller_name for cell in cells}
    return sections_of(results, names, [(cell, close) for (cell, _), close in zip(runs, seen, strict=True)])


def write_looks(
    sections: Sequence[Section], *, page: Path | None, figures: Path | None, more: Sequence[TextTable] = ()
) -> list[Path]:
    """Write the page, with `more` tables at its end, and the figures that are asked for; returns the paths."""
    written = []
    if page is not None:
        write_text(page, comparison_page(sections, more))
        written.append(page)
    return written + (write_figures(sections, figures) if figures is not None else [])
