"""biobert compare and biobert results."""

import csv
import io

import pytest

from biobert_jax import cli
from biobert_jax.errors import DataError
from biobert_jax.evaluation import significance
from biobert_jax.reports.comparison import compare, correct, load
from biobert_jax.reports.render import FORMATS, Table, render
from biobert_jax.reports.runs import find_runs
from biobert_jax.reports.systems import systems


def system(path):
    (found,) = systems(find_runs([str(path)]).runs)
    return found


def seeds(make, folder, accuracy, count=3, **settings):
    for seed in range(1, count + 1):
        make.ner(folder / f"seed-{seed}", seed, accuracy, **settings)
    return system(folder)


def test_seeds_are_compared_as_methods(make, tmp_path):
    a, b = seeds(make, tmp_path / "a", 0.7), seeds(make, tmp_path / "b", 0.8, init="other")
    row = compare(a, b)
    assert row.comparison.test == "t-test over seeds and test units"
    expected = significance.compare_methods(
        load(a, "f1", "test").outcomes, load(b, "f1", "test").outcomes
    )
    assert row.comparison == expected
    assert row.units == 120
    assert [s.count for s in row.scores] == [3, 3]


def test_single_runs_are_compared_as_runs(make, tmp_path):
    a, b = seeds(make, tmp_path / "a", 0.6, 1), seeds(make, tmp_path / "b", 0.9, 1, init="other")
    found = compare(a, b).comparison
    assert found.test == "approximate randomisation"
    assert found.low < found.difference < found.high
    several = seeds(make, tmp_path / "c", 0.9, 2, init="third")
    assert compare(a, several).comparison.test == "paired bootstrap"


def test_pretraining_is_compared_over_seeds(make, tmp_path):
    for name, losses in (("a", (3.0, 3.1)), ("b", (2.0, 2.1))):
        for seed, loss in enumerate(losses):
            make.pretraining(tmp_path / name / str(seed), seed, loss)
    row = compare(system(tmp_path / "a"), system(tmp_path / "b"))
    assert row.measure == "mlm_loss"
    assert row.comparison.difference == pytest.approx(-1.0)
    assert row.comparison.test == "t-test over seeds only"


@pytest.mark.parametrize("other", ["fewer", "gold", "words"])
def test_other_test_sets_are_refused(make, tmp_path, other):
    test = make.sentences()
    if other == "fewer":
        test = test[:-1]
    elif other == "gold":
        test[3].tags = ["B-Gene", *test[3].tags[1:]]
    else:
        test[3].words = ["other", *test[3].words[1:]]
    a = seeds(make, tmp_path / "a", 0.7)
    with pytest.raises(DataError, match="different test sets"):
        compare(a, seeds(make, tmp_path / "b", 0.8, init="other", test=test))
    make.ner(tmp_path / "a" / "seed-9", 9, 0.7, test=test)
    with pytest.raises(DataError, match="different test sets"):
        compare(system(tmp_path / "a"), a)


def test_p_values_are_corrected_over_the_table(make, tmp_path):
    rows = []
    for number, accuracy in enumerate((0.6, 0.8, 0.9)):
        rows.append(
            compare(
                seeds(make, tmp_path / f"a{number}", 0.6),
                seeds(make, tmp_path / f"b{number}", accuracy, 4, init="other"),
            )
        )
    each = [row.comparison.p_value for row in rows]
    assert [row.corrected for row in correct(rows)] == significance.holm(each)


def test_a_missing_measure_is_named(make, tmp_path):
    a = seeds(make, tmp_path / "a", 0.7)
    with pytest.raises(DataError, match="no mrr of test"):
        compare(a, a, measure="mrr")


def run_cli(capsys, *arguments):
    cli.main([str(argument) for argument in arguments])
    return capsys.readouterr()


