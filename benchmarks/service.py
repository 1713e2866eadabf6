"""Mixed requests for a running service, part of them hostile: what it answers, and how fast.

    biobert serve --model runs/ncbi --port 8642 --max-batch 32
    python -m benchmarks.service --url http://127.0.0.1:8642 --pid PID --requests 500 --clients 16

`--pid` is the service's process: its memory is sampled. `--only good` leaves out hostile requests,
for speeds. `--sigterm` sends SIGTERM in the middle; then every request must have an answer, or
never have been accepted. Prints one JSON object; ends with an error where an answer is missing or
wrong, or a refusal has no reason.
"""

import argparse
import collections
import contextlib
import json
import os
import queue
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import requests

ABSTRACTS = [
    "Torsade de pointes after cisapride. A woman with renal failure took cisapride and "
    "erythromycin and developed syncope and a prolonged QT interval.",
    "Germline mutations of BRCA1 predispose to breast cancer and ovarian cancer. Tamoxifen "
    "reduced contralateral breast cancer in carriers.",
    "Acute liver failure due to acetaminophen was treated with N-acetylcysteine.",
]
JSON = {"Content-Type": "application/json"}


def good(rng: random.Random, texts: list[str], methods: set[str]) -> tuple[str, str, Any]:
    """A request that must be answered: its kind, path, body."""
    kinds = ["annotate"] * 5 + ["embed"] + ["answer", "relations"] * ("answer" in methods)
    kind = rng.choice([k for k in kinds if k in methods])
    some = [rng.choice(texts) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
    bodies = {
        "annotate": {"texts": some},
        "embed": {"texts": some},
        "answer": {"question": "What was given?", "contexts": some},
        "relations": {"sentences": ["@CHEMICAL$ causes @DISEASE$ in mice."] * len(some)},
    }
    return kind, f"/v1/{kind}", bodies[kind]


STRANGE = {  # good requests of strange text
    "long word": "x" * 90_000,
    "NUL": "cancer\x00of\x00the breast \x01",
    "emoji": "💊 for 🤒 👩‍⚕️ breast cancer 🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 20,
    "right to left": "سرطان الثدي \u202e cancer \u202c סרטן" * 20,
}
REFUSED = {  # bytes that must be refused, with a status and a reason
    "10 MB": (b'{"texts": ["' + b"a" * 10_000_000 + b'"]}', {413}),
    "10 MB in chunks": (None, {413}),
    "broken JSON": (b'{"texts": ["a", ', {400}),
    "deep JSON": (b"[" * 200_000, {400}),
    "no UTF-8": (b'{"texts": ["\xff\xfe"]}', {400}),
    "half a pair": (b'{"texts": ["\\ud800"]}', {422}),
    "word over the limit": (json.dumps({"texts": ["x" * 100_001]}).encode(), {413}),
    "no texts": (b'{"texts": []}', {422}),
    "other types": (b'{"texts": [1, null]}', {422}),
}


class Client:
    """Asks until the list is empty; notes what was answered."""

    def __init__(self, url: str, jobs: "queue.SimpleQueue[tuple]", notes: list[dict[str, Any]]):
        self.url, self.jobs, self.notes = url, jobs, notes
        self.session = requests.Session()

    def run(self) -> None:
        while True:
            try:
                kind, job = self.jobs.get_nowait()
            except queue.Empty:
                return
            started = time.monotonic()
            note: dict[str, Any] = {"kind": kind, "started": started}
            try:
                note |= self.ask(kind, job)
            except requests.ConnectionError as error:
                refused = "Connection refused" in str(error) or "NewConnectionError" in str(error)
                note |= {"status": "not accepted" if refused else "LOST", "said": str(error)[:200]}
            except Exception as error:
                note |= {"status": "LOST", "said": repr(error)[:200]}
            note["seconds"] = time.monotonic() - started
            self.notes.append(note)

    def ask(self, kind: str, job: Any) -> dict[str, Any]:
        if kind == "slow":
            return self.ask_slowly(*job)
        path, content, expected, check = job
        if content is None:
            content = (b"x" * 65_536 for _ in range(160))
        answered = self.session.post(self.url + path, data=content, headers=JSON, timeout=300)
        busy = 0
        while answered.status_code == 429:  # as it asks for
            busy += 1
            time.sleep(min(5, int(answered.headers["Retry-After"])))
            answered = self.session.post(self.url + path, data=content, headers=JSON, timeout=300)
        said = answered.json()
        wrong = answered.status_code not in expected and answered.status_code != 503
        if answered.status_code >= 400 and not said.get("error"):
            wrong = True
        if answered.status_code == 200 and check is not None:
            wrong = wrong or not check(said)
        note = {"status": answered.status_code, "busy": busy, "said": str(said)[:160]}
        return note | ({"wrong": True} if wrong else {})

    def ask_slowly(self, head: bytes, body: bytes, per_second: int) -> dict[str, Any]:
        """Sends a request byte by byte; the service may give up on it, with 408."""
        where = urlparse(self.url)
        answered = b""
        with socket.create_connection((where.hostname, where.port), timeout=120) as connection:
            with contextlib.suppress(OSError):
                for i in range(0, len(head + body), per_second):
                    connection.sendall((head + body)[i : i + per_second])
                    time.sleep(1)
                    connection.setblocking(False)
                    try:
                        answered += connection.recv(65_536)
                    except BlockingIOError:
                        pass
                    finally:
                        connection.settimeout(120)
                    if answered:
                        break
            while b"}" not in answered and (part := connection.recv(65_536)):
                answered += part
        status = int(answered.split()[1]) if answered else 0
        return {
            "status": status,
            "said": answered[-160:].decode(errors="replace"),
            **({} if status == 408 and b"error" in answered else {"wrong": True}),
        }


def jobs_of(count: int, hostile: bool, texts: list[str], methods: set[str], seed: int) -> list:
    rng = random.Random(seed)
    jobs: list[tuple] = []
    for number in range(count):
        if hostile and number % 4 == 0:
            name = rng.choice([*STRANGE, *REFUSED, *REFUSED, "slow"])
            if name in STRANGE:
                body = json.dumps({"texts": [STRANGE[name]]}).encode()
                jobs.append((name, ("/v1/annotate", body, {200}, checks(STRANGE[name]))))
            elif name in REFUSED:
                content, statuses = REFUSED[name]
                jobs.append((name, ("/v1/annotate", content, statuses, None)))
            else:
                head = b"POST /v1/annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n"
                ends = b"Content-Type: application/json\r\n\r\n" if rng.random() < 0.5 else b""
                jobs.append(("slow", (head + ends, b"{" * 400, 64)))
            continue
        kind, path, body = good(rng, texts, methods)
        size = len(next(v for v in body.values() if isinstance(v, list)))

        def check(said, kind=kind, size=size, body=body):
            if kind == "annotate":
                return all(map(exact, said["documents"], body["texts"]))
            if kind == "answer":
                return all(
                    body["contexts"][a["passage"]][a["start"] : a["end"]] == a["text"]
                    for a in said["answers"]
                )
            return len(said["vectors" if kind == "embed" else "relations"]) == size

        jobs.append((kind, (path, json.dumps(body).encode(), {200}, check)))
    rng.shuffle(jobs)
    return jobs


def exact(document: dict[str, Any], text: str) -> bool:
    """Whether it is the answer for this text, offsets and all."""
    return document["text"] == text and all(
        text[e["start"] : e["end"]] == e["text"] for e in document["entities"]
    )


def checks(text: str):
    return lambda said: exact(said["documents"][0], text)


def memory(pid: int) -> float:
    """Resident memory of a process in MiB; 0 where it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
    return 0.0


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", type=int)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--only", choices=("good",))
    parser.add_argument("--texts", help="JSON lines with `text`, instead of three short ones")
    parser.add_argument("--sigterm", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    texts = ABSTRACTS
    if args.texts:
        lines = Path(args.texts).read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
    models = requests.get(f"{args.url}/v1/models", timeout=60).json()["models"]
    methods = {method for model in models for method in model["methods"]}
    jobs: queue.SimpleQueue[tuple] = queue.SimpleQueue()
    for job in jobs_of(args.requests, args.only is None, texts, methods, args.seed):
        jobs.put(job)
    notes: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=Client(args.url, jobs, notes).run) for _ in range(args.clients)
    ]
    started, sizes = time.monotonic(), []
    for thread in threads:
        thread.start()
    terminated = 0.0
    while any(thread.is_alive() for thread in threads):
        if args.pid:
            sizes.append(memory(args.pid))
        if args.sigterm and not terminated and len(notes) > args.requests // 3:
            os.kill(args.pid, signal.SIGTERM)
            terminated = time.monotonic()
        time.sleep(0.1)
    seconds = time.monotonic() - started
    fine = [note["seconds"] for note in notes if note["status"] == 200 and not note.get("busy")]
    wrong = [note for note in notes if note.get("wrong") or note["status"] == "LOST"]
    report = {
        "requests": len(notes),
        "seconds": round(seconds, 1),
        "requests_per_second": round(len(notes) / seconds, 2),
        "p50": round(percentile(fine, 0.5), 3),
        "p95": round(percentile(fine, 0.95), 3),
        "statuses": dict(collections.Counter(str(note["status"]) for note in notes)),
        "asked_again_after_429": sum(bool(note.get("busy")) for note in notes),
        "kinds": {
            f"{kind}: {status}": count
            for (kind, status), count in sorted(
                collections.Counter((n["kind"], str(n["status"])) for n in notes).items()
            )
        },
        "memory_mib": [round(f(filter(None, sizes)), 0) for f in (min, max)] if sizes else None,
        "answered_after_sigterm": sum(
            n["status"] == 200 and n["started"] < terminated < n["started"] + n["seconds"]
            for n in notes
        ),
        "lost_or_wrong": wrong[:10],
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))
    if wrong or len(notes) != args.requests:
        sys.exit(f"{len(wrong)} answers lost or wrong, {len(notes)} notes")


if __name__ == "__main__":
    main()
