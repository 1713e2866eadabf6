"""hf:// against a server on this machine that answers as the hub does, and against none."""

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlparse

import pytest

from biobert_jax.interop.huggingface import write_huggingface

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "lab/biobert-small"


class Hub(http.server.BaseHTTPRequestHandler):
    """The calls that a snapshot makes: the list of files of a revision, then each file."""

    def __init__(self, *args, folder: Path, asked: list[str], **kwargs):
        self.folder, self.asked = folder, asked
        super().__init__(*args, **kwargs)

    def do_GET(self):
        self.answer(body=True)

    def do_HEAD(self):
        self.answer(body=False)

    def answer(self, body: bool):
        path = urlparse(self.path).path
        self.asked.append(path)
        resolve = f"/{REPOSITORY}/resolve/"
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            files = [
                {"type": "file", "path": f.name, "oid": self.digest(f), "size": f.stat().st_size}
                for f in sorted(self.folder.iterdir())
            ]
            self.reply(200, json.dumps(files).encode(), body)
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            revision = path.rpartition("/revision/")[2] if "/revision/" in path else "main"
            if revision not in ("main", "v1", COMMIT):
                return self.reply(404, b"{}", body, {"X-Error-Code": "RevisionNotFound"})
            siblings = [{"rfilename": f.name} for f in sorted(self.folder.iterdir())]
            info = {"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}
            self.reply(200, json.dumps(info).encode(), body)
        elif path.startswith(resolve) and (self.folder / path.rpartition("/")[2]).is_file():
            file = self.folder / path.rpartition("/")[2]
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.digest(file)}"'}
            self.reply(200, file.read_bytes(), body, headers)
        else:
            self.reply(404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        return None

    @staticmethod
    def digest(file: Path) -> str:
        return hashlib.sha1(file.read_bytes()).hexdigest()

    def reply(self, status: int, content: bytes, body: bool, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(tmp_path, only):
    """Address of the server, and the paths that it was asked for."""
    made = only("encoder")
    folder = tmp_path / "served"
    write_huggingface(folder, made.config, made.params, made.vocabulary, made.lowercase)
    # What else such repositories hold, and must not be fetched.
    for other in ("pytorch_model.bin", "flax_model.msgpack", "README.md"):
        (folder / other).write_text("not to be fetched")
    asked: list[str] = []
    handler = functools.partial(Hub, folder=folder, asked=asked)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


# The hub's client reads its environment once, when it is imported: hence a process of its own.
PROGRAM = """
import sys
from biobert_jax.errors import report_errors
from biobert_jax.interop.hub import read_hub
with report_errors():
    read = read_hub(sys.argv[1])
    print(read.source, len(read.vocabulary), *read.params)
"""


def read(identifier, endpoint, cache):
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, identifier],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fetches_what_it_needs_and_keeps_it(hub, tmp_path):
    endpoint, asked = hub
    done = read(f"hf://{REPOSITORY}", endpoint, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"hf://{REPOSITORY}", "30", "encoder"]
    fetched = {path.rpartition("/")[2] for path in asked if "/resolve/" in path}
    assert fetched == {"config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"}

    nowhere = "http://127.0.0.1:9"
    again = read(f"hf://{REPOSITORY}", nowhere, tmp_path / "cache")
    assert again.stdout == done.stdout, again.stderr


def test_revision(hub, tmp_path):
    endpoint, asked = hub
    done = read(f"hf://{REPOSITORY}@v1", endpoint, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert f"/api/models/{REPOSITORY}/revision/v1" in asked


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ("hf://lab/no-such-model", "RepositoryNotFoundError"),
        (f"hf://{REPOSITORY}@no-such-tag", "RevisionNotFoundError"),
        ("hf://lab/biobert/small", "HFValidationError"),
    ],
)
def test_what_the_hub_does_not_have(hub, tmp_path, identifier, reason):
    done = read(identifier, hub[0], tmp_path / "cache")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {identifier}: cannot be fetched")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_network(tmp_path):
    done = read(f"hf://{REPOSITORY}", "http://127.0.0.1:9", tmp_path / "cache")
    assert done.returncode == 1
    assert "give the folder of a downloaded copy" in done.stderr
    assert "Traceback" not in done.stderr
