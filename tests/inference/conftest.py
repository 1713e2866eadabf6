import jax
import pytest

from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.heads import SequenceClassifier, SpanClassifier, TokenClassifier
from biobert_jax.tasks import relation
from biobert_jax.tasks.qa import windows as qa
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.relation import RelationCard
from biobert_jax.text.wordpiece_trainer import train_vocabulary
from tests.support.models import tiny_config

LABELS = ["O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease"]
MARKS = ["@CHEMICAL$", "@DISEASE$", "@GENE$", "<GENE>"]
TEXT = (
    "Tavoramab relieved severe Brackow fever of the knee in 12 patients. Gold is a metal, Dr Roe!"
)


def tiny_checkpoint(lowercase=False, labels=LABELS, seed=0, make=TokenClassifier, card=None, **own):
    """A model of random, large parameters: it says something of every kind."""
    vocabulary = train_vocabulary([TEXT] * 3, 150, lowercase)
    config = tiny_config(
        len(vocabulary),
        num_hidden_layers=1,
        intermediate_size=16,
        max_position_embeddings=40,
        initializer_range=1.0,
    )
    model = make(config, **({"num_labels": len(labels)} if labels else {}))
    row = jax.numpy.zeros((1, 4), jax.numpy.int32)
    names = ("input_ids", "token_type_ids", "segment_ids", "position_ids", "cls_positions")
    params = model.init(jax.random.key(seed), dict.fromkeys(names, row))["params"]
    params = jax.device_get(params)
    encoder = {"architecture": config, "vocabulary": vocabulary, "lowercase": lowercase}
    labels = labels and [*labels]
    said = card and card(**encoder, labels=labels, **own)
    return Checkpoint(config, params, vocabulary, lowercase, labels, "a test", said)


@pytest.fixture(scope="session")
def checkpoint():
    return tiny_checkpoint()


@pytest.fixture(scope="session")
def span_checkpoint():
    windows = qa.Windowing(24, stride=5, max_question=8)
    return tiny_checkpoint(labels=None, make=SpanClassifier, card=QaCard, windows=windows)


@pytest.fixture(scope="session")
def sequence_checkpoint():
    windows = relation.Windowing(24, around_marks=True)
    labels, make = ["false", "treats", "causes"], SequenceClassifier
    return tiny_checkpoint(
        labels=labels, make=make, card=RelationCard, windows=windows, marks=MARKS
    )


@pytest.fixture(scope="session")
def yesno_checkpoint():
    return tiny_checkpoint(labels=["no", "yes"], make=SequenceClassifier)


@pytest.fixture(scope="session")
def uncased():
    return tiny_checkpoint(lowercase=True)
