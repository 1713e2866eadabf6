"""The service over HTTP, with tiny models."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from biobert_jax import cli
from biobert_jax.inference.formats.registry import FORMATS
from biobert_jax.inference.model import Model
from biobert_jax.inference.serving import schemas, server
from biobert_jax.inference.serving.limits import Limits
from biobert_jax.inference.serving.service import warm_up
from biobert_jax.inference.several import OVERLAPS, merge
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.classification import ClassificationCard
from biobert_jax.tasks.similarity import SimilarityCard
from tests.inference.conftest import TEXT, tiny_checkpoint
from tests.inference.serving.conftest import LIMITS, serving

STRANGE = [
    "",
    " \n\t ",
    "a\x00b \x00",
    "x" * 5000,
    "💊 relieved 🤒 of 👩‍⚕️ in 12 patients",
    "شفى تافوراماب من الحمى",
    "\u202eknee\u202c e\u0301 \u2028 \ufeff",
    "<script>alert(1)</script>",
]


class TestEndpoints:
    def test_entities_as_from_python(self, service, models):
        texts = [TEXT, *STRANGE]
        for begin in range(0, len(texts), LIMITS.texts):
            some = texts[begin : begin + LIMITS.texts]
            found = service.post("/v1/annotate", texts=some)["documents"]
            for text, document, ours in zip(some, found, models[0].annotate(some), strict=True):
                assert document["text"] == text
                assert [(e["start"], e["end"], e["type"]) for e in document["entities"]] == [
                    (e.start, e.end, e.type) for e in ours.entities
                ]
                for entity in document["entities"]:
                    assert text[entity["start"] : entity["end"]] == entity["text"]

    @pytest.mark.parametrize("overlaps", OVERLAPS)
    def test_overlaps_as_annotate_has_them(self, models, overlaps):
        two = [models[0], Model(tiny_checkpoint(seed=4), name="others")]
        with serving(two) as address:
            body = {"texts": [TEXT], "overlaps": overlaps}
            [document] = address.post("/v1/annotate", **body)["documents"]
        by_model = [model.annotate([TEXT])[0].entities for model in two]
        assert merge(by_model, "keep") != merge(by_model, "longest")
        ours = merge(by_model, overlaps)
        assert [(e["start"], e["end"], e["model"]) for e in document["entities"]] == [
            (e.start, e.end, e.model) for e in ours
        ]

    def test_relations_among_entities(self, service, models):
        found = service.post("/v1/annotate", texts=[TEXT], relations=True)["documents"][0]
        ours = models[1].relate(models[0].annotate([TEXT]))[0]
        assert len(found.get("relations", [])) == len(ours.relations)

    def test_relations(self, service, models):
        sentence = "@CHEMICAL$ relieved @DISEASE$."
        (found,) = service.post("/v1/relations", sentences=[sentence])["relations"]
        (ours,) = models[1].relations([sentence])
        assert found["label"] == ours.label
        assert found["probabilities"] == pytest.approx(ours.probabilities, abs=1e-5)

    def test_answers(self, service):
        found = service.post("/v1/answer", question="What?", contexts=[TEXT], top=2)["answers"]
        assert 1 <= len(found) <= 2
        for one in found:
            assert TEXT[one["start"] : one["end"]] == one["text"]

    def test_vectors(self, service, models):
        found = service.post("/v1/embed", texts=["Gold.", TEXT], model="entities")
        ours = models[0].embed(["Gold.", TEXT]).vectors
        assert found["size"] == len(ours[0])
        for vector, own in zip(found["vectors"], ours, strict=True):
            assert vector == pytest.approx(own, abs=1e-4)

    def test_labels_and_scores(self):
        make = SequenceClassifier
        labels = tiny_checkpoint(labels=["a", "b"], make=make, card=ClassificationCard)
        scores = tiny_checkpoint(labels=["score"], make=make, card=SimilarityCard)
        models = Model(labels, name="labels"), Model(scores, name="scores")
        with serving(models) as service:
            found = service.post("/v1/classify", texts=["Gold.", TEXT])["texts"]
            for one, ours in zip(found, models[0].classify(["Gold.", TEXT]), strict=True):
                assert one["labels"] == list(ours.labels)
                assert one["probabilities"] == pytest.approx(ours.probabilities, abs=1e-5)
            (score,) = service.post("/v1/similarity", texts=["Gold."], seconds=[TEXT])["scores"]
            assert score == pytest.approx(models[1].similarity("Gold.", TEXT)[0], abs=1e-4)
            for path in ("classify", "similarity"):
                body = {"texts": ["a"], "seconds": ["b", "c"]}
                assert "2 seconds" in service.post(f"/v1/{path}", 422, **body)["error"]
            pair = service.post("/v1/classify", 422, texts=["a"], seconds=["b"])
            assert "trained on single texts" in pair["error"]
        warm_up(models[1:])

    @pytest.mark.parametrize("form", sorted(FORMATS))
    def test_every_format(self, service, models, form):
        body = {"texts": [TEXT], "ids": ["PMID-1"], "format": form}
        found = requests.post(f"{service}/v1/annotate", json=body, timeout=60)
        documents = models[0].annotate([TEXT], ["PMID-1"])
        assert found.text == "".join(FORMATS[form](documents))
        assert schemas.FORMATS[form][0] in found.headers["content-disposition"]
        assert set(FORMATS) == set(schemas.FORMATS)

    def test_what_is_there(self, service):
        found = requests.get(f"{service}/v1/models", timeout=60).json()
        assert [model["name"] for model in found["models"]] == ["entities", "pairs", "answers"]
        assert found["limits"]["text"] == LIMITS.text
        openapi = requests.get(f"{service}/openapi.json", timeout=60).json()
        assert set(openapi["paths"]) == {
            f"/v1/{name}"
            for name in ("models", "annotate", "relations", "answer", "classify", "similarity")
        } | {"/v1/embed"}
        for name in ("health", "ready"):
            assert requests.get(f"{service}/{name}", timeout=60).status_code == 200
        metrics = requests.get(f"{service}/metrics", timeout=60).text
        assert 'biobert_requests_total{path="/v1/models",status="200"}' in metrics

    def test_the_page_loads_nothing_from_elsewhere(self, service):
        for path in ("/", "/docs", "/page.css", "/page.js", "/marking.js", "/icon.svg"):
            found = requests.get(service + path, timeout=60)
            assert found.status_code == 200
            policy = found.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            text = found.text.replace("http://www.w3.org/2000/svg", "").replace(
                "http://127.0.0.1:8642", ""
            )
            assert "http" not in text
            assert "innerHTML" not in text


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body", "status", "words"),
        [
            ("annotate", {}, 422, "texts: Field required"),
            ("annotate", {"texts": []}, 422, "texts: found none"),
            ("annotate", {"texts": "one"}, 422, "texts: Input should be a valid list"),
            ("annotate", {"texts": ["a", 1]}, 422, "texts[1]: Input should be a valid string"),
            ("annotate", {"texts": ["a"], "ID": ["a"]}, 422, "ID"),
            ("annotate", {"texts": ["a", "b"], "ids": ["1", "1"]}, 422, "ids: "),
            ("annotate", {"texts": ["a"], "ids": ["1\t2"]}, 422, "ids[0]"),
            ("annotate", {"texts": ["a"], "models": ["x"]}, 422, "expected one of entities"),
            ("annotate", {"texts": ["a"], "models": ["pairs"]}, 422, "no model 'pairs' here can"),
            ("annotate", {"texts": ["a"], "format": "doc"}, 422, "format"),
            ("annotate", {"texts": ["a", "b"], "format": "brat"}, 422, "send one text"),
            ("annotate", {"texts": ["a"] * 9}, 413, "found 9; expected 8 at the most"),
            ("annotate", {"texts": ["a" * 5001]}, 413, "texts[0]: found 5,001 characters"),
            ("annotate", {"texts": ["a" * 4000] * 7}, 413, "expected 20,000 bytes at the most"),
            ("relations", {"sentences": ["@PLANET$ is @DISEASE$."]}, 422, "@PLANET$"),
            ("answer", {"question": " ", "contexts": ["a"]}, 422, "question: found an empty"),
            ("answer", {"question": "a", "contexts": []}, 422, "contexts"),
            ("answer", {"question": "a", "contexts": ["a"], "top": 0}, 422, "top"),
            ("embed", {"texts": ["a"], "pooling": "none"}, 422, "pooling"),
            ("nothing", {}, 404, "/docs"),
        ],
    )
    def test_bodies(self, service, path, body, status, words):
        assert words in service.post(f"/v1/{path}", status, **body)["error"]

    @pytest.mark.parametrize(
        ("content", "kind", "status", "words"),
        [
            (b'{"texts": [', "application/json", 400, "no JSON"),
            (b'{"texts": ["a\xff"]}', "application/json", 400, "no JSON of UTF-8"),
            (b"[" * 19_000, "application/json", 400, "nested too deeply"),
            (b'{"texts": ["\\ud800"]}', "application/json", 422, "texts[0]"),
            (b'{"\\ud800": 1}', "application/json", 422, "the body"),
            (b"", "application/json", 422, "the body"),
            (b"null", "application/json", 422, "the body"),
            (b'{"texts": ["a"]}', "text/plain", 415, "Content-Type: application/json"),
        ],
    )
    def test_bytes(self, service, content, kind, status, words):
        found = requests.post(
            f"{service}/v1/annotate", content, headers={"Content-Type": kind}, timeout=60
        )
        assert found.status_code == status, found.text
        assert words in found.json()["error"]

    def test_a_body_without_length_is_counted_as_it_comes(self, service):
        parts = (b"x" * 1000 for _ in range(200))
        found = requests.post(f"{service}/v1/annotate", data=parts, timeout=60)
        assert found.status_code == 413
        assert "20,000 bytes" in found.json()["error"]

    def test_slow_clients(self, service):
        head = b"POST /v1/annotate HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        slow_body = head + b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        for sent, words in ((head, b"head of the request"), (slow_body, b"body did not arrive")):
            with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
                connection.sendall(sent)
                answered = b""
                while part := connection.recv(4096):
                    answered += part
            assert answered.startswith(b"HTTP/1.1 408")
            assert words in answered

    def test_other_names_of_the_host(self, service):
        found = requests.get(f"{service}/v1/models", headers={"Host": "evil.example"}, timeout=60)
        assert found.status_code == 400

    def test_token(self, models):
        with serving(models[:1], token="sesame-ö") as address:
            for given in (None, "Bearer wrong", "sesame-ö", "Bearer", "Basic sesame-ö"):
                headers = {"Authorization": given.encode()} if given else {}
                for path in ("/v1/models", "/metrics"):
                    found = requests.get(address + path, headers=headers, timeout=60)
                    assert found.status_code == 401, given
                    assert "Authorization" in found.json()["error"]
            headers = {"Authorization": "Bearer sesame-ö".encode()}
            assert requests.get(f"{address}/v1/models", headers=headers, timeout=60).ok
            assert requests.get(f"{address}/health", timeout=60).ok

    def test_a_full_queue(self, models):
        limits = Limits(waiting=1, batch=1, gather=0.0)
        with serving(models[:1], limits) as address:
            body = {"texts": [TEXT * 20]}
            found = []

            def ask():
                found.append(requests.post(f"{address}/v1/annotate", json=body, timeout=60))

            threads = [threading.Thread(target=ask) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert {answered.status_code for answered in found} == {200, 429}
        refused = next(answered for answered in found if answered.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert "too many texts" in refused.json()["error"]

    def test_a_fault_is_reported_without_the_text(self, models, monkeypatch, caplog):
        def fail(texts, ids=None):
            raise ZeroDivisionError("secret text")

        with serving(models[:1]) as address:
            monkeypatch.setattr(models[0], "annotate", fail, raising=True)
            said = address.post("/v1/annotate", 500, texts=["a"])
            monkeypatch.undo()
            assert "secret" not in said["error"]
            assert address.post("/v1/annotate", texts=["a"])  # the thread lives


def test_stopping_answers_what_was_accepted(models):
    with serving(models[:1], Limits(drain=0.5)) as address:
        answered = []

        def ask():
            answered.append(address.post("/v1/annotate", texts=[TEXT * 40] * 4))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        while "biobert_requests_in_progress 9.0" not in requests.get(f"{address}/metrics").text:
            time.sleep(0.01)
            assert len(answered) < 8
        address.server.stop()
        refused = requests.post(f"{address}/v1/annotate", json={"texts": ["a"]}, timeout=60)
        assert refused.status_code == 503
        assert "stopping" in refused.json()["error"]
        assert requests.get(f"{address}/ready", timeout=60).status_code == 503
        for thread in threads:
            thread.join()
        address.thread.join(60)
        assert len(answered) == 8
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{address}/health", timeout=5)


class TestCommand:
    @pytest.mark.processes
    def test_serve_until_sigterm(self, tmp_path, checkpoint):
        from biobert_jax.interop.workdir import write_workdir

        write_workdir(tmp_path / "run", checkpoint)
        command = [sys.executable, "-m", "biobert_jax.cli", "serve"]
        process = subprocess.Popen(
            [*command, "--model", f"ner={tmp_path / 'run'}", "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "http://" in line:
                address = line.split()[1]
                break
        body = {"texts": [TEXT]}
        found = requests.post(f"{address}v1/annotate", json=body, timeout=120).json()
        assert found["documents"][0]["text"] == TEXT
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "".join(lines) + process.stderr.read()

    def test_stopping_while_programs_are_compiled(self, models, monkeypatch):
        """The compiling thread ends before Python does."""
        from biobert_jax.inference.serving import app, service

        used = []
        monkeypatch.setattr(service, "_first_use", lambda *job: used.append(job) or time.sleep(0.2))
        made = app.make_app(models, LIMITS)

        async def run():
            async with made.router.lifespan_context(made):
                assert not made.state.state.ready

        asyncio.run(run())
        assert 1 <= len(used) < 15
        assert [t.name for t in threading.enumerate() if "_warm" in t.name] == []
        assert not made.state.state.ready

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (["--model", "b=x", "--model", "b=y"], "a second model called 'b'"),
            (["--model", "/nowhere"], "/nowhere"),
            (["--model", "/nowhere", "--token-file", "{empty}"], "is empty"),
            (["--model", "/nowhere", "--host", "256.1.1.1"], "cannot listen there"),
        ],
    )
    def test_arguments(self, tmp_path, capsys, more, words):
        (tmp_path / "empty").write_text("")
        more = [one.format(empty=tmp_path / "empty") for one in more]
        with pytest.raises(SystemExit) as ended:
            cli.main(["serve", "--port", "0", *more])
        assert ended.value.code == 1
        assert words in capsys.readouterr().err

    def test_a_port_in_use(self):
        bound = server.bind("127.0.0.1", 0)
        bound.listen()
        with pytest.raises(server.UserError, match="--port"):
            server.bind("127.0.0.1", bound.getsockname()[1])
        bound.close()

    def test_loopback(self):
        assert all(map(server.is_loopback, ("127.0.0.1", "::1", "localhost", "127.3.2.1")))
        assert not any(map(server.is_loopback, ("0.0.0.0", "10.0.0.1", "example.org", "::")))
