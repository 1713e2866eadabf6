"""Relations as tab-separated values."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from biobert_jax.inference.formats.columns import cell

if TYPE_CHECKING:
    from biobert_jax.datasets.relation_files import RelationExample
    from biobert_jax.inference.relations import Relation


def write_relations(classified: Iterable[tuple["RelationExample", "Relation"]]) -> Iterator[str]:
    """`id predicted` and each class's probability in a column, under a header that names them."""
    for number, (sentence, relation) in enumerate(classified):
        if not number:
            yield "\t".join(("id", "predicted", *map(cell, relation.probabilities))) + "\n"
        values = (f"{value:.6f}" for value in relation.probabilities.values())
        yield "\t".join((cell(sentence.id), cell(relation.label), *values)) + "\n"
