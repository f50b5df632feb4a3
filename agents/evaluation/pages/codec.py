"""Arrays of whole numbers as text that fits into a page, and back: small because neighbours are alike.

Layout, gzipped and then in base64: the length of the header (4 bytes, little end first), the header as JSON, a list of
`{"name", "size", "width", "ascending"}`, and each array in turn. An array is stored as unsigned numbers of `width`
bytes, all lowest bytes first, then all second ones; a number n stands there as 2n, or as -2n - 1 where it is negative;
`ascending` arrays hold the differences to the number before. `unpack.js` reads the same.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from intergreen.envs.arrays import IntArray

_WIDTHS = (1, 2, 4)  # bytes


def pack(arrays: Mapping[str, Any], *, ascending: Collection[str] = ()) -> str:
    """The arrays as base64 text; the same arrays always give the same text.

    Parameters
    ----------
    arrays : whole numbers from -2^30 to 2^30, flattened
    ascending : names of arrays that are stored as differences, because they grow slowly

    Raises
    ------
    ValueError
        If a number is too large.
    """
    header: list[dict[str, object]] = []
    parts: list[bytes] = []
    for name, values in arrays.items():
        flat = np.asarray(values).ravel().astype(np.int64)
        if flat.size and np.abs(flat).max() > 2**30:
            raise ValueError(f"{name} holds {np.abs(flat).max()}, more than 2^30")
        stored = np.diff(flat, prepend=0) if name in ascending else flat
        folded = np.where(stored < 0, -2 * stored - 1, 2 * stored).astype(np.uint32)
        width = next(width for width in _WIDTHS if int(folded.max(initial=0)) < 256**width)
        header.append({"name": name, "size": int(flat.size), "width": width, "ascending": name in ascending})
        parts.append(folded.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T.tobytes())
    head = json.dumps(header).encode("ascii")
    raw = len(head).to_bytes(4, "little") + head + b"".join(parts)
    return base64.b64encode(gzip.compress(raw, 9, mtime=0)).decode("ascii")


def unpack(text: str) -> dict[str, IntArray]:
    """What `pack` was given, as flat int32 arrays."""
    raw = gzip.decompress(base64.b64decode(text))
    at = 4 + int.from_bytes(raw[:4], "little")
    arrays: dict[str, IntArray] = {}
    for entry in json.loads(raw[4:at]):
        size, width = entry["size"], entry["width"]
        planes = np.frombuffer(raw, np.uint8, size * width, at).reshape(width, size)
        folded = np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(size).astype(np.int64)
        stored = np.where(folded & 1, -(folded + 1) // 2, folded // 2)
        arrays[entry["name"]] = (np.cumsum(stored) if entry["ascending"] else stored).astype(np.int32)
        at += size * width
    return arrays
