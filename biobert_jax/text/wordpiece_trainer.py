"""Training, writing and judging WordPiece vocabularies."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import WordPieceTrainer

from biobert_jax.errors import DataError
from biobert_jax.files import write_text
from biobert_jax.text.basic import basic_words, split_at_whitespace
from biobert_jax.text.wordpiece import MAX_CHARS_PER_WORD, SPECIAL_TOKENS, WordPieceTokenizer

_MAX_ALPHABET = 1000
_WORDS_PER_LINE = 1000
_TEXTS_PER_BATCH = 1000


def count_words(texts: Iterable[str], lowercase: bool) -> Counter[str]:
    """Counts the basic-tokenizer words of `texts`; memory grows with the distinct words only."""
    parts: Counter[str] = Counter()
    for text in texts:
        parts.update(split_at_whitespace(text))
    words: Counter[str] = Counter()
    for part, count in parts.items():
        for word in basic_words(part, lowercase):
            words[word.text] += count
    return words


def train_vocabulary(
    texts: Iterable[str], size: int, lowercase: bool, min_frequency: int = 2
) -> list[str]:
    """Learns a WordPiece vocabulary from running text.

    The result depends on the words and their counts only: not on the order of the texts, the
    process or the number of threads.

    Args:
      texts: running text, in pieces that do not cut words; read once.
      size: the number of tokens to aim at and never exceed, special tokens included. At most half
        of it is letters: the rarer ones of a large alphabet are left out, and words with them
        become [UNK].
      lowercase: whether the vocabulary is for lower-cased text without accents.
      min_frequency: letters and pairs of pieces that occur less often are not learnt.

    Returns:
      [PAD], [UNK], [CLS], [SEP], [MASK], then letters, then merged pieces, most frequent first.

    Raises:
      ValueError: `size` has no room for a single letter.
      DataError: `texts` hold no word.
    """
    room = (size - len(SPECIAL_TOKENS)) // 2
    if room < 1:
        raise ValueError(f"size is {size}, expected at least {len(SPECIAL_TOKENS) + 2}")
    counts = count_words(texts, lowercase)
    words = sorted((w, n) for w, n in counts.items() if len(w) <= MAX_CHARS_PER_WORD)
    letters: Counter[str] = Counter()
    for word, count in words:
        for letter in word:
            letters[letter] += count
    frequent = sorted((-n, letter) for letter, n in letters.items() if n >= min_frequency)
    alphabet = sorted(letter for _, letter in frequent[: min(room, _MAX_ALPHABET)])
    if not alphabet:
        raise DataError(
            f"{sum(counts.values())} words to train a vocabulary from, no letter occurs "
            f"{min_frequency} times; expected running text, check the input files"
        )

    # Left to itself the trainer numbers the letters inside words in the order of a hash map, which
    # differs from run to run, and breaks ties between merges by these numbers. Handing them over
    # among the special tokens, which only come first in the vocabulary, settles both.
    inside = sorted({letter for word, _ in words for letter in word[1:]} & set(alphabet))
    first = [*SPECIAL_TOKENS, *alphabet, *("##" + letter for letter in inside)]
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=first,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.train_from_iterator(_repeated(words), trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _repeated(words: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Yields each word as often as it was counted: the trainer takes text, not counts."""
    for word, count in words:
        for start in range(0, count, _WORDS_PER_LINE):
            yield " ".join([word] * min(_WORDS_PER_LINE, count - start))


def write_vocabulary(path: str | os.PathLike[str], tokens: Sequence[str]) -> None:
    """Writes vocab.txt, one token per line, UTF-8 with LF.

    The file appears complete or not at all; a previous one survives a failure.

    Raises:
      ValueError: a token is empty or holds a line break.
      WriteError: the file cannot be written.
    """
    for index, token in enumerate(tokens):
        if not token or token != token.strip() or "\n" in token:
            raise ValueError(f"token {index} is {token!r}, which a line of a file cannot hold")
    write_text(path, (f"{token}\n" for token in tokens))


def vocabulary_report(tokenizer: WordPieceTokenizer, texts: Iterable[str]) -> dict[str, object]:
    """Measures how well a vocabulary fits running text.

    Returns:
      `words` (of the basic tokenizer) and `pieces`, counts; `pieces_per_word`; `unk_rate`, the
      share of the words that became [UNK], 0 to 1 (both 0.0 without words); and
      `most_frequent_unknown`, at most 20 pairs of a word as it was written and its count.
    """
    words = pieces = 0
    unknown: Counter[str] = Counter()
    texts = iter(texts)
    while batch := list(islice(texts, _TEXTS_PER_BATCH)):
        for text, encoding in zip(batch, tokenizer.encode_batch(batch), strict=True):
            pieces += len(encoding.ids)
            if len(encoding.ids):
                words += int(encoding.word_ids[-1]) + 1
            for start, end in encoding.offsets[encoding.ids == tokenizer.unk_id].tolist():
                unknown[text[start:end]] += 1
    most_frequent = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))[:20]
    return {
        "words": words,
        "pieces": pieces,
        "pieces_per_word": pieces / words if words else 0.0,
        "unk_rate": sum(unknown.values()) / words if words else 0.0,
        "most_frequent_unknown": most_frequent,
    }
