"""Marking the entities of raw text with a token classifier."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.errors import CheckpointError
from biobert_jax.inference.formats.document import Entity
from biobert_jax.inference.heads import params_of
from biobert_jax.inference.packed import run_packed
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.tasks.ner import (
    BARE_TYPE,
    NerCard,
    Windowing,
    entity_spans,
    featurize_encodings,
    words_from_windows,
)
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.sentences import split_sentences
from biobert_jax.text.tokenizer import Encoding, Tokenizer
from biobert_jax.text.word_joining import join_words


@dataclasses.dataclass(frozen=True)
class Annotator:
    """A token classifier, ready to be applied; see `make_annotator`.

    Attributes:
      apply: a jitted function (params, batch) -> label probabilities [B, S, L].
      params: the classifier's.
      tokenizer: the checkpoint's.
      labels: the names of the outputs; BIO, IOB1 or BIOES.
      windowing: how long sentences are cut.
      joining: the punctuation that words of the training sentences have inside.
      bare_type: what the entities of bare B and I labels are called.
    """

    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array]
    params: Any
    tokenizer: Tokenizer
    labels: Sequence[str]
    windowing: Windowing
    joining: str = ""
    bare_type: str = BARE_TYPE

    @property
    def types(self) -> list[str]:
        """The entity types that it knows, sorted."""
        found = {entity_spans([label])[0].type for label in self.labels if label != "O"}
        return sorted(self.bare_type if type_ == BARE_TYPE else type_ for type_ in found)


def make_annotator(
    checkpoint: Checkpoint, dtype: str = "float32", max_length: int | None = None
) -> Annotator:
    """Makes an annotator of a checkpoint.

    Args:
      checkpoint: of a token classifier.
      dtype: what matrix products are computed in.
      max_length: pieces of a window, [CLS] and [SEP] included; by default, as in training, or 128
        where that is unknown. Sentences that are longer are read in overlapping windows.

    Raises:
      CheckpointError: it is no token classifier with labels of BIO.
    """
    params = params_of(checkpoint, "token classifier", ("classifier",), "ner")
    labels = checkpoint.labels or []
    strange = [label for label in labels if label != "O" and label[0] not in "BIESLU"]
    if "O" not in labels or strange:
        raise CheckpointError(
            f"{checkpoint.source}: its labels are {', '.join(labels)}; expected O and B-, I- "
            "(E-, S-) of some types, as a model for named entities has"
        )
    card = checkpoint.card if isinstance(checkpoint.card, NerCard) else None
    windows = card.windows if card is not None else Windowing()
    length = min(max_length or windows.max_length, checkpoint.config.max_position_embeddings)
    # Whatever training cut off, here all words are read.
    windowing = Windowing(length, min(windows.overlap, length // 4))
    model = TokenClassifier(checkpoint.config, Compute(dtype), num_labels=len(labels))

    @jax.jit
    def apply(params, batch):
        outputs: Any = model.apply({"params": params}, batch, deterministic=True)
        return jax.nn.softmax(outputs["logits"])

    return Annotator(
        apply,
        params,
        checkpoint.make_tokenizer(),
        labels,
        windowing,
        card.joining if card is not None else "",
    )


def annotate(
    annotator: Annotator, texts: Sequence[str], model: str = "", warn: bool = True
) -> list[list[Entity]]:
    """Finds the entities of texts.

    Texts are split into sentences and these into words as the training sentences were (where that
    is unknown, the basic tokenizer's). Each word gets a label: that of its first piece, from the
    window in which it has the most context. Labels that make no sense in sequence are read as
    conlleval reads them.

    Args:
      annotator: what `make_annotator` returned.
      texts: each of any length.
      model: what the entities' `model` says.
      warn: whether to look for capitals that an uncased model does not see.

    Returns:
      For each text its entities in order; none overlap, none crosses the end of a sentence.
    """
    warn_of_capitals(texts, warn and annotator.tokenizer.lowercase)
    sentences = [(t, *where) for t, text in enumerate(texts) for where in split_sentences(text)]
    written = [texts[t][a:b] for t, a, b in sentences]
    encodings = [
        join_words(encoding, text, annotator.joining)
        for encoding, text in zip(annotator.tokenizer.encode_batch(written), written, strict=True)
    ]
    # A sentence of control characters alone has no word.
    kept = [i for i, encoding in enumerate(encodings) if len(encoding.ids)]
    sentences, encodings = [sentences[i] for i in kept], [encodings[i] for i in kept]
    words = [int(encoding.word_ids[-1]) + 1 for encoding in encodings]
    windows = featurize_encodings(encodings, words, None, annotator.tokenizer, annotator.windowing)
    probabilities = words_from_windows(
        windows,
        run_packed(
            annotator.apply, annotator.params, windows.examples, annotator.windowing.max_length
        ),
        fill=0.0,
    )
    found: list[list[Entity]] = [[] for _ in texts]
    for (t, start, _), encoding, of_words in zip(sentences, encodings, probabilities, strict=True):
        found[t] += _entities(texts[t], start, encoding, of_words, annotator, model)
    return found


def _entities(
    text: str,
    sentence: int,
    encoding: Encoding,
    probabilities: np.ndarray,
    annotator: Annotator,
    model: str,
) -> list[Entity]:
    """Reads a sentence's entities off the label probabilities of its words, [W, L]."""
    best = probabilities.argmax(-1)
    certainty = probabilities.max(-1)
    first = np.flatnonzero(np.diff(encoding.word_ids, prepend=-1))
    starts = sentence + np.minimum.reduceat(encoding.offsets[:, 0], first)
    ends = sentence + np.maximum.reduceat(encoding.offsets[:, 1], first)
    entities = []
    for span in entity_spans([annotator.labels[int(i)] for i in best]):
        start, end = int(starts[span.start]), int(ends[span.end - 1])
        score = float(certainty[span.start : span.end].min())
        kind = annotator.bare_type if span.type == BARE_TYPE else span.type
        entities.append(Entity(start, end, kind, text[start:end], score, model))
    return entities
