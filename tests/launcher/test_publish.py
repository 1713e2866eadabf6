"""Folders for the hub, and their upload to a server on this machine in the hub's place."""

import base64
import http.server
import json
import threading

import pytest

from biobert_jax import cli
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from tests.inference.conftest import tiny_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """The calls of an upload: make the repository, ask how each file travels, commit them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, {"id": "lab/ner", "sha": COMMIT, "siblings": []})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(size)
        made = self.server.made
        if self.headers.get("Authorization") != "Bearer token":
            return self.reply(401, {"error": "no token"})
        if self.path == "/api/repos/create":
            made["repository"] = json.loads(content)
            return self.reply(200, {"url": self.server.address + "/lab/ner", "id": "lab/ner"})
        if self.path == "/api/validate-yaml":
            return self.reply(200, {"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [f["path"] for f in json.loads(content)["files"]]
            answer = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]
            return self.reply(200, {"files": answer})
        if "/commit/" in self.path:
            for line in map(json.loads, content.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    made.setdefault("files", {})[value["path"]] = base64.b64decode(value["content"])
            return self.reply(
                200,
                {
                    "commitUrl": f"{self.server.address}/lab/ner/commit/{COMMIT}",
                    "commitOid": COMMIT,
                },
            )
        return self.reply(404, {"error": self.path})

    def reply(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.made, server.address = {}, f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    from huggingface_hub import HfApi

    # The endpoint and the token are read when the library is imported.
    monkeypatch.setattr(
        "huggingface_hub.HfApi", lambda: HfApi(endpoint=server.address, token="token")
    )
    yield server
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    made = tiny_checkpoint()
    folder = tmp_path_factory.mktemp("model") / "ner"
    write_huggingface(
        folder, made.config, made.params, made.vocabulary, made.lowercase, made.labels
    )
    return folder


def push(model, folder, *more):
    cli.main(["push", "--from", str(model), "--to", str(folder), "--license", "mit", *more])


def test_a_folder_has_card_and_licence(model, tmp_path):
    licence = tmp_path / "licence.txt"
    licence.write_text("Anybody may use it.\n")
    push(model, tmp_path / "out", "--license-file", str(licence))
    readme = (tmp_path / "out/README.md").read_text()
    front = dict(line.split(": ", 1) for line in readme.split("---\n")[1].splitlines())
    assert json.loads(front["license"]) == "mit"
    assert json.loads(front["pipeline_tag"]) == "token-classification"
    assert 'aggregation_strategy="first"' in readme
    assert "B-Disease" in readme  # from the model card
    assert (tmp_path / "out/LICENSE").read_bytes() == licence.read_bytes()
    assert read_huggingface(tmp_path / "out").labels == read_huggingface(model).labels


def test_upload(model, tmp_path, hub):
    push(model, tmp_path / "out", "--upload", "lab/ner", "--private")
    assert hub.made["repository"]["name"] == "ner"
    assert hub.made["repository"]["organization"] == "lab"
    assert hub.made["files"] == {
        path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()
    }
    assert '"lab/ner"' in hub.made["files"]["README.md"].decode()


def test_an_upload_that_fails_keeps_the_folder(model, tmp_path, capsys, monkeypatch):
    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.HfApi", lambda: HfApi(endpoint="http://127.0.0.1:9"))
    with pytest.raises(SystemExit) as ended:
        push(model, tmp_path / "out", "--upload", "lab/ner")
    assert ended.value.code == 1
    assert f"hf upload lab/ner {tmp_path / 'out'}" in capsys.readouterr().err
    assert (tmp_path / "out/README.md").is_file()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--upload", "ner"], "expected OWNER/NAME"),
        (["--private"], "expected --upload"),
        (["--license-file", "/nowhere"], "/nowhere"),
    ],
)
def test_arguments_that_do_not_fit(model, tmp_path, capsys, more, words):
    with pytest.raises(SystemExit):
        push(model, tmp_path / "out", *more)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
