"""Several sequences in one row: which go together, and what the row then looks like.

    input_ids      [CLS] a a a [SEP] [CLS] b b [SEP] [PAD]
    segment_ids      1   1 1 1   1     2   2 2   2     0       which sequence; 0 is padding
    position_ids     0   1 2 3   4     0   1 2   3     0       restart per sequence

An unpacked batch is the plan with one sequence per row.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from biobert_jax.errors import UserError

Example = Mapping[str, Any]
"""One sequence: `input_ids` [n], `token_type_ids` [n] and whatever else its task needs: arrays, or
numbers where a feature has one value per sequence."""

Batch = Mapping[str, np.ndarray]
"""Some rows by name, as `lay_out` makes them. Models and tasks read them as `jax.Array`s under the
same names (`models.protocol.Batch`). B is rows, S positions of a row, N slots for sequences.

| name | dtype and shape | holds | elsewhere |
|---|---|---|---|
| `input_ids` | int32 [B, S] | ids of tokens | the feature's `pad` |
| `token_type_ids` | int32 [B, S] | 0 or 1, BERT's first or second segment | 0 |
| `segment_ids` | int32 [B, S] | which sequence of the row a position belongs to, from 1 | 0 |
| `position_ids` | int32 [B, S] | a token's position within its sequence | 0 |
| `cls_positions` | int32 [B, N] | where each sequence starts | 0 |
| `sequence_index` | int32 [B, N] | which example each sequence is | -1 |
| a task's features | their `dtype`, see `Feature` | labels, positions, ... | their `pad` |

