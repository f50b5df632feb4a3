"""What a page may not do: ask for anything outside itself."""

import re

_OUTSIDE = re.compile(r"""(?:src|href)\s*=|url\(|@import|https?://|\bfetch\(|XMLHttpRequest|WebSocket|importScripts""")
_NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")


def outside(page: str) -> list[str]:
    """Whatever in the page looks like a resource from elsewhere; names of XML vocabularies are none."""
    for name in _NAMESPACES:
        page = page.replace(name, "")
    return _OUTSIDE.findall(page)
