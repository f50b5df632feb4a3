"""SUMO's files with what they include: ``<include href="…"/>`` stands for the elements of another file.

It may stand anywhere, its path is relative to the file that it stands in, and the root of what it names is passed over
unless it is an element itself (`GenericSAXHandler::startElement`). Configurations have none.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.envs.errors import shown
from intergreen.envs.network.xml_file import Tag, read_children

if TYPE_CHECKING:
    from collections.abc import Iterator

INCLUDE = "include"
MOST_INCLUDES = 1000  # of one file: files that include each other twice and twice again would never end
_ALONE = frozenset(
    {
        *("vType", "vTypeDistribution", "route", "routeDistribution", "vehicle", "trip", "flow", "taz"),
        *("tlLogic", "phase", "param", "WAUT", "wautSwitch", "wautJunction"),
        *("edge", "lane", "junction", "request", "connection"),
    }
)


def read_elements(path: str | Path, *roots: str) -> Iterator[Tag]:
    """Every child of the root of an XML file, those of the files that it includes in their places.

    Raises
    ------
    InputError
        As `read_children` does, or if a file includes itself, directly or by way of others.
    """
    yield from _Reader().elements(read_children(path, *roots, alone=() if roots else _ALONE), (Path(path).resolve(),))


class _Reader:
    """Files that are being read, each included by the one before."""

    def __init__(self) -> None:
        self._number = count(1)

    def elements(self, tags: Iterator[Tag], open_files: tuple[Path, ...]) -> Iterator[Tag]:
        for tag in tags:
            if tag.name == INCLUDE:
                yield from self._included(tag, open_files)
                continue
            if any(child.tag == INCLUDE for child in tag.element.iter()):
                self._fill(tag, open_files)
            yield tag

    def _included(self, tag: Tag, open_files: tuple[Path, ...]) -> Iterator[Tag]:
        path = Path(tag.file).parent / tag.text("href").strip()
        where = path.resolve()
        if where in open_files:
            tag.fail(f"{shown(tag.text('href'))} includes itself", "take one of its <include> out", "href")
        if next(self._number) > MOST_INCLUDES:
            tag.fail(f"is one more than {MOST_INCLUDES}", "include every file once", "href")
        if not path.is_file():
            tag.fail(f"{shown(tag.text('href'))} is not there", f"name a file beside {Path(tag.file).name}", "href")
        yield from self.elements(read_children(path, alone=_ALONE), (*open_files, where))

    def _fill(self, tag: Tag, open_files: tuple[Path, ...]) -> None:
        """Put what is included inside the element in its place."""
        inside = [one.element for one in self.elements(tag.children(), open_files)]
        tag.element[:] = inside
