"""Published numbers: the paper's and BLURB's. The files say where each table stands."""

import functools
import importlib.resources
import json
from typing import Any


@functools.cache
def published(table: str) -> dict[str, Any]:
    """A published table, e.g. "table_1" or "blurb": its `title`, `source` and `rows`.

    Raises:
      KeyError: no such table.
    """
    own = table == "blurb"
    folder = importlib.resources.files("biobert_jax.reports")
    file = folder / ("published_blurb.json" if own else "published.json")
    read = json.loads(file.read_text(encoding="utf-8"))
    return read if own else read[table]
