"""`biobert evaluate` gives the scores that the run itself gave, and says what does not fit."""

import json

import pytest

from biobert_jax import cli
from biobert_jax.launcher.evaluate import evaluate

pytestmark = pytest.mark.processes

TINY = {
    "init": "random",
    "vocab_size": 300,
    "model.hidden_size": 32,
    "model.intermediate_size": 32,
    "train.epochs": 1,
    "train.evaluate_every": 0,
}


def same_scores(found, expected):
    """Equal, but for the last bits of what other batches add up in another order."""
    for name, value in expected.items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, abs=1e-3), name


def test_ner_on_a_file_and_on_a_folder(uninterrupted, ner_folder, tmp_path, capsys):
    results = json.loads((uninterrupted / "results.json").read_text())
    output = tmp_path / "scores"
    arguments = ["evaluate", "--model", str(uninterrupted), "--data", str(ner_folder / "test.tsv")]
    cli.main([*arguments, "--output", str(output)])
    assert "entity, exact match" in capsys.readouterr().out
    written = json.loads((output / "results.json").read_text())
    assert written["test"] == results["test"]
    name = "predictions/test.conll"
    assert (output / name).read_bytes() == (uninterrupted / name).read_bytes()
    devel = evaluate(str(uninterrupted), ner_folder, "devel")
    assert devel["test"] == results["validation"]


def test_types_of_the_data_are_renamed(uninterrupted, tmp_path, caplog):
    other = tmp_path / "other.tsv"
    other.write_text("It\tO\nis\tO\nglassitis\tB-Illness\n.\tO\n\n")
    one = evaluate(str(uninterrupted), other)
    assert "Illness, is scored as the model's one type, Disease" in caplog.text
    assert one == evaluate(str(uninterrupted), other, rename={"Illness": "Disease"})


@pytest.fixture(scope="module")
def relations(tmp_path_factory):
    from biobert_jax.configuration.relation import relation
    from biobert_jax.launcher import train

    folder = tmp_path_factory.mktemp("relations")
    for split, count in (("train", 40), ("test", 12)):
        lines = [f"@GENE$ number {n} causes @DISEASE$ .\t{n % 2}" for n in range(count)]
        header = [] if split == "train" else ["sentence\tlabel"]
        (folder / f"{split}.tsv").write_text("\n".join(header + lines) + "\n")
    config = relation("own", "debug")
    config.dataset.name = "own"
    config.dataset.scored = ("0",)  # not the default, so that what ignores it is found out
    config.update_from_flattened_dict(TINY | {"dataset.path": str(folder)})
    return folder, folder / "run", train.train(config, folder / "run")


def test_relations(relations):
    folder, run, results = relations
    same_scores(evaluate(str(run), folder / "test.tsv")["test"], results["test"])
    same_scores(evaluate(str(run), folder, "test")["test"], results["test"])


def test_questions(tmp_path):
    from biobert_jax.configuration.qa import qa
    from biobert_jax.launcher import train

    def article(number):
        context = f"The gene G{number} causes the disease D{number} in mice."
        answer = {"text": f"D{number}", "answer_start": context.index(f"D{number}")}
        asked = {"id": f"q{number}", "question": f"What does G{number} cause?", "answers": [answer]}
        return {"title": f"T{number}", "paragraphs": [{"context": context, "qas": [asked]}]}

    for name, numbers in (("train", range(20)), ("dev", range(20, 30))):
        data = {"version": "1.1", "data": [article(number) for number in numbers]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    config = qa("own", "span", "debug")
    config.dataset.name = "own"
    config.update_from_flattened_dict(TINY | {"dataset.path": str(tmp_path)})
    results = train.train(config, tmp_path / "run")
    found = evaluate(str(tmp_path / "run"), tmp_path / "dev.json")
    same_scores(found["test"], results["validation"])


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["--data", "{data}/none.tsv"], "none.tsv"),
        (["--data", "{data}/strange.tsv"], "Gene, Protein"),
        (["--data", "{data}/test.tsv", "--map", "Disease"], "--map Disease"),
        (["--data", "{data}/test.tsv", "--map", "Diseas=Disease"], "--map names Diseas"),
        (["--data", "{data}/test.tsv", "--output", "{data}"], "--output"),
        (["--data", "{data}/test.tsv", "--task", "relation"], "'ner'"),
        (["--data", "{data}/strange.tsv", "--map", "Gene=Disease"], "Protein"),
    ],
)
def test_what_does_not_fit_is_one_message(uninterrupted, own_folder, capsys, arguments, fact):
    (own_folder / "strange.tsv").write_text("BRCA1\tB-Gene\nand\tO\np53\tB-Protein\n\n")
    given = [argument.format(data=own_folder) for argument in arguments]
    with pytest.raises(SystemExit) as raised:
        cli.main(["evaluate", "--model", str(uninterrupted), *given])
    assert raised.value.code == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert fact in errors[0]
