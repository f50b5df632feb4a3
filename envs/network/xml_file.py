"""Reading XML safely: streamed, bounded, without entities; and attributes, with errors that name file and place.

Neither a document type (the way to external files and to texts that explode) nor a file that unpacks beyond a bound
is accepted. Only one child of the root is held in memory at a time.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast
from xml.etree import ElementTree
from xml.parsers import expat

from intergreen.envs.errors import InputError, shown

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

MOST_BYTES = 1 << 30  # of one file, unpacked
MOST_BELOW_ROOT = 1 << 26  # of one child of the root
MAX_MAGNITUDE = 1e9  # metres or seconds, as in JSON files
DEEPEST = 100  # elements inside each other
_CHUNK = 1 << 16
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+):(\d+(?:\.\d*)?)", re.ASCII)
_MISSING: Any = object()


class Tag:
    """One XML element and where it stands; every getter checks its attribute."""

    __slots__ = ("element", "file")

    def __init__(self, file: str, element: ElementTree.Element) -> None:
        self.file, self.element = file, element

    @property
    def name(self) -> str:
        return self.element.tag

    @property
    def place(self) -> str:
        """The element's name with the attribute that tells it from others."""
        for key in ("id", "from", "index", "state", "edges"):
            if key in self.element.attrib:
                return f"<{self.name} {key}={shown(self.element.attrib[key])}>"
        return f"<{self.name}>"

    def fail(self, problem: str, mend: str, key: str = "") -> NoReturn:
        """Raise the InputError of this element, or of one of its attributes."""
        raise InputError(self.file, f"{self.place} {key}".rstrip(), problem, mend)

    def has(self, key: str) -> bool:
        return key in self.element.attrib

    def children(self, *names: str) -> Iterator[Tag]:
        """The elements inside, of these names or of any."""
        for child in self.element:
            if not names or child.tag in names:
                yield Tag(self.file, child)

    def text(self, key: str, default: str = _MISSING) -> str:
        """The attribute, which is not empty where it has no default."""
        value = self.element.attrib.get(key, default)
        if value is _MISSING or (not value and default is _MISSING):
            self.fail("is missing", f'add {key}="…"', key)
        return str(value)

    def id(self) -> str:
        """The element's id; lists of lanes and edges can name it, and so can a line of a report."""
        name = self.text("id")
        if name.split() != [name] or not name.isprintable():
            self.fail("has white space or control characters in it, which no list of ids may have", "rename it", "id")
        return name

    def words(self, key: str) -> list[str]:
        """The attribute's words, none where it is missing."""
        return self.element.attrib.get(key, "").split()

    def number(
        self, key: str, default: float = _MISSING, *, above: float | None = None, least: float | None = None
    ) -> float:
        """A finite number, > above and >= least where they are given."""
        text = self.element.attrib.get(key)
        if text is None and default is not _MISSING:
            return default
        limit = f" > {above:g}" if above is not None else f" >= {least:g}" if least is not None else ""
        value = plain_number(self.text(key))
        if (
            not abs(value) <= MAX_MAGNITUDE  # also NaN
            or (above is not None and not value > above)
            or (least is not None and not value >= least)
        ):
            self.fail(f"is {shown(text)}", f"use a number{limit}, within {MAX_MAGNITUDE:g}", key)
        return value

    def whole(self, key: str, default: int = _MISSING) -> int:
        """A whole number >= 0."""
        value = self.number(key, default, least=0)
        if value != int(value):
            self.fail(f"is {value:g}", "use a whole number", key)
        return int(value)

    def seconds(self, key: str, default: float = _MISSING, *, least: float = -MAX_MAGNITUDE) -> float:
        """A time, in seconds or on a clock."""
        if key not in self.element.attrib and default is not _MISSING:
            return default
        value = seconds(self.text(key))
        if not least <= value <= MAX_MAGNITUDE:  # also NaN
            limit = f" >= {least:g}" if least > -MAX_MAGNITUDE else ""
            self.fail(f"is {shown(self.text(key))}", f"use seconds{limit}, or hours:minutes:seconds", key)
        return value

    def points(self, key: str) -> tuple[tuple[float, float], ...]:
        """Points "x,y x,y …" [m], their heights left out; none where the attribute is missing."""
        points = []
        for word in self.words(key):
            numbers = [plain_number(part) for part in word.split(",")]
            if not 2 <= len(numbers) <= 3 or not all(abs(n) <= MAX_MAGNITUDE for n in numbers):
                self.fail(f"has the point {shown(word)}", f"write x,y with numbers within {MAX_MAGNITUDE:g}", key)
            points.append((numbers[0], numbers[1]))
        return tuple(points)


