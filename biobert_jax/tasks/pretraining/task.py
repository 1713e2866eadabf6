"""Pre-training: masked language model and next sentence prediction on the fly."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from biobert_jax.errors import DataError
from biobert_jax.input.loader import Packing
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.input.row_streams import RowStreams
from biobert_jax.models.heads import PretrainingModel
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from biobert_jax.tasks.pretraining.instances import InstanceOptions, Pieces, Sentences, instances
from biobert_jax.tasks.protocol import Per

ROWS_PER_BLOCK = 64  # about; enough to pack well, and not too much to make before a first batch
PIECES_PER_WORD = 1.5  # about; docs/pretraining.md has what was measured on PubMed
EVALUATION_SEED = 20_190_125  # the evaluation's masks are the same for every run


class Corpus(Protocol):
    """Tokenised documents by number; `corpora.store.ShardedCorpus` is one."""

    @property
    def words(self) -> Any:
        """[documents] words of each, a NumPy array."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any:
        """A document with `ids` [n] and `sentence_starts` [s]."""
        ...


@dataclasses.dataclass(frozen=True)
class Subset:
    """Some documents of a corpus.

    Attributes:
      corpus: where they are.
      documents: their numbers.
      weight: how much of the text that is read comes from here, relative to the other subsets.
    """

    corpus: Corpus
    documents: np.ndarray
    weight: float = 1.0

    def documents_for(self, pieces: float) -> int:
        """How many documents have about as many pieces."""
        words = float(np.asarray(self.corpus.words)[self.documents].mean())
        return max(1, round(pieces / (PIECES_PER_WORD * max(1.0, words))))

    def sentences(self, number: int) -> Sentences:
        document = self.corpus[int(self.documents[number])]
        return np.split(document.ids, document.sentence_starts[1:])

    def another(self, number: int, rng: np.random.Generator) -> Sentences:
        """The sentences of a random document other than `number`; of that one if it is alone."""
        count = len(self.documents)
        shift = int(rng.integers(1, count)) if count > 1 else 0
        return self.sentences((number + shift) % count)


def subset(
    corpus: Corpus, held_out: int, max_words: int = 0, weight: float = 1.0
) -> tuple[Subset, Subset]:
    """Splits a corpus into what is trained on and what is held out.

    Documents are put into one fixed random order. Training takes the first ones until `max_words`
    words are reached, so that a smaller subset is contained in every larger one; the held-out ones
    are the last, the same for every size.

    Raises:
      DataError: nothing would be left to train on.
    """
    order = np.random.default_rng(0).permutation(len(corpus))
    training = order[: len(corpus) - held_out]
    if not len(training):
        raise DataError(
            f"the corpus has {len(corpus)} documents and {held_out} are held out; nothing is left "
            "to train on: lower data.held_out or build a larger corpus"
        )
    if max_words:
        reached = np.cumsum(np.asarray(corpus.words)[training].astype(np.int64))
        training = training[: int(np.searchsorted(reached, max_words)) + 1]
    return Subset(corpus, training, weight), Subset(corpus, order[len(corpus) - held_out :], weight)


