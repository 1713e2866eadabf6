"""The console script's commands on corpora, from documents to the table beside the paper's."""

import json

import pytest

from biobert_jax.cli import main
from biobert_jax.corpora.store import ShardedCorpus

SENTENCES = [
    "Treatment with gamma lactone lowered plasma glucose in twelve of forty obese rats.",
    "No effect on blood pressure was seen, and no animal died during the study.",
    "Kinase activity rose twofold after the second week in all treated groups.",
    "We conclude that the lactone acts upon the hepatic kinase.",
]


@pytest.fixture
def jsonl(tmp_path):
    lines = []
    for number in range(60):
        order = [SENTENCES[(number + step) % 4] for step in range(3)]
        lines.append({"id": str(number), "text": f"Animal {number}. " + " ".join(order)})
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_from_files_to_table_1(tmp_path, jsonl, capsys):
    vocab, corpus = tmp_path / "vocab.txt", tmp_path / "corpus"
    stock = tmp_path / "stock.txt"
    stock.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The"]) + "\n")
    arguments = ["vocab", "train", "--input", str(jsonl), "--size", "200", "--output", str(vocab)]
    main([*arguments, "--compare", str(stock)])
    assert "pieces/word" in capsys.readouterr().out
    assert len(vocab.read_text().splitlines()) <= 200

    arguments = ["corpus", "build", "--input", str(jsonl), "--vocab", str(vocab), "--workers", "1"]
    main([*arguments, "--output", str(corpus)])
    assert "documents 60" in capsys.readouterr().out
    built = ShardedCorpus(corpus)
    assert len(built) == 60
    assert len(built[0].sentence_starts) == 4

    main(["corpus", "stats", "--verify", "--json", str(corpus)])
    (row,) = json.loads(capsys.readouterr().out)
    expected = sum(len(json.loads(x)["text"].split()) for x in jsonl.read_text().splitlines())
    assert row["words"] == expected
    assert row["published_words"] is None
    main(["corpus", "stats", str(corpus)])
    out = capsys.readouterr().out
    for words in ("4.5B", "13.5B", "800M", "2.5B"):
        assert words in out


def test_decontaminate_writes_what_build_excludes(tmp_path, jsonl):
    test, exclusions = tmp_path / "test.txt", tmp_path / "exclude.txt"
    report = tmp_path / "report.json"
    test.write_text(SENTENCES[0] + "\n")
    arguments = ["corpus", "decontaminate", "--input", str(jsonl), "--workers", "1"]
    arguments += ["--benchmarks", str(test), "--exclusions", str(exclusions)]
    main([*arguments, "--report", str(report)])
    expected = [str(number) for number in range(60) if number % 4 != 1]
    assert exclusions.read_text().split() == expected
    assert json.loads(report.read_text())["benchmarks"]["test"]["documents"] == 45


def test_failures_are_one_message(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["corpus", "stats", str(tmp_path)])
    assert "biobert corpus build" in capsys.readouterr().err
