"""Scores of a split, from the current parameters."""

from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.sharding import Mesh

from biobert_jax.cluster import job
from biobert_jax.files import writing
from biobert_jax.input.loader import PackedBatches, evaluation_order, iterate, round_up
from biobert_jax.input.packing import take_apart
from biobert_jax.tasks.protocol import Task
from biobert_jax.training.data import loader_options, make_packing
from biobert_jax.training.sharding import replicated, row_shards, to_devices
from biobert_jax.training.step import make_predict_step


class Evaluator:
    """Scores splits; each example is seen exactly once, on however many devices."""

    def __init__(self, config: ml_collections.ConfigDict, task: Task, mesh: Mesh):
        self._task, self._mesh = task, mesh
        self._packing = make_packing(config)
        self._rows = round_up(config.batch.eval_rows, row_shards(mesh))
        self._loader = loader_options(config)
        self._predict = jax.jit(make_predict_step(task), out_shardings=replicated(mesh))
        self._batches: dict[str, PackedBatches] = {}

    def __call__(self, params: Any, split: str, workdir: Path | None = None) -> dict[str, Any]:
        """Returns the task's scores; with a workdir, writes its predictions there."""
        directory = workdir / "predictions" if workdir and jax.process_index() == 0 else None
        predictions = self.predictions(params, split)
        with writing(directory or Path(split)):
            return self._task.evaluate(split, predictions, directory)

    def predictions(self, params: Any, split: str) -> list[dict[str, np.ndarray]]:
        """What the task predicts for each example of a split, in order."""
        examples = self._task.examples(split)
        if split not in self._batches:
            plan = self._packing.plan(examples, evaluation_order(examples))
            self._batches[split] = PackedBatches(
                examples,
                plan,
                self._task.features,
                self._rows,
                self._rows,
                jax.process_index(),
                jax.process_count(),
            )
        out: list[dict[str, np.ndarray]] = [{} for _ in examples]
        for batch in iterate(self._batches[split], **self._loader):
            outputs = jax.device_get(self._predict(params, to_devices(batch, self._mesh)))
            for name, kind in self._task.predictions.items():
                for index, value in take_apart(outputs[name], outputs, kind).items():
                    out[index][name] = value
            job.report_progress()
        return out
