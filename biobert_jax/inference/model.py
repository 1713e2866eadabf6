"""A trained model in three lines, from Python:

    import biobert_jax
    model = biobert_jax.load("runs/ncbi")
    model.annotate(["Tavoramab relieved severe Brackow fever."])

`load` takes whatever `--model` of the console script takes, and the script calls the same methods.
What a model can do is in `Model.methods`:

| method | for a model with | returns |
|---|---|---|
| `annotate(texts)` | a classifier of tokens | `Documents`, one `Document` a text, with `entities` |
| `relations(sentences)` | a classifier of marked sentences | a `Relation` a sentence |
| `relate(documents)` | the same | `Documents`, with `relations` among their entities |
| `answer(questions, contexts)` | a span head, or a yes/no classifier | lists of `Answer` |
| `classify(texts, seconds)` | a classifier of texts, or of pairs | a `Classified` a text |
| `similarity(texts, seconds)` | a score of pairs | a number a pair |
| `embed(texts)` | any model | `Embeddings`, arrays of NumPy |

Every other method raises UserError. Texts of any number and length are batched and packed in rows
of one length. What is compiled, is compiled at the first use: one program for each of five numbers
of rows. Methods may be called from several threads at once.
"""

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import CheckpointError, DataError, UserError
from biobert_jax.inference.annotate import Annotator, annotate, make_annotator
from biobert_jax.inference.answer import LABELS as YES_OR_NO
from biobert_jax.inference.answer import Answer, Answerer, answer, make_answerer
from biobert_jax.inference.classify import (
    Classified,
    TextClassifier,
    classify_texts,
    make_text_classifier,
)
from biobert_jax.inference.embed import Embedder, Embeddings, embed, make_embedder
from biobert_jax.inference.formats.document import Document, Documents
from biobert_jax.inference.pairs import relate
from biobert_jax.inference.questions import Asked
from biobert_jax.inference.relations import (
    Relation,
    RelationClassifier,
    check_marks,
    classify,
    make_classifier,
)
from biobert_jax.inference.similarity import Comparer, compare_texts, make_comparer
from biobert_jax.inference.text_arguments import checked, chunks, in_chunks, text_records
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.load import load_checkpoint
from biobert_jax.interop.workdir import read_workdir
from biobert_jax.text.entity_marking import find_marks

T = TypeVar("T")

TEXTS_AT_ONCE = 256
QUESTIONS_AT_ONCE = 32

_METHODS = {"ner": "annotate", "relation": "relations", "qa": "answer"} | {
    "classification": "classify",
    "similarity": "similarity",
}
_VERBS = {
    "annotate": "annotate",
    "relations": "classify relations",
    "answer": "answer questions",
    "classify": "classify texts",
    "similarity": "score pairs of texts",
}
_USED_BY = {
    "annotate": "token classifier (experiments.ner)",
    "relations": "classifier of sentences (experiments.relation)",
    "answer": "span head or yes/no classifier (experiments.qa)",
    "classify": "classifier of texts (experiments.classification)",
    "similarity": "score of pairs (experiments.similarity)",
}


def load(
    source: str,
    *,
    name: str = "",
    entity_type: str = "",
    dtype: str = "float32",
    head: str | None = None,
    labels: Sequence[str] | None = None,
) -> "Model":
    """Loads a model of any kind.

    Args:
      source: a workdir (`runs/ncbi`, `runs/ncbi@best`), a Hugging Face folder, a hub id
        (`hf://owner/name`) or the prefix of a TensorFlow checkpoint.
      name: what its results say in `model`; for use beside others.
      entity_type: what a model of bare B and I labels (as BioBERT's own files make) finds, such as
        `Disease`; otherwise its entities are of the type `entity`.
      dtype: what matrix products are computed in, `float32` or `bfloat16`.
      head, labels: what the outputs of a fine-tuned TensorFlow checkpoint are; see
        `interop.tensorflow.read_tensorflow`. Other formats say it themselves.

    Raises:
      CheckpointError: there is no such model, or it is damaged.
      UserError: `entity_type` is given for a model that names its types.
    """
    checkpoint = read_model(source, head, labels)
    return Model(checkpoint, name=name, entity_type=entity_type, dtype=dtype)


def read_model(
    source: str, head: str | None = None, labels: Sequence[str] | None = None
) -> Checkpoint:
    """Reads a model from wherever it is; arguments and errors as `load`."""
    checkpoint = load_checkpoint(str(source), read_workdir, head, labels)
    if checkpoint is None:
        raise CheckpointError(f"{source}: names no trained model; give a workdir or a folder")
    return checkpoint


