"""What all tests share: one cache of compiled programs, and the real corpora."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Gives this process and all that it starts one new cache of XLA's programs.

    Through the environment, before anything imports JAX; workers of xdist inherit it. A cache that
    the environment names already is taken, and stays.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="biobert_jax-xla-")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora that the project is developed against, where it exists."""
    path = Path(os.environ.get("BIOBERT_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real corpora at {path} (set BIOBERT_SHARED_DATA to their folder)")
    return path
