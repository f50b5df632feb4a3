"""libsumo, loaded without a word."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any


def load_libsumo() -> Any:
    """The module.

    Where pyarrow is installed too, it prints that another version of it might not go with it: in the middle of the JSON
    that we write there. Both are used here in one process, and it reads no file in pyarrow's formats for us.
    """
    with redirect_stdout(io.StringIO()):
        import libsumo
    return libsumo
