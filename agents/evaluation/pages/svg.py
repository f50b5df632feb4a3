"""Drawing as text: elements of SVG whose colours are the page's own variables, and axes to draw on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
N_COLOURS = 7


def element(name: str, body: str = "", /, **attributes: object) -> str:
    """`<name …>body</name>`; `_` in a name of an attribute stands for `-`, None leaves it out, floats get a decimal."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_text_of(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>"


def text(x: float, y: float, words: str, **attributes: object) -> str:
    """Words at a place, escaped."""
    return element("text", escape(words), x=x, y=y, **attributes)


def polyline(points: Iterable[tuple[float, float]], **attributes: object) -> str:
    """An open line; short, because a page may hold thousands."""
    return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), **attributes)


def picture(parts: Sequence[str], label: str, *, width: float = WIDTH, height: float = HEIGHT) -> str:
    """The whole, as wide as its place allows."""
    return element("svg", "".join(parts), viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label)


def colour(number: int) -> str:
    """The variable of the page for the series of that number."""
    return f"var(--series-{number % N_COLOURS})"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most so many.

    >>> ticks(0, 97), ticks(3, 4.2, 4)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [3.0, 3.5, 4.0])
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of the picture and the values at its edges."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = 46.0
    right: float = 10.0
    top: float = 12.0
    bottom: float = 34.0

    def px(self, x: float) -> float:
        low, high = self.x
        return self.left + (self.width - self.left - self.right) * (x - low) / max(high - low, 1e-9)

    def py(self, y: float) -> float:
        low, high = self.y
        return self.height - self.bottom - (self.height - self.top - self.bottom) * (y - low) / max(high - low, 1e-9)

    def x_ticks(self, label: str, at: Sequence[tuple[float, str]]) -> list[str]:
        """Numbers below, and what they are."""
        base = self.height - self.bottom
        parts = [text(self.px(x), base + 15, words, text_anchor="middle") for x, words in at]
        middle = (self.left + self.width - self.right) / 2
        return [*parts, text(middle, self.height - 3, label, text_anchor="middle", class_="label")]

    def y_ticks(self, at: Sequence[float]) -> list[str]:
        """Numbers on the left, with lines across."""
        parts = []
        for value in at:
            y = self.py(value)
            parts.append(element("path", d=f"M{self.left:.1f} {y:.1f}H{self.width - self.right:.1f}", class_="grid"))
            parts.append(text(self.left - 6, y + 4, number_text(value), text_anchor="end"))
        return parts

    def minutes(self, most: int = 6) -> list[tuple[float, str]]:
        """Ticks of a time axis, in minutes of values in seconds."""
        return [(60.0 * minute, number_text(minute)) for minute in ticks(self.x[0] / 60.0, self.x[1] / 60.0, most)]


def number_text(value: float) -> str:
    """A tick's number.

    >>> number_text(1500.0), number_text(0.25)
    ('1,500', '0.25')
    """
    return f"{value:,.10g}"


def _text_of(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
