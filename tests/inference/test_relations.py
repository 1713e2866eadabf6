import dataclasses
import re

import numpy as np
import pytest

from biobert_jax.datasets.relation_files import parse_relations
from biobert_jax.errors import CheckpointError, DataError
from biobert_jax.inference.relations import check_marks, classify, make_classifier
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.relation import kinds_of_marks

SENTENCES = [
    "@CHEMICAL$ relieved severe @DISEASE$ of the knee.",
    "Gold is a metal of @CHEMICAL$ and " + "12 patients in fever " * 20 + "@DISEASE$.",
    "No mark.",
]


@pytest.fixture(scope="module")
def classifier(sequence_checkpoint):
    return make_classifier(sequence_checkpoint)


def parsed(text):
    return parse_relations(text, "a.tsv", labelled=False)


def test_sentences_are_classified_alike_together_and_alone(classifier):
    sentences = parsed("\n".join(SENTENCES))
    together = classify(classifier, sentences)
    for sentence, relation in zip(sentences, together, strict=True):
        assert list(relation.probabilities) == ["false", "treats", "causes"]
        assert sum(relation.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert relation.probability == relation.probabilities[relation.label]
        assert relation.probability == max(relation.probabilities.values())
        (alone,) = classify(classifier, [sentence])
        np.testing.assert_allclose(
            list(alone.probabilities.values()), list(relation.probabilities.values()), rtol=1e-4
        )
    assert classify(classifier, []) == []


@pytest.mark.parametrize(
    "text",
    [
        "Gold @GENE$.",
        "sentence\nGold @GENE$.",
        "id\tsentence\nx\tGold @GENE$.",
        "index\tsentence\tlabel\nx\tGold @GENE$.\t1",
        "Gold @GENE$.\t1",
        "x\tGold @GENE$.\t0",
        '{"text": "Gold @GENE$."}',
        '{"id": "x", "text": "Gold @GENE$.", "label": 1}',
    ],
)
def test_labels_may_be_left_out(text):
    (sentence,) = parsed(text)
    assert sentence.text == "Gold @GENE$."
    assert sentence.marks == ((5, 11),)
    assert sentence.id == ("x" if re.search(r"\bx\b", text) else "0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\tlabel\nx\t1", "a.tsv:1: found the header"),
        ("a\tb\tc\td", "a.tsv:1: found 4 columns"),
        ('{"text": "Gold"', "a.tsv:1: the JSON ends in the middle"),
        ('{"text": ""}', "a.tsv:1: found"),
        (
            '{"text": "Gold", "entities": [{"start": 0, "end": 9, "type": "A"}, '
            '{"start": 0, "end": 4, "type": "B"}]}',
            "a.tsv:1: record '0': found an entity of type 'A' at 0:9 in a text of 4 characters",
        ),
    ],
)
def test_bad_input_is_reported_by_file_and_line(text, said):
    with pytest.raises(DataError) as raised:
        parsed(text)
    assert said in str(raised.value)


def test_windows_and_marking_are_those_of_training(sequence_checkpoint):
    card = dataclasses.replace(sequence_checkpoint.card, marking="wrap")
    trained = make_classifier(dataclasses.replace(sequence_checkpoint, card=card))
    assert (trained.windowing.max_length, trained.marking) == (24, "wrap")
    published = make_classifier(dataclasses.replace(sequence_checkpoint, card=None))
    assert (published.windowing.max_length, published.marking) == (40, "anonymise")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("@VIRUS$ and @GENE$.", "@VIRUS$"),
        ("@GENE$ and @VIRUS-GENE$.", "@VIRUS-GENE$"),
        ("<DISEASE> Gold </DISEASE> and <GENE> x </GENE>", "<DISEASE>"),
        ("<< Gold >> and [[ x ]]", "<<"),
        ("BC6ENTC and BC6ENTG", "BC6ENTC"),
    ],
)
def test_a_type_that_training_never_saw_is_refused(classifier, text, kind):
    sentences = parsed(f"@GENE$ and @DISEASE$.\n{text}\n")
    with pytest.raises(DataError, match=r"a\.tsv:2") as raised:
        check_marks(classifier, sentences)
    assert f"the mark {kind};" in str(raised.value)


def test_known_marks_pass(sequence_checkpoint, classifier, caplog):
    check_marks(classifier, parsed("@GENE-DISEASE$ x\n@GENE$ @GENE$\n<GENE> x </GENE>\n"))
    assert not caplog.records
    unknown = dataclasses.replace(sequence_checkpoint.card, marks=())
    older = make_classifier(dataclasses.replace(sequence_checkpoint, card=unknown))
    check_marks(older, parsed("@VIRUS$ and @GENE$."))
    assert "does not say which marks" in caplog.text


def test_the_card_has_the_kinds_of_marks():
    found = kinds_of_marks(parsed("@B$ <A> x </A> @A-B$\n[[ x ]] << y >>\nBC6ENTG @B$\n"))
    assert found == ["<<", "<A>", "@A-B$", "@B$", "BC6ENTG", "[["]
    names = "\n".join(f"@GENE{n}$ binds." for n in range(51))
    assert kinds_of_marks(parsed(names)) == []


def test_a_model_of_another_task_is_refused(checkpoint, sequence_checkpoint):
    with pytest.raises(CheckpointError, match=r"no classifier of sentences \(pooler and classif"):
        make_classifier(checkpoint)
    qa = QaCard(architecture=checkpoint.config, vocabulary=[], lowercase=False)
    other = dataclasses.replace(sequence_checkpoint, card=qa)
    with pytest.raises(CheckpointError, match="of the task 'qa' with the classes false, treats"):
        make_classifier(other)
    with pytest.raises(CheckpointError, match="the classes unknown"):
        make_classifier(dataclasses.replace(sequence_checkpoint, labels=None))
