"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora that the project is developed against, where it exists."""
    path = Path(os.environ.get("BIOBERT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real corpora at {path} (set BIOBERT_SHARED_DATA to their folder)")
    return path
