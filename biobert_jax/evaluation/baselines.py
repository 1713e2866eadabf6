"""What a model of named entities must beat."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from biobert_jax.evaluation.ner import TaggedSentence

Entity = tuple[tuple[str, ...], str]  # lower-cased words, and the type


class Dictionary:
    """Marks what was an entity in training, wherever it occurs: the longest match from the left.

    Words are compared without regard to case, so that names at the beginning of sentences are
    found too. A name of several types gets the one that it had most often.
    """

    def __init__(self, sentences: Iterable[TaggedSentence]):
        """Learns the names of training sentences, their tags being IOB2."""
        types: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            for name, type_ in entities(sentence.words, sentence.tags):
                types[name][type_] += 1
        # Equally frequent types: the first in the alphabet, whatever the order of the sentences.
        self._types = {n: min(c, key=lambda t: (-c[t], t)) for n, c in types.items()}
        self._longest = max(map(len, self._types), default=0)

    def tag(self, words: Sequence[str]) -> list[str]:
        """Returns IOB2 tags for a sentence."""
        lowered = tuple(word.lower() for word in words)
        tags = ["O"] * len(words)
        start = 0
        while start < len(words):
            for size in range(min(self._longest, len(words) - start), 0, -1):
                type_ = self._types.get(lowered[start : start + size])
                if type_ is not None:
                    ending = f"-{type_}" if type_ else ""
                    tags[start : start + size] = [f"B{ending}"] + [f"I{ending}"] * (size - 1)
                    start += size
                    break
            else:
                start += 1
        return tags


def majority(tags: Iterable[Sequence[str]]) -> str:
    """The most frequent tag of the training sentences: O, in any corpus of named entities."""
    return Counter(tag for of_sentence in tags for tag in of_sentence).most_common(1)[0][0]


def entities(words: Sequence[str], tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence's IOB2 tags, as lower-cased words and type ("" for bare tags)."""
    found: list[Entity] = []
    start = None
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and tag[0] != "I":
            found.append((tuple(word.lower() for word in words[start:i]), tags[start][2:]))
            start = None
        if tag[0] == "B":
            start = i
    return found


def recall_by_familiarity(
    known: set[Entity],
    sentences: Iterable[tuple[Sequence[str], Sequence[str], Sequence[str]]],
) -> dict[str, float]:
    """Tells apart how many entities were found that training had, and that it did not have.

    Args:
      known: the entities of the training sentences.
      sentences: words, gold IOB2 tags and predicted tags.

    Returns:
      Percentages: the recall of `known` and `unseen` entities, exact in bounds and type (0 where
      there are none), and `unseen_share`, of all entities.
    """
    total, correct = Counter(), Counter()
    for words, gold, predicted in sentences:
        guessed = _spans(predicted)
        for span, entity in zip(_spans(gold), entities(words, gold), strict=True):
            total[entity in known] += 1
            correct[entity in known] += span in guessed
    return {
        "known": 100 * correct[True] / max(total[True], 1),
        "unseen": 100 * correct[False] / max(total[False], 1),
        "unseen_share": 100 * total[False] / max(total.total(), 1),
    }


def _spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    positions = [str(i) for i in range(len(tags))]
    return [(int(n[0]), int(n[-1]) + 1, type_) for n, type_ in entities(positions, tags)]
