"""Trains a domain vocabulary from corpus files and measures it beside a stock one."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from biobert_jax.corpora.readers.documents import Document, ReadStatistics, raise_rejected
from biobert_jax.corpora.readers.inputs import ReaderOptions, find_inputs, read_documents
from biobert_jax.errors import DataError, at
from biobert_jax.files import refuse_overwriting
from biobert_jax.text.wordpiece import (
    SPECIAL_TOKENS,
    WordPieceTokenizer,
    casing_from_vocabulary,
    load_vocabulary,
)
from biobert_jax.text.wordpiece_trainer import train_vocabulary, vocabulary_report, write_vocabulary

SMALLEST = len(SPECIAL_TOKENS) + 2
HELD_OUT = 20
"""One document in so many is not trained on, and is what vocabularies are measured on."""


def train_from_files(
    inputs: Sequence[str],
    reader: ReaderOptions,
    output: str | os.PathLike[str],
    *,
    size: int,
    lowercase: bool,
    every: int = 1,
    compare: str | None = None,
    skip_errors: bool = False,
) -> dict[str, dict[str, object]]:
    """Trains a vocabulary, writes it, and measures it on documents that it was not trained on.

    Memory grows with the different words of the text; `every` bounds it for corpora of billions.

    Args:
      inputs: file names or patterns.
      reader: how to read them.
      output: the vocab.txt to write.
      size: see `train_vocabulary`.
      lowercase: whether the vocabulary is for lower-cased text.
      every: trains on one document in so many.
      compare: a vocab.txt to measure too.
      skip_errors: pass over what cannot be read.

    Returns:
      `vocabulary_report` by file name.

    Raises:
      DataError: no input, one that is the output, too few documents to hold any out, or what
        cannot be read.
    """
    if size < SMALLEST:
        raise DataError(f"--size is {size}; expected at least {SMALLEST} pieces")
    files = [file.path for file in find_inputs(inputs, reader.source)]
    refuse_overwriting(output, [*files, *([compare] if compare else [])])
    stock = list(load_vocabulary(compare)) if compare else []

    def documents() -> Iterator[tuple[int, Document]]:
        on_error = (lambda rejected: None) if skip_errors else raise_rejected
        number = 0
        for path in files:
            for document in read_documents(path, reader, None, ReadStatistics(), on_error):
                yield number, document
                number += 1

    def texts(is_held_out: bool) -> Iterator[str]:
        for number, document in documents():
            if (number % HELD_OUT == HELD_OUT - 1) == is_held_out and (
                is_held_out or number % every == 0
            ):
                yield from filter(None, (document.title, *document.paragraphs))

    if next(texts(is_held_out=True), None) is None:
        raise DataError(
            f"{at(inputs[0])}: fewer than {HELD_OUT} documents; expected running text of millions "
            "of words, which a vocabulary is made from. Check --source, --input and --text-format"
        )
    vocabulary = train_vocabulary(texts(is_held_out=False), size, lowercase)
    write_vocabulary(output, vocabulary)
    tokenizers = {os.fspath(output): WordPieceTokenizer(vocabulary, lowercase)}
    if compare:
        tokenizers[compare] = WordPieceTokenizer(stock, not casing_from_vocabulary(stock))
    return {
        name: {"size": tokenizer.vocab_size, **vocabulary_report(tokenizer, texts(True))}
        for name, tokenizer in tokenizers.items()
    }


def print_vocabularies(
    reports: Mapping[str, Mapping[str, Any]], console: Console | None = None
) -> None:
    """Prints what `train_from_files` returned."""
    table = Table(title=f"Vocabularies on held-out text (one document in {HELD_OUT})")
    table.add_column("vocabulary", overflow="fold")
    for name in ("size", "words", "pieces/word", "[UNK] words"):
        table.add_column(name, justify="right")
    table.add_column("most frequent unknown", overflow="fold")
    for name, report in reports.items():
        table.add_row(
            name,
            f"{report['size']:,}",
            f"{report['words']:,}",
            f"{report['pieces_per_word']:.3f}",
            f"{100 * report['unk_rate']:.3f}%",
            " ".join(word for word, _ in report["most_frequent_unknown"][:5]),
        )
    (console or Console()).print(table)
