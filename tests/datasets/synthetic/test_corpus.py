import hashlib
import itertools
import os
import subprocess
import sys

import pytest

from biobert_jax.datasets.conll import to_bio
from biobert_jax.datasets.spans import spans_of_tags
from biobert_jax.datasets.synthetic.corpus import documents, ner_splits
from biobert_jax.datasets.synthetic.lexicon import abbreviation
from biobert_jax.evaluation.baselines import Dictionary
from biobert_jax.evaluation.ner import score


@pytest.fixture(scope="module")
def splits():
    return ner_splits()


def names(sentences):
    return [
        (" ".join(s.words[span.start : span.end]).lower(), span.type)
        for s in sentences
        for span in spans_of_tags(s.tags)
    ]


def test_splits_have_their_sizes_and_types(splits):
    sizes = {split: len(sentences) for split, sentences in splits.items()}
    assert sizes == {"train": 1500, "devel": 300, "test": 500, "train_dev": 1800}
    assert splits["train_dev"] == splits["train"] + splits["devel"]
    for sentences in splits.values():
        assert {type_ for _, type_ in names(sentences)} == {"Chemical", "Disease", "Gene"}
        for sentence in sentences:
            assert len(sentence.words) == len(sentence.tags)
            assert to_bio(sentence.tags) == list(sentence.tags)


def test_six_tenths_of_test_entities_are_unseen_in_training(splits):
    known = set(names(splits["train_dev"]))
    found = names(splits["test"])
    unseen = sum(name not in known for name in found) / len(found)
    assert 0.55 < unseen < 0.7


def test_sentences_are_not_repeated_between_training_and_test(splits):
    seen = {s.words for s in splits["train_dev"]}
    again = sum(s.words in seen for s in splits["test"])
    assert again < 0.03 * len(splits["test"])


def test_a_dictionary_does_not_do(splits):
    dictionary = Dictionary(splits["train_dev"])
    gold = [s.tags for s in splits["test"]]
    scores = score(gold, [dictionary.tag(s.words) for s in splits["test"]])
    assert 20 < scores["f1"] < 60
    # Not for its gaps alone: what it marks is often no entity here.
    assert scores["precision"] < 90


def test_the_same_words_are_entities_in_some_contexts_only(splits):
    sentences = splits["train"]
    marked, unmarked = set(), set()
    for sentence in sentences:
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            (marked if tag[0] == "B" else unmarked).add(word.lower())
    both = marked & unmarked
    assert {"cold", "stroke", "lead", "gold"} <= both
    assert sum(word[-1].isdigit() for word in both) > 10  # gene symbols as codes


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_what_is_generated_does_not_depend_on_the_process(hash_seed):
    program = (
        "import hashlib; from biobert_jax.datasets.synthetic.corpus import documents, ner_splits;"
        "text = repr((ner_splits(3, 50, 20, 20), list(documents(3, 10))));"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    text = repr((ner_splits(3, 50, 20, 20), list(documents(3, 10))))
    assert there == hashlib.sha256(text.encode()).hexdigest()


def test_seeds_differ():
    assert ner_splits(1, 20, 5, 5) != ner_splits(2, 20, 5, 5)


def test_documents_do_not_depend_on_how_many_follow():
    assert list(documents(0, 5)) == list(itertools.islice(documents(0, 50), 5))


def test_documents_know_their_mentions_and_relations():
    kinds = set()
    for document in documents(0, 100):
        for sentence in (document.title, *document.sentences):
            last = 0
            for mention in sentence.mentions:
                assert last <= mention.start < mention.end <= len(sentence.text)
                last = mention.end
                written = sentence.text[mention.start : mention.end].lower()
                assert written in (mention.name.lower(), abbreviation(mention.name).lower())
            for relation in sentence.relations:
                kinds.add(relation.kind)
                assert sentence.mentions[relation.chemical].type == "Chemical"
                assert sentence.mentions[relation.disease].type == "Disease"
    assert kinds == {"treats", "causes"}
    assert len({document.pmid for document in documents(0, 100)}) == 100


def test_documents_never_contradict_each_other():
    """What one sentence says that a chemical treats, no sentence says that it causes."""
    facts = {}
    for document in documents(0, 300):
        for sentence in document.sentences:
            for relation in sentence.relations:
                pair = (
                    sentence.mentions[relation.chemical].name,
                    sentence.mentions[relation.disease].name,
                )
                assert facts.setdefault(pair, relation.kind) == relation.kind
    assert len(facts) > 100
