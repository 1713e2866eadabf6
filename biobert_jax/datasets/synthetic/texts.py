"""Texts with labels and pairs with scores out of the generated corpus."""

import math
from collections.abc import Callable, Iterator

from biobert_jax.datasets.synthetic.corpus import AnnotatedDocument, AnnotatedSentence, documents
from biobert_jax.datasets.text_records import Record

_DOCUMENTS = 150

Splits = dict[str, list[Record]]


def classification_splits(name: str, seed: int = 0) -> Splits:
    """Generates `train`, `validation` and `test`; what is of one document is in one split.

    Args:
      name: `synthetic`: what a sentence states, `treats`, `causes` or `neither`;
        `synthetic_labels`: the types of its entities, to be scored per document;
        `synthetic_pairs`: whether the first sentence names a drug of the second, `yes` or `no`, or
        `maybe`, where it names none.
      seed: of the corpus.
    """
    makers = {
        "synthetic": _statements,
        "synthetic_labels": _types,
        "synthetic_pairs": _questions,
    }
    return _splits(makers[name], seed)


def similarity_splits(seed: int = 0) -> Splits:
    """Generates pairs with the share of words that both have, from 0 to 4."""
    return _splits(_similar, seed)


def _splits(make: Callable[[AnnotatedDocument], Iterator[Record]], seed: int) -> Splits:
    out: Splits = {"train": [], "validation": [], "test": []}
    for number, document in enumerate(documents(seed, _DOCUMENTS)):
        out[{8: "validation", 9: "test"}.get(number % 10, "train")] += make(document)
    return out


def _record(id_: str, text: str, second: str | None = None, **known) -> Record:
    values = {"labels": (), "several": False, "score": math.nan, "group": ""} | known
    return Record(id=id_, text=text, second=second, where=f"synthetic: {id_}", **values)


def _statements(document: AnnotatedDocument) -> Iterator[Record]:
    for s, sentence in enumerate(document.sentences):
        kinds = sorted({relation.kind for relation in sentence.relations}) or ["neither"]
        yield _record(f"{document.pmid}.{s}", sentence.text, labels=(kinds[0],))


def _types(document: AnnotatedDocument) -> Iterator[Record]:
    for s, sentence in enumerate(document.sentences):
        types = tuple(sorted({mention.type for mention in sentence.mentions}))
        id_ = f"{document.pmid}_s{s}"
        yield _record(id_, sentence.text, labels=types, several=True, group=document.pmid)


def _questions(document: AnnotatedDocument) -> Iterator[Record]:
    for s, (first, second) in enumerate(_neighbours(document)):
        named = {mention.name for mention in first.mentions}
        shared = named & {mention.name for mention in second.mentions}
        label = "yes" if shared else "no" if named else "maybe"
        yield _record(f"{document.pmid}.{s}", first.text, second.text, labels=(label,))


def _similar(document: AnnotatedDocument) -> Iterator[Record]:
    for s, (first, second) in enumerate(_neighbours(document)):
        a, b = (set(sentence.text.lower().split()) for sentence in (first, second))
        if s % 2:  # a sentence and a part of it, so that scores are spread
            words = first.text.split()
            part = " ".join(words[: max(2, len(words) * (1 + s % 3) // 3)])
            b = set(part.lower().split())
        text = second.text if not s % 2 else part
        score = round(4 * len(a & b) / len(a | b), 2)
        yield _record(f"{document.pmid}.{s}", first.text, text, score=score)


def _neighbours(
    document: AnnotatedDocument,
) -> Iterator[tuple[AnnotatedSentence, AnnotatedSentence]]:
    sentences = document.sentences
    return zip(sentences, (*sentences[1:], sentences[0]), strict=True)