class Blocks:
    """Examples by block number, mixed from several subsets by weight.

    All blocks have about as much text, however long a subset's documents are. In every `PERIOD`
    blocks each subset has its share to within one; within a subset documents come in a new random
    order each epoch.

        block      0  1  2  3  4  5 ...        pattern[block % PERIOD]: which subset it reads
        subset     A  B  A  A  B  A ...
        number     0  0  1  2  1  3 ...        how many blocks of that subset came before
        documents  size * number to size * (number + 1) of the subset's epochs, one after another
    """

    PERIOD = 1000

    def __init__(
        self, subsets: Sequence[Subset], options: InstanceOptions, pieces: Pieces, seed: int
    ):
        self._subsets, self._options, self._pieces, self._seed = subsets, options, pieces, seed
        weights = np.array([chosen.weight for chosen in subsets], float)
        ends = np.round(np.cumsum(weights) / weights.sum() * self.PERIOD).astype(int)
        pattern = np.searchsorted(ends, np.arange(self.PERIOD), side="right")
        self._pattern = np.random.default_rng((seed, 1)).permutation(pattern)
        self._rank = np.zeros(self.PERIOD, int)
        for index in range(len(subsets)):
            of_subset = self._pattern == index
            self._rank[of_subset] = np.arange(of_subset.sum())
        length = ROWS_PER_BLOCK * options.max_length
        self._sizes = [chosen.documents_for(length) for chosen in subsets]
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, block: int) -> Iterator[Example]:
        """Makes the examples of a block, a document at a time."""
        period, place = divmod(block, self.PERIOD)
        index = int(self._pattern[place])
        number = period * int((self._pattern == index).sum()) + int(self._rank[place])
        chosen = self._subsets[index]
        count = len(chosen.documents)
        rng = np.random.default_rng((self._seed, 2, block))
        size = self._sizes[index]
        for position in range(number * size, (number + 1) * size):
            epoch, at = divmod(position, count)
            current = int(self._epoch_order(index, epoch, count)[at])
            if copies := self._options.static_copies:
                # The instances of a document are those of its copy, whatever the block.
                rng = np.random.default_rng((self._seed, 4, index, current, epoch % copies))
            yield from instances(
                chosen.sentences(current),
                functools.partial(chosen.another, current, rng),
                self._options,
                self._pieces,
                rng,
            )

    def _epoch_order(self, index: int, epoch: int, count: int) -> np.ndarray:
        """The order of a subset's documents in an epoch, [count].

        The latest two of each subset are kept: streams pass through epochs together.
        """
        orders = self._orders
        if (index, epoch) not in orders:
            for key in [key for key in orders if key[0] == index and key[1] < epoch - 1]:
                del orders[key]
            rng = np.random.default_rng((self._seed, 3, index, epoch))
            orders[index, epoch] = rng.permutation(count).astype(np.uint32)
        return orders[index, epoch]

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to a worker: it makes the orders by itself."""
        return self.__dict__ | {"_orders": {}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainingCard(Card):
    """A pre-trained encoder's card."""

    task: str = "pretraining"


