"""Yes/no questions of BioASQ: the probability of yes for each snippet, and their mean decides."""

import logging
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.datasets.bioasq import question_id, write_submission
from biobert_jax.datasets.qa import QaSplits
from biobert_jax.evaluation.qa import yesno_scores
from biobert_jax.evaluation.questions import answered, write_questions
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from biobert_jax.tasks.protocol import Per
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.qa.windows import Windowing, featurize
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

LABELS = ("no", "yes")


class YesNoTask:
    """Answers yes/no questions; see `tasks.protocol.Task` for the methods."""

    name = "qa"
    stream = None

    def __init__(
        self,
        splits: QaSplits,
        tokenizer: Tokenizer,
        model: SequenceClassifier,
        windowing: Windowing,
        card: QaCard,
    ):
        """Featurises the splits; every window of a snippet has its question's answer for label.

        Args:
          splits: pairs of question and snippet; gold answers of all splits, those of train under
            `train`.
          tokenizer: the checkpoint's.
          model: a classifier of two classes, in the order of `LABELS`.
          windowing: how pairs are cut.
          card: what checkpoints carry.

        Raises:
          UserError: a window is longer than the model can read.
        """
        windowing.check_fits(model.config)
        self.predictions: dict[str, Per] = {"yes": "sequence"}
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "label": Feature("sequence", pad=IGNORED),
        }
        self.model, self.card = model, card
        self._batches = splits.gold
        self._gold: dict[str, dict[str, Any]] = {
            split: {id_: answer for batch in batches.values() for id_, answer in batch.items()}
            for split, batches in splits.gold.items()
        }
        self._examples: dict[str, list[Example]] = {}
        self._ids: dict[str, list[str]] = {}
        for split, questions in splits.questions.items():
            windows = featurize(questions, tokenizer, windowing)
            ids = [question_id(questions[q].id) for q in windows.question]
            labels = [LABELS.index(self._gold[split][id_]) for id_ in ids]
            self._ids[split] = ids
            self._examples[split] = [
                {
                    "input_ids": example["input_ids"],
                    "token_type_ids": example["token_type_ids"],
                    "label": np.int32(label),
                }
                for example, label in zip(windows.examples, labels, strict=True)
            ]
            logger.info(
                "%s: %d questions (%d yes) with %d snippets in %d windows",
                split,
                len(set(ids)),
                sum(self._gold[split][id_] == "yes" for id_ in set(ids)),
                len(questions),
                len(ids),
            )

    def examples(self, split: str) -> Sequence[Example]:
        return self._examples.get(split, [])

    def loss_weights(self, batch):
        return {"answer": count_labels(batch["label"])}

    def losses(self, outputs, batch):
        return {"answer": cross_entropy_sum(outputs["logits"], batch["label"])}

    def predict(self, outputs, batch):
        return {"yes": jax.nn.softmax(outputs["logits"])[..., LABELS.index("yes")]}

    def evaluate(self, split, predictions, directory):
        shares: dict[str, list[float]] = {}
        for id_, prediction in zip(self._ids[split], predictions, strict=True):
            shares.setdefault(id_, []).append(float(prediction["yes"]))
        gold = self._gold[split]
        # A question without any snippet is answered as most are.
        answers = {id_: LABELS[int(np.mean(shares.get(id_, [1.0])) >= 0.5)] for id_ in gold}
        if directory is not None:
            name = "bioasq.json" if split == "test" else f"bioasq_{split}.json"
            write_submission(directory / name, "yesno", answers)
            path = directory / f"{split}_questions.jsonl"
            write_questions(path, answered("yesno", self._batches[split], answers))
        always = yesno_scores(gold, dict.fromkeys(gold, "yes"))
        return yesno_scores(gold, answers) | {
            "questions": len(gold),
            "always_yes": {name: always[name] for name in ("accuracy", "macro_f1")},
        }

    def score(self, results):
        return results["macro_f1"]