class Model:
    """A checkpoint with methods that apply it; see `load` and the module's table.

    Attributes:
      name: what its results say in `model`.
      source: where it was read from, for messages.
      checkpoint: what was read.
      methods: which of the methods it has, such as ("annotate", "embed").
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        name: str = "",
        entity_type: str = "",
        dtype: str = "float32",
    ):
        self.name = name
        self.source = checkpoint.source
        self.checkpoint = checkpoint
        self.methods = methods_of(checkpoint)
        self._entity_type = entity_type
        self._dtype = dtype
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._warned = False
        if entity_type and "annotate" in self.methods:
            named = [label for label in checkpoint.labels or () if label[1:]]
            if named:
                raise UserError(
                    f"{self.source}: names its types itself ({', '.join(named[:6])}); a type of "
                    "your own (--type) is for models of bare B and I labels. Leave it out"
                )

    @property
    def labels(self) -> list[str]:
        """The names of its outputs; none where it has no classifier."""
        return list(self.checkpoint.labels or ())

    def __repr__(self) -> str:
        return f"<Model {self.source}: {', '.join(self.methods)}>"

    @property
    def entity_types(self) -> list[str]:
        """The types of the entities that it finds, sorted; none of other models."""
        return self.annotator.types if "annotate" in self.methods else []

    @property
    def annotator(self) -> Annotator:
        """What `inference.annotate` applies; UserError if it is no model for entities."""
        return self._head("annotate", self._make_annotator)

    @property
    def classifier(self) -> RelationClassifier:
        """What `inference.relations` applies; UserError if it is no model for relations."""
        return self._head("relations", make_classifier)

    @property
    def answerer(self) -> Answerer:
        """What `inference.answer` applies; UserError if it is no model for questions."""
        return self._head("answer", make_answerer)

    @property
    def text_classifier(self) -> TextClassifier:
        """What `inference.classify` applies; UserError if it is no classifier of texts."""
        return self._head("classify", make_text_classifier)

    @property
    def comparer(self) -> Comparer:
        """What `inference.similarity` applies; UserError if it has no score of pairs."""
        return self._head("similarity", make_comparer)

    @property
    def embedder(self) -> Embedder:
        """What `inference.embed` applies."""
        return self._head("embed", make_embedder)

    def annotate(self, texts: str | Sequence[str], ids: Sequence[str] | None = None) -> Documents:
        """Finds the entities of texts.

        Args:
          texts: each of any length; one string is one text.
          ids: what the documents are called; by default their numbers from 1.

        Returns:
          A document a text. `document.text[e.start:e.end] == e.text` for each of its entities;
          they are in order, none overlap, none crosses the end of a sentence.

        Raises:
          UserError: it is no model for entities; a text is no string.
        """
        texts = checked(texts, "texts")
        if ids is None:
            ids = [str(number) for number in range(1, len(texts) + 1)]
        elif len(ids) != len(texts):
            raise DataError(f"found {len(ids)} ids for {len(texts)} texts; expected one each")
        annotator = self.annotator
        found = []
        for some in chunks(zip(ids, texts, strict=True), TEXTS_AT_ONCE):
            warn, self._warned = not self._warned, True  # once, not every few texts
            entities = annotate(annotator, [text for _, text in some], self.name, warn)
            for (id_, text), of_text in zip(some, entities, strict=True):
                found.append(Document(id_, text, tuple(of_text)))
        return Documents(found)

    def relations(self, sentences: str | Sequence[str]) -> list[Relation]:
        """Classifies the pairs that are marked in sentences, as in "@GENE$ causes @DISEASE$.".

        Args:
          sentences: marked as the training sentences were, see `classifier.marks`; one string is
            one sentence.

        Raises:
          UserError: it is no model for relations; a mark is of a type that it has never seen.
        """
        classifier, texts = self.classifier, checked(sentences, "sentences")
        marked = [
            RelationExample(str(i), text, "", find_marks(text), f"sentences[{i}]")
            for i, text in enumerate(texts)
        ]
        check_marks(classifier, marked)
        return self.relations_of(marked)

    def relations_of(self, sentences: Sequence[RelationExample]) -> list[Relation]:
        """Classifies sentences that `datasets.relation_files` read; see `relations`.

        Their marks are not compared with the model's: that is `inference.relations.check_marks`.
        """
        apply = functools.partial(classify, self.classifier)
        return list(in_chunks(apply, sentences, TEXTS_AT_ONCE))

    def relate(self, documents: Iterable[Document]) -> Documents:
        """Classifies the pairs of entities that documents have; see `inference.pairs.relate`.

        Returns:
          The documents with `relations`: a `Pair` for each two entities of a sentence whose types
          are those of the model's marks.

        Raises:
          UserError: it is no model for relations, or does not say its marks.
        """
        apply = functools.partial(relate, self.classifier, model=self.name)
        return Documents(in_chunks(apply, documents, TEXTS_AT_ONCE))

    def answer(
        self,
        questions: str | Sequence[str],
        contexts: str | Sequence[str | Sequence[str]],
        top: int | None = None,
    ) -> list[list[Answer]]:
        """Answers questions from passages.

        Args:
          questions: each of some text; one string is one question.
          contexts: for each question its passages, a string or several. Of one question given as a
            string, its passages. One string is the passage of all questions.
          top: at most so many answers; see `inference.answer.answer`.

        Returns:
          For each question its answers, best first; `contexts[i][passage][start:end] == text`. Of a
          yes/no model one answer, `yes` or `no`.

        Raises:
          UserError: it is no model for questions; a question or a passage is empty.
        """
        if isinstance(questions, str):
            questions = [questions]
            passages: Any = [contexts] if isinstance(contexts, str) else contexts
            contexts = [passages]
        elif isinstance(contexts, str):
            contexts = [contexts] * len(questions)
        if len(questions) != len(contexts):
            raise DataError(
                f"found {len(questions)} questions and {len(contexts)} contexts; expected the "
                "passages of each question"
            )
        asked = []
        for i, (question, passages) in enumerate(zip(questions, contexts, strict=True)):
            texts = [passages] if isinstance(passages, str) else list(passages)
            checked([question], f"questions[{i}]", empty=False)
            checked(texts, f"contexts[{i}]", empty=False)
            asked.append(Asked(str(i + 1), question, tuple(texts)))
        return self.answer_asked(asked, top)

    def answer_asked(
        self, questions: Sequence[Asked], top: int | None = None
    ) -> list[list[Answer]]:
        """Answers questions that `inference.questions` read; see `answer`."""
        apply = functools.partial(answer, self.answerer, top=top)
        return list(in_chunks(apply, questions, QUESTIONS_AT_ONCE))

    def classify(
        self, texts: str | Sequence[str], seconds: str | Sequence[str] | None = None
    ) -> list[Classified]:
        """Gives each text, or pair of texts, its label or labels.

        Args:
          texts: of any length; what is longer than the model reads loses its end.
          seconds: for a model of pairs, the other text of each.

        Raises:
          UserError: it is no such model; a text is empty; texts for a model of pairs.
        """
        return self.classify_records(text_records(texts, seconds))

    def classify_records(self, records: Sequence[Record]) -> list[Classified]:
        """Classifies texts that `datasets.text_records` read; see `classify`."""
        apply = functools.partial(classify_texts, self.text_classifier)
        return list(in_chunks(apply, records, TEXTS_AT_ONCE))

    def similarity(self, texts: str | Sequence[str], seconds: str | Sequence[str]) -> list[float]:
        """The score of each pair, on the scale of the training scores; see `classify`."""
        return self.compare_records(text_records(texts, seconds))

    def compare_records(self, records: Sequence[Record]) -> list[float]:
        """Scores pairs that `datasets.text_records` read; see `similarity`."""
        apply = functools.partial(compare_texts, self.comparer)
        return list(in_chunks(apply, records, TEXTS_AT_ONCE))

    def embed(self, texts: str | Sequence[str], pooling: str = "mean") -> Embeddings:
        """Encodes texts: `vectors` [N, D], float32; see `inference.embed.embed`.

        Args:
          texts: each is one sequence; one string is one text.
          pooling: `mean` over pieces, `cls`, or `none`: a vector a piece.

        Raises:
          UserError: a text is no string.
        """
        return embed(self.embedder, checked(texts, "texts"), pooling)

    def _make_annotator(self, checkpoint: Checkpoint, dtype: str) -> Annotator:
        made = make_annotator(checkpoint, dtype)
        if self._entity_type:
            made = dataclasses.replace(made, bare_type=self._entity_type)
        return made

    def _head(self, method: str, make: Callable[[Checkpoint, str], T]) -> T:
        if method not in self.methods:
            labels = f" with the labels {', '.join(self.labels[:8])}" if self.labels else ""
            raise UserError(
                f"{self.source}: cannot {_VERBS[method]}: has no {_USED_BY[method]}. It has "
                f"{', '.join(self.checkpoint.params)}{labels}; it can do: {', '.join(self.methods)}"
            )
        with self._lock:
            if method not in self._made:
                self._made[method] = make(self.checkpoint, self._dtype)
            return self._made[method]


def methods_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The methods of `Model` that a checkpoint has the head for; `embed` is always one.

    A run of ours says its task. Of other checkpoints the head and its labels tell.
    """
    task = checkpoint.card.task if checkpoint.card is not None else ""
    labels, params = checkpoint.labels or [], checkpoint.params
    if task:
        found = _METHODS.get(task, "")
    elif "span" in params:
        found = "answer"
    elif "classifier" not in params:
        found = ""
    elif "O" in labels or "pooler" not in params:
        found = "annotate"
    elif len(labels) == 1:
        found = "similarity"
    else:
        found = "answer" if labels == list(YES_OR_NO) else "relations"
    if found == "relations":
        # A published classifier of sequences does not say of what.
        return ("relations", "relate", *([] if task else ["classify"]), "embed")
    return (found, "embed") if found else ("embed",)
