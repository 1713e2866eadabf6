"""A bucket on this machine: the emulator of PyPI's gcp-storage-emulator, behind a gate.

The gate counts requests, answers a share of them with 503, denies one bucket, and does what the
emulator does not and locks and TensorStore need: it holds if-generation-match, and says in
x-goog-generation which generation was read.
"""

import contextlib
import json
import random
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http import server
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlparse

import pytest

BUCKET = "bucket1"
DENIED = "denied"


class BucketServer:
    """A server with one bucket.

    Attributes:
      address: http://HOST:PORT.
      requests: (method, path without the query) of all that came, those refused included.
      failing: the share of requests that are answered with 503.
      failed: how many were.
      watch: called with method and object of each request, before it is served.
    """

    def __init__(self) -> None:
        from gcp_storage_emulator.handlers import buckets
        from gcp_storage_emulator.storage import Storage

        self.requests: list[tuple[str, str]] = []
        self.failing, self.failed = 0.0, 0
        self.watch: Callable[[str, str], object] = lambda method, name: None
        self._random = random.Random(1)
        self._storage = Storage(use_memory_fs=True)
        buckets.create_bucket(BUCKET, self._storage)
        handler = partial(_handler(), self)
        self._server = _Quiet(("localhost", 0), handler)
        self.address = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """What makes gcsfs and TensorStore ask this server."""
        return {"STORAGE_EMULATOR_HOST": self.address, "TENSORSTORE_GCS_HTTP_URL": self.address}

    def counted(self) -> Counter[str]:
        """The number of requests by method."""
        return Counter(method for method, _ in self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def refusal(self, method: str, path: str) -> tuple[int, str] | None:
        """The status and the words of the answer to a request that is not passed on."""
        parsed = urlparse(path)
        self.requests.append((method, parsed.path))
        self.watch(method, _object(path)[1])
        if self._random.random() < self.failing:
            self.failed += 1
            return 503, "Service Unavailable"
        if f"/b/{DENIED}/" in parsed.path or parsed.path.endswith(f"/b/{DENIED}"):
            return 403, "somebody does not have storage.objects.get access"
        query = parse_qs(parsed.query)
        found = self.generation(path)
        if found is not None and query.get("ifGenerationMatch", [found]) != [found]:
            return 412, "At least one of the pre-conditions you specified did not hold."
        if found is not None and query.get("ifGenerationNotMatch", []) == [found]:
            return 304, ""
        return None

    def generation(self, address: str) -> str | None:
        """The generation of the object that a request is about; "0" where there is none."""
        from gcp_storage_emulator.exceptions import NotFound

        bucket, name = _object(address)
        if not name:  # a listing
            return None
        try:
            return self._storage.get_file_obj(bucket, name)["generation"]
        except NotFound:
            return "0"


def _object(address: str) -> tuple[str, str]:
    """The bucket and the name of the object that a request is about."""
    parsed = urlparse(address)
    query = parse_qs(parsed.query)
    bucket, _, name = parsed.path.partition("/b/")[2].partition("/o")
    return bucket, query["name"][0] if "name" in query else unquote(name.removeprefix("/"))


def kill_at_upload(
    served: BucketServer, process: subprocess.Popen[str], pattern: str, number: int = 1
) -> list[str]:
    """Kills a process (SIGKILL) when it uploads the n-th object whose name matches.

    Returns:
      The matching names, which grow; the last one's upload was not answered in time.
    """
    seen: list[str] = []

    def watch(method: str, name: str) -> None:
        if method == "POST" and re.search(pattern, name):
            seen.append(name)
            if len(seen) == number:
                process.kill()
                process.wait()

    served.watch = watch
    return seen


class _Quiet(server.HTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed, or that needed no more of an answer, is no news."""


def _handler() -> type:
    from gcp_storage_emulator.server import RequestHandler

    class Gate(RequestHandler):
        def __init__(self, owner: BucketServer, *arguments: Any):
            self._owner = owner
            super().__init__(owner._storage, *arguments)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the emulator logs every request."""

        def end_headers(self) -> None:
            if self.command == "GET" and (found := self._owner.generation(self.path)) not in (
                None,
                "0",
            ):
                self.send_header("x-goog-generation", str(found))
            super().end_headers()

        def _pass(self, method: str, serve: Any) -> None:
            refusal = self._owner.refusal(method, self._with_name())
            if refusal is None:
                serve()
                return
            status, said = refusal
            if self.rfile.__class__ is not _Body:
                self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.dumps({"error": {"code": status, "message": said}}).encode()
            body = b"" if status == 304 else body
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _with_name(self) -> str:
            """The path and query, with the name that an upload in parts has in its body."""
            if "uploadType=multipart" not in self.path:
                return self.path
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            self.rfile = _Body(data)
            said, _ = json.JSONDecoder().raw_decode(data[data.index(b"{") :].decode("latin-1"))
            return f"{self.path}&name={quote(said['name'])}"

        def do_GET(self) -> None:
            self._pass("GET", super().do_GET)

        def do_POST(self) -> None:
            self._pass("POST", super().do_POST)

        def do_PUT(self) -> None:
            self._pass("PUT", super().do_PUT)

        def do_DELETE(self) -> None:
            self._pass("DELETE", super().do_DELETE)

        def do_PATCH(self) -> None:
            self._pass("PATCH", super().do_PATCH)

    return Gate


class _Body:
    """A body that was read already, to be read again."""

    def __init__(self, data: bytes):
        import io

        self._stream = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def readline(self, size: int = -1) -> bytes:
        return self._stream.readline(size)

    def close(self) -> None:
        """Nothing to close."""


@contextlib.contextmanager
def bucket_server() -> Iterator[BucketServer]:
    """A server until the end of the block; skips the test where its packages are missing."""
    pytest.importorskip("gcsfs", reason="needs the extra gcs: pip install 'biobert_jax[gcs]'")
    pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator (extra dev)")
    served = BucketServer()
    try:
        yield served
    finally:
        served.close()
