"""EBM PICO's score: words by type, against scikit-learn; and the scheme that goes with it."""

import numpy as np
import pytest
from sklearn import metrics

from biobert_jax.datasets.conll import Sentence, label_set, read_folder, to_io
from biobert_jax.evaluation import units
from biobert_jax.evaluation.ner import score_words

TAGS = ["O", "I-INT", "I-OUT", "I-PAR"]


def test_words_by_type_agree_with_sklearn():
    rng = np.random.default_rng(0)
    gold, predicted = (
        [list(rng.choice(TAGS, 12, p=(0.7, 0.1, 0.1, 0.1))) for _ in range(40)] for _ in range(2)
    )
    found = score_words(gold, predicted)
    flat = [[tag for tags in one for tag in tags] for one in (gold, predicted)]
    for name, scorer in (("f1", metrics.f1_score), ("precision", metrics.precision_score)):
        expected = scorer(*flat, labels=TAGS[1:], average="macro")
        assert found[name] == pytest.approx(100 * expected)
    counts = units.word_counts(gold, predicted, ["INT", "OUT", "PAR"])
    assert units.macro_f1_of_types(counts.sum(0)) == pytest.approx(found["f1"])


def test_where_an_element_begins_does_not_count():
    gold = [["B-PAR", "I-PAR", "B-PAR", "O"]]
    assert score_words(gold, [["B-PAR", "I-PAR", "I-PAR", "O"]])["f1"] == 100
    assert score_words(gold, [["B-PAR", None, "I-PAR", "O"]])["per_type"]["PAR"]["support"] == 3


def test_io_has_no_beginnings():
    assert to_io(["B-X", "I-X", "O", "B"]) == ["I-X", "I-X", "O", "I"]
    sentences = [Sentence(("a", "b"), ("B-PAR", "B-INT"), 1)]
    assert label_set(sentences, "IO") == ["O", "I-INT", "I-PAR"]


def test_blurbs_files_have_these_tags_alone(shared_data, tmp_path):
    folder = shared_data / "NER" / "EBM-NLP" / "blurb"
    for split, file in (("train", "dev"), ("devel", "dev"), ("test", "test")):
        (tmp_path / f"{split}.tsv.gz").symlink_to(folder / f"{file}.tsv.gz")
    files = read_folder(tmp_path)
    assert label_set(files["devel"].sentences, "IO") == TAGS
    words = {
        split: sum(t != "O" for s in f.sentences for t in s.tags) for split, f in files.items()
    }
    assert (words["devel"], words["test"]) == (87308, 16364)
