"""Vectors of texts, from any encoder."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from biobert_jax.inference.packed import run_packed
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.encoders import make_encoder
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import SPECIALS, Tokenizer

logger = logging.getLogger(__name__)

POOLINGS = ("none", "cls", "mean")


class Embeddings(NamedTuple):
    """The last layer's vectors, float32.

    Attributes:
      vectors: [N, D], one per text; without pooling [P, D], one per piece of any text.
      starts: [N + 1]; without pooling, text i has the pieces starts[i]:starts[i + 1]; else None.
      offsets: [P, 2]; without pooling, each piece's characters in its text; else None.
    """

    vectors: np.ndarray
    starts: np.ndarray | None = None
    offsets: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Embedder:
    """An encoder, ready to be applied; see `make_embedder`.

    Attributes:
      apply: a jitted function (params, batch) -> the last layer's vectors [R, S, D].
      params: the encoder's.
      tokenizer: the checkpoint's.
      row_length: S, as many pieces as the encoder has positions for.
      width: D.
    """

    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array]
    params: Any
    tokenizer: Tokenizer
    row_length: int
    width: int


def make_embedder(checkpoint: Checkpoint, dtype: str = "float32") -> Embedder:
    """Makes an embedder of any model.

    Args:
      checkpoint: only its encoder is used.
      dtype: what matrix products are computed in.
    """
    encoder = make_encoder(checkpoint.config, Compute(dtype))

    @jax.jit
    def apply(params, batch):
        return encoder.apply({"params": params}, batch, True).astype(jnp.float32)

    return Embedder(
        apply,
        jax.device_put(checkpoint.params["encoder"]),
        checkpoint.make_tokenizer(),
        checkpoint.config.max_position_embeddings,
        checkpoint.config.hidden_size,
    )


def embed(embedder: Embedder, texts: Sequence[str], pooling: str = "mean") -> Embeddings:
    """Encodes texts.

    A text of more pieces than the model has positions is read in stretches; how many such there
    are is logged.

    Args:
      embedder: what `make_embedder` returned.
      texts: each is one sequence.
      pooling: `cls`, the vector of (the first stretch's) [CLS]; `mean`, that of the pieces of the
        text without [CLS] and [SEP], zero where it has none; `none`, the pieces' own.

    Raises:
      ValueError: another pooling.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; expected one of {', '.join(POOLINGS)}")
    tokenizer, row_length, width = embedder.tokenizer, embedder.row_length, embedder.width
    warn_of_capitals(texts, tokenizer.lowercase)
    size = row_length - SPECIALS
    encodings = tokenizer.encode_batch(texts)
    examples, of_text = [], []
    for t, encoding in enumerate(encodings):
        for begin in range(0, max(1, len(encoding.ids)), size):
            pieces = encoding.ids[begin : begin + size]
            ids = np.array([tokenizer.cls_id, *pieces, tokenizer.sep_id], np.int32)
            examples.append({"input_ids": ids, "token_type_ids": np.zeros_like(ids)})
            of_text.append(t)
    if len(examples) > len(texts):
        long = sum(len(encoding.ids) > size for encoding in encodings)
        logger.warning("%d texts are longer than %d pieces and read in stretches", long, size)

    values = run_packed(embedder.apply, embedder.params, examples, row_length)
    stretches: list[list[np.ndarray]] = [[] for _ in texts]
    for t, value in zip(of_text, values, strict=True):
        stretches[t].append(value)
    if pooling == "cls":
        first = [of_one[0][0] for of_one in stretches]
        return Embeddings(np.array(first, np.float32).reshape(-1, width))
    pieces = [np.concatenate([value[1:-1] for value in of_one]) for of_one in stretches]
    if pooling == "mean":
        means = [p.mean(0) if len(p) else np.zeros(width) for p in pieces]
        return Embeddings(np.array(means, np.float32).reshape(-1, width))
    return Embeddings(
        np.concatenate([np.zeros((0, width), np.float32), *pieces]),
        np.cumsum([0, *map(len, pieces)]),
        np.concatenate([np.zeros((0, 2), np.int32), *(e.offsets for e in encodings)]),
    )
