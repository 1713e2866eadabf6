"""Which sentences of a set an experiment takes."""

from biobert_jax.datasets.ner import load_splits


def test_a_limit_of_the_training_split_leaves_the_others_whole():
    whole = load_splits("synthetic", train_on="train")
    small = load_splits("synthetic", train_on="train", train_limit=30)
    large = load_splits("synthetic", train_on="train", train_limit=60)
    assert (len(small["train"]), len(large["train"])) == (30, 60)
    assert small["validation"] == whole["validation"]
    assert small["test"] == whole["test"]
    # Nested, in the file's order, and not just its beginning.
    assert [s for s in large["train"] if s in small["train"]] == small["train"]
    assert [s for s in whole["train"] if s in large["train"]] == large["train"]
    assert small["train"] != whole["train"][:30]
    assert load_splits("synthetic", train_limit=10**6)["train"] == load_splits("synthetic")["train"]
