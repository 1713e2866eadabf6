"""Documents to masked sentence pairs, by the rules of create_pretraining_data.py.

Made anew each time a document is read, so that masks and pairs differ in every epoch (the original
made ten copies once). Documents are lists of sentences, a sentence an int32 array of piece ids.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np

from biobert_jax.input.packing import IGNORED, Example

IS_NEXT, IS_RANDOM = 0, 1
Sentences = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Pieces:
    """What masking must know of a vocabulary."""

    cls_id: int
    sep_id: int
    mask_id: int
    vocab_size: int
    continues_word: np.ndarray
    """[V] booleans: the piece continues the word before it (it begins with ##)."""

    @classmethod
    def of(cls, vocabulary: Sequence[str]) -> "Pieces":
        index = {piece: i for i, piece in enumerate(vocabulary)}
        return cls(
            *(index[name] for name in ("[CLS]", "[SEP]", "[MASK]")),
            vocab_size=len(vocabulary),
            continues_word=np.array([piece.startswith("##") for piece in vocabulary]),
        )


@dataclasses.dataclass(frozen=True)
class InstanceOptions:
    """How instances are made; the defaults are the original's.

    Attributes:
      max_length: pieces of an instance, [CLS] and both [SEP] included.
      next_sentence: pairs with a next-sentence label; else single segments without one.
      short_probability: how often the target length is a random shorter one.
      masked_share: of all pieces, special ones counted.
      max_predictions: the most pieces masked in an instance.
      whole_words: mask all pieces of a word or none.
      static_copies: 0: new pairs and masks in every epoch; otherwise so many versions of each
        document, read in turn, as the original's dupe_factor (10) writes them to disk.
    """

    max_length: int = 512
    next_sentence: bool = True
    short_probability: float = 0.1
    masked_share: float = 0.15
    max_predictions: int = 77
    whole_words: bool = False
    static_copies: int = 0


def instances(
    document: Sentences,
    random_document: Callable[[], Sentences],
    options: InstanceOptions,
    pieces: Pieces,
    rng: np.random.Generator,
) -> Iterator[Example]:
    """Yields a document's masked instances.

    Args:
      document: its sentences.
      random_document: gives another one, for the second segments that are not the next.
      options: how.
      pieces: the vocabulary's special pieces.
      rng: all randomness comes from here.

    Yields:
      input_ids, token_type_ids [n]; masked_lm_positions, masked_lm_ids [m]; next_sentence_label.
    """
    if options.next_sentence:
        for a, b, label in sentence_pairs(document, random_document, options, rng):
            yield mask([a, b], label, options, pieces, rng)
    else:
        for segment in single_segments(document, options, rng):
            yield mask([segment], IGNORED, options, pieces, rng)


def _chunks(
    document: Sentences, room: int, options: InstanceOptions, rng: np.random.Generator
) -> Generator[tuple[list[np.ndarray], int], int | None, None]:
    """Fills chunks with sentences up to the document's target length.

    Yields:
      The chunk and the target. Send back how many of its last sentences were not used.
    """
    target = room
    if rng.random() < options.short_probability:
        target = int(rng.integers(2, room, endpoint=True))
    i = 0
    while i < len(document):
        chunk, length = [], 0
        while i < len(document) and length < target:
            chunk.append(document[i])
            length += len(document[i])
            i += 1
        i -= (yield chunk, target) or 0


def sentence_pairs(
    document: Sentences,
    random_document: Callable[[], Sentences],
    options: InstanceOptions,
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yields (segment A, segment B, label): half of the B's follow A, half are from elsewhere.

    A chunk of one sentence always takes a random B. The sentences of this document that a random B
    replaces are used again in the next chunk.
    """
    room = options.max_length - 3
    chunks = _chunks(document, room, options, rng)
    unused = None
    while True:
        try:
            chunk, target = chunks.send(unused)
        except StopIteration:
            return
        split = int(rng.integers(1, len(chunk))) if len(chunk) > 1 else 1
        a = np.concatenate(chunk[:split])
        unused = 0
        if len(chunk) == 1 or rng.random() < 0.5:
            unused = len(chunk) - split
            label, b = IS_RANDOM, _random_segment(random_document(), target - len(a), rng)
        else:
            label, b = IS_NEXT, np.concatenate(chunk[split:])
        yield *truncate_pair(a, b, room, rng), label


def _random_segment(document: Sentences, length: int, rng: np.random.Generator) -> np.ndarray:
    """Sentences from a random place on, until they have `length` pieces; at least one."""
    taken, have = [], 0
    for sentence in document[int(rng.integers(len(document))) :]:
        taken.append(sentence)
        have += len(sentence)
        if have >= length:
            break
    return np.concatenate(taken)


def single_segments(
    document: Sentences, options: InstanceOptions, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yields segments of neighbouring sentences, cut to length as pairs are."""
    room = options.max_length - 2
    for chunk, _ in _chunks(document, room, options, rng):
        segment = np.concatenate(chunk)
        excess = max(0, len(segment) - room)
        front = int(rng.binomial(excess, 0.5))
        yield segment[front : len(segment) - (excess - front)]


def truncate_pair(
    a: np.ndarray, b: np.ndarray, room: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts two segments to `room` pieces together.

    The original drops one piece at a time from the longer segment (from B where both are equal), at
    the front or the back with equal chance. How many each loses follows from the lengths, and how
    many of those at the front is binomial.
    """
    excess = max(0, len(a) + len(b) - room)
    uneven = min(excess, abs(len(a) - len(b)))
    lost_a, lost_b = (uneven, 0) if len(a) > len(b) else (0, uneven)
    lost_b += (excess - uneven + 1) // 2
    lost_a += (excess - uneven) // 2
    cut = []
    for segment, lost in ((a, lost_a), (b, lost_b)):
        front = int(rng.binomial(lost, 0.5)) if lost else 0
        cut.append(segment[front : len(segment) - (lost - front)])
    return cut[0], cut[1]


def mask(
    segments: Sequence[np.ndarray],
    label: int,
    options: InstanceOptions,
    pieces: Pieces,
    rng: np.random.Generator,
) -> Example:
    """Puts segments between [CLS] and [SEP] and masks a share of their pieces.

    Of the chosen pieces 80% become [MASK], 10% stay, 10% become a random piece of the whole
    vocabulary. [CLS] and [SEP] are never chosen, but count in the length that the share is of.
    """
    parts, types = [[pieces.cls_id]], [np.zeros(1, np.int32)]
    for number, segment in enumerate(segments):
        parts += [segment, [pieces.sep_id]]
        types.append(np.full(len(segment) + 1, number, np.int32))
    ids = np.concatenate(parts).astype(np.int32)
    special = np.cumsum([0, *(len(s) + 1 for s in segments)])
    eligible = np.delete(np.arange(len(ids)), special)
    wanted = round(len(ids) * options.masked_share)
    wanted = min(options.max_predictions, max(1, wanted), len(eligible))
    if options.whole_words:
        positions = _whole_words(ids, eligible, wanted, pieces, rng)
    else:
        positions = np.sort(rng.choice(eligible, wanted, replace=False))
    original = ids[positions]
    draw = rng.random(len(positions))
    ids[positions[draw < 0.8]] = pieces.mask_id
    replaced = positions[draw >= 0.9]
    ids[replaced] = rng.integers(0, pieces.vocab_size, len(replaced))
    return {
        "input_ids": ids,
        "token_type_ids": np.concatenate(types),
        "masked_lm_positions": positions.astype(np.int32),
        "masked_lm_ids": original,
        "next_sentence_label": np.int32(label),
    }


def _whole_words(
    ids: np.ndarray,
    eligible: np.ndarray,
    wanted: int,
    pieces: Pieces,
    rng: np.random.Generator,
) -> np.ndarray:
    """Positions of random whole words, `wanted` at the most: a word that no longer fits is passed.

    A word begins at a piece without ##, or where a segment begins in the middle of one.
    """
    begins = ~pieces.continues_word[ids[eligible]]
    begins[0] = True
    begins[1:] |= np.diff(eligible) > 1
    words = np.split(eligible, np.flatnonzero(begins)[1:])
    chosen, count = [], 0
    for w in rng.permutation(len(words)):
        if count + len(words[w]) <= wanted:
            chosen.append(words[w])
            count += len(words[w])
            if count == wanted:
                break
    if not chosen:  # every word is longer than what may be masked
        return np.sort(rng.choice(eligible, wanted, replace=False))
    return np.sort(np.concatenate(chosen))
