"""The corpora that pre-training reads: folders of shards, or the generated one."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from biobert_jax.corpora.shards import TokenDocument
from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.datasets.synthetic.corpus import documents
from biobert_jax.errors import DataError
from biobert_jax.text.tokenizer import Tokenizer

GENERATED_DOCUMENTS = 2000


@dataclasses.dataclass(frozen=True)
class MemoryCorpus:
    """Tokenised documents in memory, read as a `ShardedCorpus` is."""

    documents: Sequence[TokenDocument]

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, index: int) -> TokenDocument:
        return self.documents[index]

    @cached_property
    def words(self) -> np.ndarray:
        return np.array([document.words for document in self.documents], np.uint32)


def generated_texts() -> Iterator[str]:
    """The sentences of the corpus that the project generates."""
    for document in documents(count=GENERATED_DOCUMENTS):
        yield from (sentence.text for sentence in document.sentences)


def generated_corpus(tokenizer: Tokenizer) -> MemoryCorpus:
    """The generated corpus as pieces."""
    out = []
    for document in documents(count=GENERATED_DOCUMENTS):
        texts = [sentence.text for sentence in document.sentences]
        pieces = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        starts = np.cumsum([0, *(len(ids) for ids in pieces[:-1])]).astype(np.int32)
        words = sum(len(text.split()) for text in texts)
        out.append(TokenDocument(document.pmid, np.concatenate(pieces), starts, words))
    return MemoryCorpus(out)


def open_corpora(folders: Sequence[str], tokenizer: Tokenizer) -> list[ShardedCorpus]:
    """Opens folders that `biobert corpus build` made.

    Raises:
      DataError: a folder is no corpus, or was built with another vocabulary or casing than the
        model's.
    """
    corpora = []
    for folder in folders:
        corpus = ShardedCorpus(folder)
        if corpus.vocabulary != tokenizer.vocabulary or corpus.lowercase != tokenizer.lowercase:
            raise DataError(
                f"{folder}: built with a vocabulary of {len(corpus.vocabulary)} pieces, "
                f"lowercase={corpus.lowercase}; the model's has {tokenizer.vocab_size}, lowercase="
                f"{tokenizer.lowercase}, and they are not the same. Build the corpus with the "
                "model's vocab.txt"
            )
        corpora.append(corpus)
    return corpora


def word_limits(corpora: Sequence[ShardedCorpus | MemoryCorpus], max_words: int) -> list[int]:
    """Shares `max_words` out in proportion to the corpora's sizes; 0 for no limit.

    Raises:
      DataError: the corpora have fewer words than that.
    """
    sizes = [int(np.asarray(corpus.words).sum(dtype=np.int64)) for corpus in corpora]
    if max_words < 0:
        raise DataError(f"dataset.max_words is {max_words}; expected a count, or 0 for all")
    if not max_words:
        return [0] * len(sizes)
    if max_words > sum(sizes):
        raise DataError(
            f"dataset.max_words is {max_words:,}, but the corpora have {sum(sizes):,} words; lower "
            "it, or set it to 0 for all"
        )
    return [max(1, round(max_words * size / sum(sizes))) for size in sizes]
