"""The table of tasks: every name in it exists, and a wrong `config.task` is answered."""

import dataclasses
from pathlib import Path

import ml_collections
import pytest

from biobert_jax.configuration.schema import Schema
from biobert_jax.errors import TrainingError
from biobert_jax.launcher.flags import check_task
from biobert_jax.tasks import registry

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("task", registry.TASKS)
def test_every_function_exists(task):
    entry = registry.TASKS[task]
    names = [
        value
        for field, value in dataclasses.asdict(entry).items()
        if field not in ("command", "summary", "schema") and value
    ]
    assert all(callable(registry.resolve(name)) for name in names)
    assert isinstance(registry.resolve(entry.schema), Schema)
    assert (REPOSITORY / "experiments" / f"{entry.command}.py").is_file()
    assert (REPOSITORY / "configs" / entry.command).is_dir()


def test_a_config_of_another_task_names_its_entry_point():
    with pytest.raises(TrainingError, match=r"'qa'.*'ner'.*configs/ner/.*experiments\.qa"):
        check_task(ml_collections.ConfigDict({"task": "qa"}), "ner")


def test_an_unknown_task_gets_a_suggestion():
    with pytest.raises(TrainingError, match=r"expected one of.*Did you mean 'relation'"):
        check_task(ml_collections.ConfigDict({"task": "relations"}), "ner")
