"""Tables of text: drawn with lines on a terminal, aligned by spaces in a pipe or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from intergreen.envs.errors import one_line

if TYPE_CHECKING:
    from rich.table import Table

UNBOUNDED = 10_000  # characters; wider than any table


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text below headings; the first column is aligned left, the others right.

    `marked` holds the (row, column) cells to set in bold where the output can. Control characters, which names in
    files may have, are escaped: a cell is one line, and commands no terminal.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", one_line(self.title))
        object.__setattr__(self, "headings", tuple(map(one_line, self.headings)))
        object.__setattr__(self, "rows", tuple(tuple(map(one_line, row)) for row in self.rows))


def table_of(title: str, rows: Sequence[Mapping[str, object]]) -> TextTable:
    """A table of `rows`; the keys of the first one are the headings."""
    headings = tuple(rows[0]) if rows else ()
    return TextTable(title, headings, tuple(tuple(cell_text(row.get(key)) for key in headings) for row in rows))


def cell_text(value: object) -> str:
    """Text of one value.

    >>> cell_text(1234.5678), cell_text(0.01234), cell_text(7.0), cell_text(None)
    ('1234.6', '0.0123', '7', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def print_table(table: TextTable, file: IO[str] | None = None) -> None:
    """Print to `file` (stdout by default) in the form that suits it."""
    from rich.console import Console

    console = Console(file=file)
    if not console.is_terminal:
        console.file.write(plain_text(table) + "\n")
        return
    drawn = _drawn(table)
    too_wide = console.measure(drawn, options=console.options.update(width=UNBOUNDED)).maximum > console.width
    console.print(_drawn(transposed(table)) if too_wide else drawn, "")


def transposed(table: TextTable) -> TextTable:
    """The same cells with rows and columns exchanged: narrower where there are more columns than rows.

    >>> transposed(TextTable("", ("name", "a", "b"), (("x", "1", "2"),))).rows
    (('a', '1'), ('b', '2'))
    """
    first, *others = zip(table.headings, *table.rows, strict=True)
    marked = frozenset((c - 1, r + 1) for r, c in table.marked if c > 0)
    return TextTable(table.title, tuple(first), tuple(tuple(row) for row in others), marked)


def plain_text(table: TextTable) -> str:
    """The table with columns aligned by spaces; ends with a line break."""
    lines = [table.headings, *table.rows]
    widths = [max(len(line[c]) for line in lines) for c in range(len(table.headings))]
    text = [f"# {table.title}"]
    for line in lines:
        cells = [
            cell.rjust(width) if c else cell.ljust(width)
            for c, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text) + "\n"


def markdown_text(table: TextTable) -> str:
    """The table as Markdown, marked cells bold; ends with a line break."""
    alignment = "|---" + "|---:" * (len(table.headings) - 1) + "|"
    lines = [_markdown_row(table.headings), alignment]
    for r, row in enumerate(table.rows):
        lines.append(_markdown_row([f"**{cell}**" if (r, c) in table.marked else cell for c, cell in enumerate(row)]))
    return "\n".join(lines) + "\n"


def _drawn(table: TextTable) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        title=Text(table.title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for c, heading in enumerate(table.headings):
        drawn.add_column(Text(heading.replace(" [", "\n[")), justify="right" if c else "left", overflow="fold")
    for r, row in enumerate(table.rows):
        drawn.add_row(*(Text(cell, style="bold" if (r, c) in table.marked else "") for c, cell in enumerate(row)))
    return drawn


def markdown_words(words: str) -> str:
    """The words as Markdown that shows them: names from files are no tags.

    >>> markdown_words("a<b>")
    'a&lt;b>'
    """
    return words.replace("&", "&amp;").replace("<", "&lt;")


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown_words(cell).replace("|", "\\|") for cell in cells) + " |"