class PretrainingTask:
    """Masked language model and, where the options say so, next sentence prediction."""

    name = "pretraining"

    def __init__(
        self,
        training: Sequence[Subset],
        held_out: Sequence[Subset],
        model: PretrainingModel,
        options: InstanceOptions,
        vocabulary: Sequence[str],
        row_length: int,
        max_sequences: int,
        card: PretrainingCard,
        seed: int,
        names: Sequence[str] = (),
    ):
        """Prepares the streams and the evaluation's instances.

        Args:
          training, held_out: documents of each corpus.
          model: the encoder with both heads.
          options: how instances are made.
          vocabulary: pieces in id order.
          row_length, max_sequences: of a packed row; they bound the number of masked positions.
          card: what checkpoints carry.
          seed: of the training instances.
          names: of the corpora; with several, held-out scores are reported for each, too.
        """
        alone = [part for part in training if part.weight and len(part.documents) < 2]
        if options.next_sentence and alone:
            raise DataError(
                "a corpus has one document to train on, and next sentence prediction draws every "
                "other segment from another one; build a larger corpus, or set "
                "instances.next_sentence=False"
            )
        pieces = Pieces.of(vocabulary)
        self.model, self.card, self._seed = model, card, seed
        self._blocks = Blocks(training, options, pieces, seed)
        share = options.masked_share * row_length + 0.5 * max_sequences
        slots = min(math.ceil(share), options.max_predictions * max_sequences)
        self.features = {
            "input_ids": Feature("token"),
            "token_type_ids": Feature("token"),
            "masked_lm_positions": Feature("position", slots=slots),
            "masked_lm_ids": Feature("at_position", pad=IGNORED, slots=slots),
            "next_sentence_label": Feature("sequence", pad=IGNORED),
        }
        scores = ("mlm_nll", "mlm_correct", "mlm_count", "nsp_correct", "nsp_count")
        self.predictions: dict[str, Per] = dict.fromkeys(scores, "sequence")
        rng = np.random.default_rng(EVALUATION_SEED)
        self._validation, self._corpora = [], {}
        labels = names or [""] * len(held_out)
        for name, part, trained in zip(labels, held_out, training, strict=False):
            # Of a single held-out document no other can be drawn from: then from the training ones.
            others = part if len(part.documents) > 1 else trained
            begin = len(self._validation)
            self._validation += [
                instance
                for number in range(len(part.documents))
                for instance in instances(
                    part.sentences(number),
                    functools.partial(others.another, number, rng),
                    options,
                    pieces,
                    rng,
                )
            ]
            if len(names) > 1:
                self._corpora[name] = slice(begin, len(self._validation))

    def stream(self, packing: Packing, rows: int, own: range) -> RowStreams:
        """Training rows without end; see `tasks.protocol.Task`."""
        return RowStreams(self._blocks, packing, self.features, rows, own, self._seed)

    def examples(self, split: str) -> Sequence[Example]:
        return self._validation if split == "validation" else []

    def loss_weights(self, batch):
        return {
            "mlm": count_labels(batch["masked_lm_ids"]),
            "nsp": count_labels(batch["next_sentence_label"]),
        }

    def losses(self, outputs, batch):
        return {
            "mlm": cross_entropy_sum(outputs["mlm_logits"], batch["masked_lm_ids"]),
            "nsp": cross_entropy_sum(outputs["nsp_logits"], batch["next_sentence_label"]),
        }

    def predict(self, outputs, batch):
        ids, positions = batch["masked_lm_ids"], batch["masked_lm_positions"]
        real = ids >= 0
        logits = outputs["mlm_logits"]
        gold = jnp.take_along_axis(logits, jnp.maximum(ids, 0)[..., None], -1)[..., 0]
        nll = jax.nn.logsumexp(logits, axis=-1) - gold
        correct = logits.argmax(-1) == ids
        # Which sequence of its row each masked position belongs to: [B, M, N].
        slots = batch["cls_positions"].shape[1]
        segment = jnp.take_along_axis(batch["segment_ids"], positions, axis=1) - 1
        belongs = jax.nn.one_hot(jnp.where(real, segment, -1), slots)

        def per_sequence(values):
            return jnp.einsum("bm,bmn->bn", jnp.where(real, values, 0).astype(jnp.float32), belongs)

        labels = batch["next_sentence_label"]
        return {
            "mlm_nll": per_sequence(nll),
            "mlm_correct": per_sequence(correct),
            "mlm_count": per_sequence(jnp.ones_like(nll)),
            "nsp_correct": (outputs["nsp_logits"].argmax(-1) == labels).astype(jnp.float32),
            "nsp_count": (labels >= 0).astype(jnp.float32),
        }

    def evaluate(self, split, predictions, directory):
        del split, directory  # there is nothing to write that a person would read
        results = self._scores(predictions)
        if self._corpora:
            results["corpora"] = {
                name: self._scores(predictions[part]) for name, part in self._corpora.items()
            }
        return results

    def _scores(self, predictions):
        totals = {
            name: math.fsum(float(one[name]) for one in predictions) for name in self.predictions
        }
        loss = totals["mlm_nll"] / max(1.0, totals["mlm_count"])
        results = {
            "mlm_loss": loss,
            "perplexity": math.exp(min(loss, 700.0)),
            "mlm_accuracy": 100 * totals["mlm_correct"] / max(1.0, totals["mlm_count"]),
            "masked_pieces": int(totals["mlm_count"]),
            "instances": len(predictions),
        }
        if totals["nsp_count"]:
            results["nsp_accuracy"] = 100 * totals["nsp_correct"] / totals["nsp_count"]
        return results

    def score(self, results):
        return -results["mlm_loss"]
