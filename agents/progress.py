"""Telling how far long work has come: a callback for those who work, a bar for those who watch.

The library only calls the callback; the bar belongs to the command line and shows on a terminal alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done (0-1) and a few words about what runs now."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress | None]:
    """A callback that draws a bar on stderr; None where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0)

        def show(share: float, words: str) -> None:
            bar.update(task, completed=share, description=f"{title}: {words}" if words else title)

        yield show


def part_of(progress: Progress | None, index: int, count: int, words: str) -> Progress | None:
    """The callback for part `index` of `count` equal parts of the work; `words` name the part."""
    if progress is None:
        return None
    return lambda share, more: progress((index + share) / count, f"{words} {more}".strip())


def before_work(progress: Progress | None) -> Progress | None:
    """The callback for what comes before the work that the bar shows: its words alone."""
    return None if progress is None else lambda _, words: progress(0.0, words)
