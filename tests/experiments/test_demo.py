"""The demonstration at a size that shows nothing, but goes the whole way."""

import json
import logging

import pytest

from biobert_jax.corpora.store import ShardedCorpus

pytestmark = pytest.mark.processes


def test_the_demo_goes_the_whole_way(tmp_path, capsys, monkeypatch):
    from biobert_jax.launcher import demo
    from configs.demo import get_config

    monkeypatch.setenv("COLUMNS", "80")
    try:
        demo.run(get_config("debug"), tmp_path)
    finally:
        logging.disable(logging.NOTSET)
    shown = capsys.readouterr().out
    *lines, command = shown.rstrip().splitlines()
    assert max(map(len, lines)) <= 80
    assert command.lstrip().startswith("echo 'Melivumab")

    # What is in the shards came from the files, and nothing was lost on the way.
    corpus = ShardedCorpus(tmp_path / "shards")
    assert corpus.manifest["source"] == "pubmed"
    assert len(corpus) == 200
    assert "200 abstracts" in " ".join(shown.split())

    # Both learn from the same sentences, with the same settings and pieces; one has read.
    random, pretrained = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("ner-random", "ner")
    )
    assert pretrained["init"] == str(tmp_path / "pretraining")
    assert random["init"] == "random"
    assert random | {"init": ""} == pretrained | {"init": ""}
    assert random["vocab"] == str(tmp_path / "shards" / "vocab.txt")

    # The table has the scores that the runs wrote.
    for name, row in (("ner-random", "encoder, not pre-trained"), ("ner", "encoder, pre-trained")):
        results = json.loads((tmp_path / name / "results.json").read_text())
        [line] = [line for line in lines if line.startswith(row)]
        assert f"{results['test']['f1']:.1f}" in line.split()
