"""Several models over the same texts: their entities together, and the relations among them."""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from biobert_jax.errors import UserError
from biobert_jax.inference.formats.document import Document, Entity
from biobert_jax.inference.model import TEXTS_AT_ONCE, Model, load
from biobert_jax.inference.pairs import check_says_its_marks, fitting_types
from biobert_jax.inference.text_arguments import chunks

OVERLAPS = ("longest", "keep")


@dataclasses.dataclass(frozen=True)
class Annotators:
    """What is applied to each text.

    Attributes:
      models: for entities, in the order in which they were named.
      relater: for the relations among what they find, if it is to be found.
      overlaps: of `OVERLAPS`; see `merge`.
    """

    models: Sequence[Model]
    relater: Model | None = None
    overlaps: str = "longest"

    @property
    def types(self) -> list[str]:
        """The types of entities that there may be, in the order of the models."""
        return list(dict.fromkeys(kind for model in self.models for kind in model.entity_types))

    def documents(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Annotates documents as they come; entities that they have already are left out."""
        for some in chunks(documents, TEXTS_AT_ONCE):
            texts, ids = [d.text for d in some], [d.id for d in some]
            by_model = [model.annotate(texts, ids) for model in self.models]
            found = [
                dataclasses.replace(
                    of_one[0], entities=merge([d.entities for d in of_one], self.overlaps)
                )
                for of_one in zip(*by_model, strict=True)
            ]
            yield from found if self.relater is None else self.relater.relate(found)


def load_annotators(
    models: Sequence[str],
    *,
    entity_type: str = "",
    relations: str | None = None,
    overlaps: str = "longest",
    dtype: str = "float32",
) -> Annotators:
    """Loads what a command names.

    Args:
      models: as `load` takes them, each perhaps with a name before it: `disease=runs/ncbi`.
      entity_type: what models of bare B and I labels find; one that has a name and is given no
        type finds entities of its name.
      relations: a model for the relations among the entities.
      overlaps: see `merge`.
      dtype: see `load`.

    Raises:
      UserError: two models have one name; several have none; a type is given for models that name
        theirs; a model cannot do what is asked of it; the relation model knows none of the types.
    """
    named = [split_name(one) for one in models]
    names = [name for name, _ in named]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        said = ", ".join(sorted(filter(None, twice)))
        raise UserError(
            f"two models have the name {said}; expected names that differ"
            if said
            else "several models without a name; expected --model NAME=PATH for each, since every "
            "entity says which model found it"
        )
    loaded = []
    for name, source in named:
        model = load(source, name=name, dtype=dtype)
        bare = "annotate" in model.methods and not any(label[1:] for label in model.labels)
        if bare and (entity_type or name):
            model = Model(model.checkpoint, name=name, entity_type=entity_type or name, dtype=dtype)
        elif entity_type and len(named) == 1:
            model = Model(model.checkpoint, name=name, entity_type=entity_type, dtype=dtype)
        model.annotator  # noqa: B018 (says now that it is no such model)
        loaded.append(model)
    if relations is None:
        return Annotators(loaded, None, overlaps)
    name, source = split_name(relations)
    relater = load(source, name=name, dtype=dtype)
    check_says_its_marks(relater.classifier)
    annotators = Annotators(loaded, relater, overlaps)
    if not fitting_types(relater.classifier, annotators.types):
        raise UserError(
            f"{relater.source}: was trained on {', '.join(relater.classifier.marks)}; the models "
            f"find {', '.join(annotators.types)}, so that there is no pair to ask about. Name "
            "models of those types, or --type for one of bare B and I labels"
        )
    return annotators


def split_name(given: str) -> tuple[str, str]:
    """The name before `=`, or none, and the model; a path with an = in it keeps it after a /."""
    name, equals, source = given.partition("=")
    return (name, source) if equals and name and "/" not in name and source else ("", given)


def merge(found: Sequence[Sequence[Entity]], overlaps: str = "longest") -> tuple[Entity, ...]:
    """Puts together what several models found in one text.

    Args:
      found: for each model its entities.
      overlaps: `keep`: all of them. `longest`: of entities that overlap, the longest stays; of
        equally long ones the more probable; then that of the model named first. What overlaps it
        is left out, and so on with the rest.

    Returns:
      The entities in order; longer ones first where several begin.
    """
    everything = [(entity, number) for number, some in enumerate(found) for entity in some]
    if overlaps == "longest" and len(found) > 1:
        everything.sort(key=lambda one: (one[0].start - one[0].end, -one[0].probability, one[1]))
        chosen: list[tuple[Entity, int]] = []  # in order, none overlap
        for entity, number in everything:
            at = bisect.bisect_left(chosen, entity.start, key=lambda one: one[0].start)
            if (at == 0 or chosen[at - 1][0].end <= entity.start) and (
                at == len(chosen) or entity.end <= chosen[at][0].start
            ):
                chosen.insert(at, (entity, number))
        everything = chosen
    everything.sort(key=lambda one: (one[0].start, -one[0].end, one[1]))
    return tuple(entity for entity, _ in everything)