def test_the_command_compares_folders_of_seeds_on_each_set(make, tmp_path, capsys):
    for dataset in ("ncbi_disease", "s800"):
        seeds(make, tmp_path / "a" / dataset, 0.6, dataset=dataset)
        seeds(make, tmp_path / "b" / dataset, 0.9, dataset=dataset, init="other")
    out = run_cli(capsys, "compare", tmp_path / "a", tmp_path / "b", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["set"] for row in rows] == ["ncbi_disease", "s800"]
    assert {row["baseline"] for row in rows} == {"minilm"}
    text = run_cli(capsys, "compare", tmp_path / "a", tmp_path / "b").out
    assert "over 2 sets" in text
    assert "Wilcoxon" in text
    assert "init 'other', not 'minilm'" in text


def test_systems_that_only_their_folders_tell_apart(make, tmp_path, capsys):
    seeds(make, tmp_path / "a", 0.6)
    seeds(make, tmp_path / "b", 0.7)
    command = ("compare", f"old={tmp_path / 'a'}", f"new={tmp_path / 'b'}", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(run_cli(capsys, *command).out))
    assert (row["baseline"], row["system"]) == ("old", "new")


@pytest.mark.parametrize("case", ["two methods", "no set", "no run"])
def test_what_cannot_be_compared_is_one_message(make, tmp_path, capsys, case):
    seeds(make, tmp_path / "a", 0.6)
    seeds(make, tmp_path / "b" / "x", 0.6, dataset="s800" if case == "no set" else "ncbi_disease")
    if case == "two methods":
        seeds(make, tmp_path / "b" / "y", 0.6, init="other")
    (tmp_path / "empty").mkdir()
    other = tmp_path / ("empty" if case == "no run" else "b")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", str(tmp_path / "a"), str(other)])
    assert stopped.value.code
    error = capsys.readouterr().err
    expected = {
        "two methods": "different settings",
        "no set": "no set in common",
        "no run": "no finished run",
    }
    assert expected[case] in error
    assert len(error.strip().splitlines()) == 1


def test_results_are_collected_from_all_tasks(make, tmp_path, capsys):
    seeds(make, tmp_path / "a", 0.6)
    make.relation(tmp_path / "r", 1, 0.7)
    make.factoid(tmp_path / "q", 1, 0.7)
    make.pretraining(tmp_path / "p", 1, 2.5)
    make.run(tmp_path / "broken", {"task": "ner"})
    found = run_cli(capsys, "results", tmp_path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.out)))
    f1 = next(row for row in rows if row["task"] == "ner" and row["measure"] == "f1")
    assert (f1["runs"], f1["seeds"], f1["test_units"]) == ("3", "1 2 3", "120")
    assert float(f1["low"]) < float(f1["mean"]) < float(f1["high"])
    assert {row["task"] for row in rows} == {"ner", "relation", "qa", "pretraining"}
    assert next(r for r in rows if r["measure"] == "mlm_loss")["mean"] == "2.5"
    assert found.err.count("left out") == 1


@pytest.mark.parametrize("form", FORMATS)
def test_tables_are_written_to_files(make, tmp_path, capsys, form):
    make.ner(tmp_path / "runs" / "a", 1, 0.7)
    file = tmp_path / "out" / "table"
    command = ("results", tmp_path / "runs", "--format", form, "--output", file)
    assert run_cli(capsys, *command).out == ""
    assert "minilm" in file.read_text(encoding="utf-8")


NASTY = "a|b <script>alert(1)</script> \x1b[31m $x$ 50% {\\input} =1+1 [l](u) `c`\nnext"


@pytest.mark.parametrize("form", FORMATS)
def test_cells_are_escaped(form):
    text = render(Table(NASTY, [NASTY], [[NASTY], ["=1+1"]], notes=[NASTY]), form, 300)
    assert "\x1b" not in text
    if form == "markdown":
        assert "<script>" not in text.replace("\\<", "")
        assert " a|b" not in text
        assert "[l](u)" not in text.replace("\\[", "")
    if form == "latex":
        assert r"\textbackslash{}input" in text
        assert r"\$x\$ 50\%" in text
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert [len(row) for row in rows] == [1, 1, 1]
        assert rows[2] == ["'=1+1"]


def test_html_is_escaped():
    from biobert_jax.reports.render import to_html

    text = to_html(Table(NASTY, [NASTY], [[NASTY]], notes=[NASTY]))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