def plain_number(text: str) -> float:
    """The number, NaN where the text is none. Underscores, which Python would allow, are not in numbers of XML."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def seconds(text: str) -> float:
    """A time as SUMO writes it: 90, 90.5, 00:01:30, 1:00:01:30 (with days); NaN where it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return plain_number(text)
    days, hours, minutes, rest = match.groups()
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(rest)


def read_children(path: str | Path, *roots: str, alone: Container[str] = ()) -> Iterator[Tag]:
    """Every child of the root of an XML file, plain or gzipped, one after the other.

    Parameters
    ----------
    alone : names of elements that a file may consist of, instead of a root around them

    Raises
    ------
    InputError
        If the file cannot be read, is not XML, has a document type, or its root is none of `roots`, where some are
        named.
    """
    try:
        with open(path, "rb") as raw:
            is_packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if is_packed else raw
            yield from _parse(path, stream, roots, alone)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, "", f"broken gzip file: {error}", "fetch the file again") from None
    except (OSError, ValueError, LookupError) as error:  # a NUL byte in the path, an encoding that Python does not know
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or shown(str(error))
        raise InputError(path, "", f"cannot be read: {reason}", "check the path and its permissions") from None


def _parse(path: str | Path, stream: IO[bytes], roots: tuple[str, ...], alone: Container[str]) -> Iterator[Tag]:
    children = _Children(path, roots, alone)
    total = 0
    while True:
        chunk = stream.read(_CHUNK)
        total += len(chunk)
        children.size += len(chunk)
        if total > MOST_BYTES or children.size > MOST_BELOW_ROOT:
            raise InputError(path, "", "is larger than any network we can run", "check that it is the right file")
        children.feed(chunk)
        yield from children.take()
        if not chunk:
            return


class _Children:
    """Collects the children of the root, whole, as the parser reaches their ends."""

    def __init__(self, path: str | Path, roots: tuple[str, ...], alone: Container[str]) -> None:
        self._path, self._roots, self._alone = path, roots, alone
        self._open: list[ElementTree.Element] = []
        self._depth, self._around = 0, 1  # elements that are open, and that are around the children
        self._done: list[Tag] = []
        self.size = 0  # bytes since the last child ended
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            place, what = f"line {error.lineno} column {error.offset + 1}", expat.errors.messages.get(error.code, "")
            raise InputError(self._path, place, f"not valid XML: {what}", "mend the file") from None

    def take(self) -> list[Tag]:
        done, self._done = self._done, []
        return done

    def _refuse(self, *declared: object) -> None:
        raise InputError(self._path, "", "has a document type, which we do not read", "take out its <!DOCTYPE …>")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and self._roots and name not in self._roots:
            known = " or ".join(f"<{root}>" for root in self._roots)
            raise InputError(self._path, "", f"its root is <{shown(name)[1:-1]}>", f"use a file of {known}")
        if self._depth == 0 and name in self._alone:
            self._around = 0
        if self._depth > DEEPEST:
            raise InputError(self._path, "", "nested too deeply", "check that it is the right file")
        if self._depth >= self._around:
            element = ElementTree.Element(name, attributes)
            if self._open:
                self._open[-1].append(element)
            self._open.append(element)
        self._depth += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth >= self._around:
            element = self._open.pop()
            if not self._open:
                self._done.append(Tag(str(self._path), element))
                self.size = 0
