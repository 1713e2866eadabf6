"""What all tests share: one cache of compiled programs, and the real corpora."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buckets import BUCKET, BucketServer, bucket_server

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


@pytest.fixture(scope="session")
def _bucket_server() -> Iterator[BucketServer]:
    with bucket_server() as served:
        yield served


@pytest.fixture
def bucket_at(
    _bucket_server: BucketServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[str, BucketServer]]:
    """A folder of its own in a bucket of this machine, and its server; nothing fails in it."""
    for name, value in _bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BIOBERT_STAGED", str(tmp_path / "staged"))
    _bucket_server.requests.clear()
    name = re.sub(r"\W+", "-", request.node.name)
    yield f"gs://{BUCKET}/{name}", _bucket_server
    _bucket_server.failing = 0.0
    _bucket_server.watch = lambda method, name: None