A position is real where `segment_ids > 0`, a slot where `sequence_index >= 0`; neither is ever read
off a token id or a label.
"""

IGNORED = -1
"""The label of a position or slot that has none."""

Kind = Literal["token", "sequence", "position", "at_position"]
DTYPES = ("int32", "float32", "bool")
"""What a feature may be: JAX would cut anything of 64 bits down to 32 without a word."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """How one entry of an example is laid into a row.

    Attributes:
      kind: `token`, one value per token, laid at the tokens' positions: [B, S, *shape];
        `sequence`, one value per sequence, laid in the sequence's slot: [B, N, *shape];
        `position`, token positions within the sequence, laid one after the other and shifted by the
        sequence's start: [B, slots]; `at_position`, one value for each of those positions:
        [B, slots, *shape].
      pad: the value of positions and slots that hold nothing.
      slots: the length of the row's array, for the kinds `position` and `at_position`.
      dtype: one of `DTYPES`.
      shape: the trailing shape of one value: () for a number, (C,) for the labels of C classes.

    Raises:
      ValueError: no such kind or dtype; a pad that is no value of the dtype; positions that are
        not int32 numbers.
    """

    kind: Kind
    pad: float = 0
    slots: int = 0
    dtype: str = "int32"
    shape: tuple[int, ...] = ()

    def __post_init__(self):
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind is {self.kind!r}; expected one of {', '.join(get_args(Kind))}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype is {self.dtype!r}; expected one of {', '.join(DTYPES)}")
        if self.dtype != "float32" and np.asarray(self.pad).astype(self.dtype) != self.pad:
            raise ValueError(f"pad is {self.pad!r}, which is no {self.dtype}")
        if self.kind == "position" and (self.dtype, self.shape) != ("int32", ()):
            raise ValueError(
                f"positions are int32 numbers; found {self.dtype} of shape {list(self.shape)}"
            )

    def row_shape(self, row_length: int, max_sequences: int) -> tuple[int, ...]:
        """The shape of one row of this feature, without the axis of rows."""
        lengths = {"token": row_length, "sequence": max_sequences}
        return (lengths.get(self.kind, self.slots), *self.shape)


@dataclasses.dataclass(frozen=True)
class RowPlan:
    """Which sequences are in which row.

    Attributes:
      members: [K] sequence indices, row after row.
      starts: [R + 1]; row r holds members[starts[r]:starts[r + 1]], in that order.
      row_length: the length S of every row.
      max_sequences: the most sequences N that any row may hold.
      tokens: real tokens in all rows together.
    """

    members: np.ndarray
    starts: np.ndarray
    row_length: int
    max_sequences: int
    tokens: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, r: int) -> np.ndarray:
        return self.members[self.starts[r] : self.starts[r + 1]]

    @property
    def real_share(self) -> float:
        """Real tokens as a share of all positions."""
        return self.tokens / max(1, len(self) * self.row_length)


def plan_rows(
    lengths: np.ndarray,
    order: np.ndarray,
    row_length: int,
    max_sequences: int,
    open_rows: int = 64,
) -> RowPlan:
    """Best-fit packing of sequences, taken in the given order, into rows.

    Each sequence goes to the fullest open row that still holds it. When none does and `open_rows`
    are open already, the fullest of them is closed. Sequences thus stay within a bounded distance
    of their place in `order`, so that a shuffled order stays shuffled.

    Args:
      lengths: [n] tokens of each sequence.
      order: [K] indices into lengths; repeats are allowed (several epochs in one plan).
      row_length: tokens of a row.
      max_sequences: sequences that a row may hold; 1 gives the unpacked form.
      open_rows: how many rows may wait for more.

    Raises:
      UserError: a sequence is longer than a row.
    """
    order = np.asarray(order, np.int64)
    lengths = np.asarray(lengths, np.int64)
    if len(order) and lengths[order].max() > row_length:
        longest = int(order[lengths[order].argmax()])
        raise UserError(
            f"sequence {longest} has {lengths[longest]} tokens, but a row holds {row_length}; "
            "raise the row length or shorten the windows"
        )
    closed: list[list[int]] = []
    rows: list[list[int]] = []
    space = np.zeros(0, np.int64)
    for index in order:
        length = lengths[index]
        fitting = np.where(space >= length, space, row_length + 1) if len(rows) else space
        best = int(fitting.argmin()) if len(rows) else 0
        if not len(rows) or fitting[best] > row_length:
            if len(rows) >= open_rows:
                fullest = int(space.argmin())
                closed.append(rows.pop(fullest))
                space = np.delete(space, fullest)
            rows.append([])
            space = np.append(space, row_length)
            best = len(rows) - 1
        rows[best].append(int(index))
        space[best] -= length
        if space[best] == 0 or len(rows[best]) == max_sequences:
            closed.append(rows.pop(best))
            space = np.delete(space, best)
    closed.extend(rows)
    counts = np.array([len(row) for row in closed], np.int64)
    members = np.concatenate([np.array(row, np.int64) for row in closed] or [order])
    return RowPlan(
        members=members,
        starts=np.concatenate([[0], np.cumsum(counts)]),
        row_length=row_length,
        max_sequences=max_sequences,
        tokens=int(lengths[members].sum()),
    )


def lay_out(
    examples: Sequence[Example],
    rows: Sequence[np.ndarray],
    features: Mapping[str, Feature],
    row_length: int,
    max_sequences: int,
) -> dict[str, np.ndarray]:
    """Builds the arrays of some rows.

    Args:
      examples: the sequences; each has every one of `features`.
      rows: for each of B rows the indices of its sequences; an empty one gives a row of padding.
      features: how each entry is laid down.
      row_length: S.
      max_sequences: N.

    Returns:
      A `Batch`: the features and what the layout adds to them.

    Raises:
      UserError: an example lacks a feature, or has another shape or type than the feature says; a
        row needs more slots than a feature has.
    """
    count = len(rows)
    out = {
        name: np.full(
            (count, *feature.row_shape(row_length, max_sequences)), feature.pad, feature.dtype
        )
        for name, feature in features.items()
    }
    for name, width in (
        ("segment_ids", row_length),
        ("position_ids", row_length),
        ("cls_positions", max_sequences),
    ):
        out[name] = np.zeros((count, width), np.int32)
    out["sequence_index"] = np.full((count, max_sequences), -1, np.int32)
    for r, members in enumerate(rows):
        start = 0
        filled = dict.fromkeys(features, 0)
        for slot, index in enumerate(members):
            example = examples[index]
            end = start + len(example["input_ids"])
            out["segment_ids"][r, start:end] = slot + 1
            out["position_ids"][r, start:end] = np.arange(end - start)
            out["cls_positions"][r, slot] = start
            out["sequence_index"][r, slot] = index
            for name, feature in features.items():
                array = out[name]
                value = _checked(example, index, name, feature, array.dtype, end - start)
                if feature.kind == "token":
                    array[r, start:end] = value
                elif feature.kind == "sequence":
                    array[r, slot] = value
                else:
                    at = filled[name]
                    filled[name] = at + len(value)
                    if filled[name] > feature.slots:
                        raise UserError(
                            f"a row needs {filled[name]} slots for {name}, but has {feature.slots}"
                        )
                    shift = start if feature.kind == "position" else 0
                    array[r, at : filled[name]] = value + shift if shift else value
            start = end
    return out


def _checked(
    example: Example, index: int, name: str, feature: Feature, dtype: np.dtype, tokens: int
) -> np.ndarray:
    """One entry of an example as the feature describes it: NumPy would broadcast and round."""
    if name not in example:
        raise UserError(f"sequence {index} has no {name}; found {', '.join(example)}")
    value = np.asarray(example[name])
    shape = value.shape
    if feature.kind == "token":
        fits = shape == (tokens, *feature.shape)
    elif feature.kind == "sequence":
        fits = shape == feature.shape
    else:
        fits = shape[1:] == feature.shape and len(shape) > 0
    if not fits or not (value.dtype is dtype or np.can_cast(value.dtype, dtype, "same_kind")):
        leading = {"token": [tokens], "sequence": []}.get(feature.kind, ["any"])
        raise UserError(
            f"sequence {index}: {name} is {value.dtype} {list(shape)}; its feature says "
            f"{feature.dtype} {[*leading, *feature.shape]}"
        )
    return value


def take_apart(
    values: np.ndarray, batch: Batch, kind: Literal["token", "sequence"]
) -> dict[int, np.ndarray]:
    """The inverse of laying out, for what a model predicts for each token or sequence.

    Args:
      values: [B, S, ...] for `token`, [B, N, ...] for `sequence`.
      batch: the arrays that `lay_out` returned for these rows.
      kind: what the second axis of values counts.

    Returns:
      For each example in the rows its values: [n, ...] for `token`, [...] for `sequence`.
    """
    apart = {}
    for r, slot in np.argwhere(batch["sequence_index"] >= 0):
        index = int(batch["sequence_index"][r, slot])
        if kind == "sequence":
            apart[index] = values[r, slot]
        else:
            start = batch["cls_positions"][r, slot]
            length = int((batch["segment_ids"][r] == slot + 1).sum())
            apart[index] = values[r, start : start + length]
    return apart
