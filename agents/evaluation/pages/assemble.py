"""One file from a page's parts: its HTML with style, script and data inside. Knows nothing of what they show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from intergreen.envs.files import json_text

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    facts: object,
    data: Mapping[str, str],
    **sections: str,
) -> str:
    """The page as text.

    Parameters
    ----------
    template, styles, scripts : names of files in `assets`
    facts : what the scripts find as JSON in the element `facts`
    data : packed arrays by the id of their element
    sections : HTML for further places of the template
    """
    parts = {
        "title": escape(title),
        "style": "\n".join(_asset(name) for name in styles),
        "script": "\n".join(_asset(name) for name in scripts),
        "facts": json_inside(facts),
        "data": "\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in data.items()),
        **sections,
    }
    return _PLACE.sub(lambda place: parts[place[1]], _asset(template))


def json_inside(value: object) -> str:
    """JSON that may stand inside a script element: no name can end the element."""
    return json_text(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8").strip()
