"""From entities that were found to the relations between them."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence

from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.errors import UserError
from biobert_jax.inference.formats.document import Document, Pair
from biobert_jax.inference.relations import RelationClassifier, classify, is_known
from biobert_jax.text import entity_marking
from biobert_jax.text.sentences import split_sentences

logger = logging.getLogger(__name__)


def relate(
    classifier: RelationClassifier, documents: Sequence[Document], model: str = ""
) -> list[Document]:
    """Classifies pairs of entities.

    A pair is two entities of one sentence that do not overlap and whose types, in capitals, are
    those of the model's marks (`Gene` fits `@GENE$`). The two are of different types, unless the
    model knows marks of one type only (as for drugs that interact). Of a sentence with more pairs
    each is asked about by itself, with the others' names left as they are.

    Args:
      classifier: what `relations.make_classifier` returned.
      documents: with entities.
      model: what the pairs' `model` says.

    Returns:
      The documents, with `relations` in the order of their entities.

    Raises:
      UserError: the model does not say its marks.
    """
    check_says_its_marks(classifier)
    asked = [
        (d, *pair) for d, document in enumerate(documents) for pair in _pairs(classifier, document)
    ]
    said = classify(classifier, [sentence for *_, sentence in asked])
    found: list[list[Pair]] = [[] for _ in documents]
    for (d, first, second, _), relation in zip(asked, said, strict=True):
        found[d].append(Pair(first, second, relation.label, relation.probability, model))
    return [
        dataclasses.replace(document, relations=tuple(of_one))
        for document, of_one in zip(documents, found, strict=True)
    ]


def check_says_its_marks(classifier: RelationClassifier) -> None:
    """Raises UserError where nobody knows which entities a model was trained on."""
    if not classifier.marks:
        raise UserError(
            "the relation model does not say which marks it was trained on, so that pairs cannot "
            "be marked for it; expected a run of experiments.relation. Mark sentences yourself and "
            "use relations"
        )


def fitting_types(classifier: RelationClassifier, types: Sequence[str]) -> list[str]:
    """Those of some entity types that the model's marks have."""
    return [kind for kind in types if is_known(_mark(classifier, kind), classifier.marks)]


def _mark(classifier: RelationClassifier, kind: str) -> str:
    return f"@{kind.upper()}$" if classifier.marking == "anonymise" else f"<{kind.upper()}>"


def _pairs(
    classifier: RelationClassifier, document: Document
) -> Iterator[tuple[int, int, RelationExample]]:
    own = set(fitting_types(classifier, sorted({e.type for e in document.entities})))
    fitting = [(i, e) for i, e in enumerate(document.entities) if e.type in own]
    if len(fitting) < 2:
        return
    of_one_type = len(classifier.marks) == 1
    mark = entity_marking.METHODS[classifier.marking]
    for start, end in split_sentences(document.text):
        inside = [(i, e) for i, e in fitting if start <= e.start and e.end <= end]
        for at, (i, one) in enumerate(inside):
            for j, other in inside[at + 1 :]:
                same = one.type.upper() == other.type.upper()
                overlap = one.start < other.end and other.start < one.end
                if same != of_one_type or overlap:
                    continue
                first, second = (
                    entity_marking.Entity(e.start - start, e.end - start, e.type.upper())
                    for e in (one, other)
                )
                marked = mark(document.text[start:end], first, second)
                name = f"{document.id}:{i}:{j}"
                yield i, j, RelationExample(name, marked.text, "", marked.marks, name)
