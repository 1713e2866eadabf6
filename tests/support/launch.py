"""What CI asks of the files in launch/, as far as a machine without a cloud can answer.

Each check returns what is wrong, a line each; an empty list is good.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import REPOSITORY

LAUNCH = REPOSITORY / "launch"
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}") or shutil.which(
    "shellcheck"
)
needs_shellcheck = pytest.mark.skipif(
    not SHELLCHECK, reason="needs shellcheck: pip install 'biobert_jax[dev]'"
)
SCHEMAS = importlib.util.find_spec("kubernetes_validate") is not None

_text, _number, _words = {"type": "string"}, {"type": "integer"}, {"type": "array"}
_named = {"type": "object", "additionalProperties": _text}


def _fields(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


JOBSET = _fields(
    {
        "apiVersion": {"const": "jobset.x-k8s.io/v1alpha2"},
        "kind": {"const": "JobSet"},
        "metadata": _fields(
            {"name": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$"}}, annotations=_named
        ),
        "spec": _fields(
            {
                "replicatedJobs": {
                    "type": "array",
                    "minItems": 1,
                    "items": _fields(
                        {"name": _text, "template": {"type": "object"}}, replicas=_number
                    ),
                }
            },
            failurePolicy=_fields(
                {},
                maxRestarts=_number,
                rules={
                    "type": "array",
                    "items": _fields(
                        {
                            "name": {
                                "type": "string",
                                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                            },
                            "action": {
                                "enum": [
                                    "FailJobSet",
                                    "RestartJobSet",
                                    "RestartJobSetAndIgnoreMaxRestarts",
                                ]
                            },
                        },
                        onJobFailureReasons=_words,
                        targetReplicatedJobs=_words,
                    ),
                },
            ),
        ),
    }
)
"""The fields of a JobSet that launch/ uses, after its custom resource definition (v1alpha2).

What is within a job's template is checked against Kubernetes' own schema.
"""


def shell(script: Path) -> list[str]:
    """What `bash -n` and shellcheck say of a script."""
    asked = [["bash", "-n", str(script)]]
    if SHELLCHECK:
        asked.append(
            [SHELLCHECK, "--external-sources", f"--source-path={REPOSITORY}", "--format=gcc"]
        )
        asked[-1].append(str(script))
    found = [subprocess.run(one, capture_output=True, text=True, check=False) for one in asked]
    return [line for done in found for line in (done.stderr + done.stdout).splitlines()]


def manifest(text: str) -> list[str]:
    """What is wrong with a JobSet."""
    import jsonschema
    import kubernetes_validate
    import yaml

    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [str(error)]
    problems = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(JOBSET).iter_errors(given)
    ]
    if problems:
        return problems
    for job in given["spec"]["replicatedJobs"]:
        whole = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job["name"]}}
        try:
            kubernetes_validate.validate(whole | job["template"], "1.33", strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{'/'.join(map(str, error.path))}: {error.message}")
    return problems


def remote(calls: list[list[str]]) -> list[str]:
    """What is wrong with the shell commands that a script sends elsewhere by `--command=`."""
    problems = []
    for call in calls:
        for word in call:
            if word.startswith("--command="):
                done = subprocess.run(
                    ["bash", "-n"], input=word.partition("=")[2], capture_output=True, text=True
                )
                problems += done.stderr.splitlines()
    return problems


def dockerfile(text: str, extras: set[str], folder: Path) -> list[str]:
    """What is wrong with a Dockerfile: its instructions, and what it installs for each accelerator.

    Args:
      text: the file.
      extras: those of setup.py.
      folder: an empty one, for what stands in for pip.
    """
    known = {"ARG", "FROM", "SHELL", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD", "ENV"}
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    steps = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    problems = [f"no such instruction: {name}" for name, *_ in steps if name not in known]
    for name, *rest in steps:
        if name in ("ENTRYPOINT", "CMD", "SHELL"):
            try:
                json.loads(rest[0])
            except ValueError:
                problems.append(f"{name} is no JSON list: {rest[0]}")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for tool in ("pip", "install", "useradd"):
        stand_in(bin_folder / tool, f'echo "{tool} $*" >> "$CALLS"')
    runs = "\n".join(rest[0] for name, *rest in steps if name == "RUN")
    for accelerator, good in (("cpu", 1), ("cuda12", 1), ("cuda13", 1), ("tpu", 1), ("rocm", 0)):
        calls = folder / accelerator
        calls.touch()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", runs],
            env={
                "PATH": f"{bin_folder}:/usr/bin:/bin",
                "ACCELERATOR": accelerator,
                "CALLS": str(calls),
            },
            capture_output=True,
            text=True,
        )
        installed = re.findall(r"^pip install.* \.\[([\w,]+)\]", calls.read_text(), re.MULTILINE)
        asked = {extra for one in installed for extra in one.split(",")}
        if bool(good) != (done.returncode == 0 and bool(installed)):
            problems.append(f"{accelerator}: status {done.returncode}, installed {installed}")
        elif good and accelerator not in asked | {"cpu"}:
            problems.append(f"{accelerator}: installed {sorted(asked)}")
        problems += [f"no such extra: {extra}" for extra in sorted(asked - extras)]
    return problems


def stand_in(path: Path, body: str) -> Path:
    """Writes an executable script that plays another program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def recorder(path: Path, body: str = "") -> Path:
    """A stand-in that appends its name and its arguments to the file $CALLS, before `body`."""
    write = """printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"; printf '\\036' >> "$CALLS\""""
    return stand_in(path, f"{write}\n{body}")


def recorded(path: Path) -> list[list[str]]:
    """The calls that recorders wrote, the words of each."""
    calls = path.read_text(encoding="utf-8").split("\x1e")[:-1]
    return [call.split("\0")[:-1] for call in calls]
