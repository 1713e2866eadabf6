"""A text, or a pair of texts, as one sequence; for tasks that say something of the whole of it.

[CLS] text [SEP]                        token types 0 0 0
[CLS] text [SEP] second text [SEP]      token types 0 0 0 1 1
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from biobert_jax.configuration.card_defaults import TEXT_WINDOWS
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import UserError
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Windowing:
    """What of a text that is longer than `max_length` pieces is read.

    Attributes:
      max_length: pieces of a sequence, [CLS] and [SEP] included. Of a longer pair the longer text
        loses its end first, as in run_classifier.py.
    """

    max_length: int = TEXT_WINDOWS["max_length"]

    def check_fits(self, model: EncoderConfig) -> None:
        """Raises UserError where sequences are longer than a model can read."""
        if self.max_length > model.max_position_embeddings:
            raise UserError(
                f"windows.max_length is {self.max_length}, but the model has position embeddings "
                f"for {model.max_position_embeddings} pieces; lower windows.max_length"
            )


@dataclasses.dataclass
class Featurized:
    """A split as sequences.

    Attributes:
      examples: input_ids and token_type_ids [n] of each record, in their order.
      cut: how many records lost pieces.
      lost: how many pieces in all.
    """

    examples: list[dict[str, np.ndarray]]
    cut: int = 0
    lost: int = 0


def featurize(records: Sequence[Record], tokenizer: Tokenizer, windowing: Windowing) -> Featurized:
    """Turns texts and pairs into sequences.

    Args:
      records: of one kind, texts or pairs.
      tokenizer: the checkpoint's.
      windowing: what of long ones is read.
    """
    out = Featurized([])
    sides = [tokenizer.encode_batch([record.text for record in records])]
    if records and records[0].second is not None:
        sides.append(tokenizer.encode_batch([record.second or "" for record in records]))
    room = windowing.max_length - 1 - len(sides)
    for parts in zip(*sides, strict=True):
        ids = [encoding.ids for encoding in parts]
        lengths = cut_lengths([len(part) for part in ids], room)
        lost = sum(map(len, ids)) - sum(lengths)
        out.cut += lost > 0
        out.lost += lost
        pieces, types = [np.array([tokenizer.cls_id])], [np.zeros(1)]
        for number, (part, length) in enumerate(zip(ids, lengths, strict=True)):
            pieces += [part[:length], np.array([tokenizer.sep_id])]
            types.append(np.full(length + 1, number))
        out.examples.append(
            {
                "input_ids": np.concatenate(pieces).astype(np.int32),
                "token_type_ids": np.concatenate(types).astype(np.int32),
            }
        )
    return out


def cut_lengths(lengths: Sequence[int], room: int) -> list[int]:
    """How much of one or two texts is kept: piece by piece the longer one gets shorter.

    Of two of one length the second gets shorter, as in run_classifier.py.
    """
    if len(lengths) == 1:
        return [min(lengths[0], room)]
    first, second = lengths
    if first + second <= room:
        return [first, second]
    if first <= second:
        kept = min(first, -(-room // 2))
        return [kept, room - kept]
    kept = min(second, room // 2)
    return [room - kept, kept]
