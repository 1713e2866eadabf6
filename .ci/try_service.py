"""Serves a model with the installed package as a user would: `try_service.py BIOBERT MODEL`."""

import json
import signal
import subprocess
import sys
import urllib.request

BIOBERT, MODEL = sys.argv[1:]
TEXT = "Tavoramab relieved severe Brackow fever of the knee in 12 patients."

subprocess.run([BIOBERT, "doctor"], check=True, timeout=600)
command = [BIOBERT, "serve", "--model", MODEL, "--port", "0"]
print(*command, flush=True)
with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
    try:
        address = next(line.split()[1] for line in service.stderr if "http://" in line)
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"<textarea" in page.read()
        request = urllib.request.Request(
            f"{address}v1/annotate",
            json.dumps({"texts": [TEXT]}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=300) as answered:
            (document,) = json.load(answered)["documents"]
        assert document["text"] == TEXT
        for entity in document["entities"]:
            assert TEXT[entity["start"] : entity["end"]] == entity["text"]
    finally:
        service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0
