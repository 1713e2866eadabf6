"""The paper's published numbers; published.json says where each table stands."""

import functools
import importlib.resources
import json
from typing import Any


@functools.cache
def published(table: str) -> dict[str, Any]:
    """A published table, e.g. "table_1": its `title`, `source` and `rows`.

    Raises:
      KeyError: no such table.
    """
    file = importlib.resources.files("biobert_jax.reports") / "published.json"
    return json.loads(file.read_text(encoding="utf-8"))[table]
