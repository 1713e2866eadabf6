"""Chemical-disease pairs out of the generated corpus, so that relation runs need no download."""

from collections.abc import Iterator

from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.datasets.synthetic.corpus import AnnotatedSentence, documents
from biobert_jax.datasets.synthetic.lexicon import CHEMICAL, DISEASE
from biobert_jax.errors import DataError
from biobert_jax.text.entity_marking import METHODS, Entity

FOLDS = 2
_DOCUMENTS = 150


def relation_splits(
    fold: int = 0, binary: bool = False, marking: str = "anonymise", seed: int = 0
) -> dict[str, list[RelationExample]]:
    """Generates pairs; those of a document are all in the same split.

    Args:
      fold: from 1 to FOLDS, every FOLDS-th document is the test split and there is no validation
        split; 0: eight tenths of the documents for training, a tenth each for the others.
      binary: the class is `1` where the sentence states a relation, else `0`; otherwise it is what
        it states, `treats` or `causes`, else `false`.
      marking: `anonymise` or `wrap`.
      seed: of the corpus.

    Returns:
      The examples of `train`, `validation` and `test`.
    """
    if not 0 <= fold <= FOLDS:
        raise DataError(f"dataset.fold is {fold}; expected 1 to {FOLDS} for the generated corpus")
    splits: dict[str, list[RelationExample]] = {"train": [], "validation": [], "test": []}
    for number, document in enumerate(documents(seed, _DOCUMENTS)):
        if fold:
            split = "test" if number % FOLDS == fold - 1 else "train"
        else:
            split = {8: "validation", 9: "test"}.get(number % 10, "train")
        for s, sentence in enumerate((document.title, *document.sentences)):
            splits[split] += pairs(sentence, f"{document.pmid}.{s}", binary, marking)
    return splits


def pairs(
    sentence: AnnotatedSentence, id_: str, binary: bool, marking: str
) -> Iterator[RelationExample]:
    """Every chemical of a sentence with every disease."""
    stated = {(r.chemical, r.disease): r.kind for r in sentence.relations}
    for c, chemical in enumerate(sentence.mentions):
        for d, disease in enumerate(sentence.mentions):
            if (chemical.type, disease.type) != (CHEMICAL, DISEASE):
                continue
            label = stated.get((c, d), "false")
            if binary:
                label = "0" if label == "false" else "1"
            marked = METHODS[marking](
                sentence.text,
                Entity(chemical.start, chemical.end, "CHEMICAL"),
                Entity(disease.start, disease.end, "DISEASE"),
            )
            name = f"{id_}.{c}.{d}"
            yield RelationExample(name, marked.text, label, marked.marks, f"synthetic: {name}")
