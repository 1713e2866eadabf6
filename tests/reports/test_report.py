"""biobert report: tables and figures of the paper beside ours."""

import json
import re
from html.parser import HTMLParser

import pytest

from biobert_jax import cli
from biobert_jax.errors import DataError
from biobert_jax.reports import paper, report, series
from biobert_jax.reports.comparison import p_value
from biobert_jax.reports.pretrained import origin
from biobert_jax.reports.published import published
from biobert_jax.reports.render import to_html, to_latex, to_markdown
from biobert_jax.reports.runs import find_runs
from biobert_jax.reports.systems import systems

NASTY = "<script>alert(1)</script>$x$_&\\input{x}|"


@pytest.fixture
def experiment(make, tmp_path):
    """BERT, a pre-training run that continues it, its checkpoints and subsets, fine-tuned."""
    for seed in (1, 2):
        for dataset in ("ncbi_disease", "s800"):
            path = tmp_path / "ft" / f"{dataset}-{seed}"
            make.ner(path / "bert", seed, 0.7, init="hf://x/bert", dataset=dataset)
            make.ner(path / "ours", seed, 0.8, init="runs/pubmed", dataset=dataset)
        for step in (10, 20):
            init = f"runs/pubmed@{step}"
            make.ner(tmp_path / "ft" / f"step-{step}-{seed}", seed, 0.75, init=init)
    corpus = {"corpora": [["/none/pubmed", 1.0]]}
    folder = make.pretraining(tmp_path / "runs" / "pubmed", 1, 2.0, init="hf://x/bert")
    (folder / "config.json").write_text(json.dumps({"init": "hf://x/bert", "dataset": corpus}))
    lines = [json.dumps({"step": s, "loss": 9 / s, "grad_norm": 1.0}) for s in range(1, 1001)]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 10']))
    for words in (100, 200):
        dataset = corpus | {"max_words": words}
        make.pretraining(tmp_path / "runs" / f"w{words}", 1, 3.0, init="hf://x/bert")
        config = {"init": "hf://x/bert", "dataset": dataset}
        (tmp_path / "runs" / f"w{words}" / "config.json").write_text(json.dumps(config))
        make.ner(tmp_path / "ft" / f"w{words}", 1, 0.75, init=f"runs/w{words}")
    return tmp_path


def loaded(folder):
    runs, problems = find_runs([str(folder)])
    return systems(runs), runs, problems


def test_published_averages_are_those_of_the_rows():
    """The transcription against the paper's own averages, up to their rounding."""
    for number in (4, 5, 6):
        rows = published(f"table_{number}")["rows"]
        *sets, average = rows
        for measure, by_column in average["scores"].items():
            for column, said in by_column.items():
                values = [row["scores"][measure][column] for row in sets]
                assert sum(values) / len(values) == pytest.approx(said, abs=0.03), (
                    number,
                    measure,
                    column,
                )
    assert len(published("table_3")["rows"]) == 15


def test_ours_stand_beside_the_papers(experiment):
    found, runs, problems = loaded(experiment)
    made = report.make_report(found, runs, problems, with_figures=False)
    table = made.tables[3]
    assert table.title.startswith("Table 4.")
    assert list(table.header[-2:]) == ["bert", "pubmed"]
    f1 = next(row for row in table.rows if row[1] == "F")
    assert f1[2:7] == ["87.34", "88.13", "89.94", "89.87", "90.69"]
    system = next(s for s in found if (s.label, s.dataset) == ("bert", "ncbi_disease"))
    assert f1[7].startswith(f"{system.summary('f1', 'test').mean:.2f} ±")
    assert f1[7].endswith("(2)")
    labels = [row[1] for row in table.rows[:5]]
    assert labels == ["P", "R", "F", "95% interval of F", "p"]
    assert table.rows[4][7] == ""  # the baseline is not compared with itself
    main = [s for s in found if not series.on_the_way(s, runs)]
    rows = report.compare_all(main, "bert", 0.95, [])
    row = next(row for row in rows if row.system.dataset == "ncbi_disease")
    assert table.rows[4][8] == p_value(row.corrected)
    assert row.corrected >= row.comparison.p_value
    both = [s for s in found if s.label == "pubmed" and s.task == "ner"]
    shared = [row for row in table.rows if row[0] == f"Average of {len(both)}"]
    assert len(shared) == 1
    assert len(both) == 2
    found_f1 = table.rows[table.rows.index(shared[0]) + 2]
    mean = sum(s.summary("f1", "test").mean for s in both) / 2
    assert found_f1[8] == f"{mean:.2f}"
    assert any(note.startswith("Average of 2, ours and the paper's: over ") for note in table.notes)
    whole = next(row for row in table.rows if row[0] == "Average")
    assert whole[2] == "85.59"
    assert whole[7:] == ["", ""]
    differences = made.tables[6]
    assert len(differences.rows) == 2  # two sets; checkpoints on the way are not compared


def test_nothing_ran_is_a_table_of_blanks(make, tmp_path):
    make.pretraining(tmp_path / "p", 1, 2.0)
    found, runs, problems = loaded(tmp_path)
    made = report.make_report(found, runs, problems, with_figures=False)
    assert [table.title[:7] for table in made.tables] == [f"Table {n}" for n in range(1, 7)]
    assert len(made.tables[3].rows) == 30
    assert made.tables[1].rows[-1][0] == "ours: p"


def test_figures_have_their_points(experiment):
    found, runs, _ = loaded(experiment)
    (by_size,) = series.by_corpus_size(found, runs)
    assert by_size.x == [100, 200]
    lines = series.by_steps(found, runs)
    assert lines[0].x == [0, 10, 20, 40]
    assert lines[0].label == "ncbi_disease, pubmed"
    rows = report.compare_all(found, "bert", 0.95, [])
    papers, *ours = series.gains(found, rows)
    gain = dict(zip(papers.names, papers.y, strict=True))
    assert gain["NCBI disease"] == pytest.approx(90.69 - 88.13)
    assert gain["BioASQ 6b"] == pytest.approx(42.51 - 35.18)
    assert len(papers.x) == 15
    assert any(line.label == "pubmed" and len(line.x) == 2 for line in ours)


def test_points_of_other_training_sizes_are_not_mixed(make, tmp_path):
    """Figures 3 and 4 where encoders of two folders of one name were fine-tuned on two sizes."""
    encoders = {"base": "hf://x/bert", "a": "runs/a/pretraining", "b": "runs/b/pretraining"}
    for name in ("a", "b"):
        own = {"init": "hf://x/heads", "dataset": {"corpora": [[f"/none/{name}", 1.0]]}}
        make.pretraining(tmp_path / "runs" / name / "pretraining", 1, 2.0, **own)
    for size in (100, 500):
        train = {"limit": size}
        for name, init in encoders.items():
            for seed in (1, 2):
                folder = tmp_path / "ft" / str(size) / name / str(seed)
                make.ner(folder, seed, 0.6 + size / 2000, init=init, train=train)
                if name != "base":
                    make.ner(
                        folder.with_name(f"on-{seed}"), seed, 0.5, init=f"{init}@10", train=train
                    )
                results = json.loads((folder / "results.json").read_text())
                results["data"] = {"examples": {"train": size}}
                (folder / "results.json").write_text(json.dumps(results))
    found, runs, _ = loaded(tmp_path)
    lines = series.by_steps(found, runs)
    assert sorted(line.label for line in lines) == [
        f"ncbi_disease, {name}/pretraining, limit={size}"
        for name in ("a", "b")
        for size in (100, 500)
    ]
    assert all(line.x == [10, 40] for line in lines)
    assert len({line.y[-1] for line in lines}) == 2  # of each size its own
    main = [system for system in found if not series.on_the_way(system, runs)]
    rows = report.compare_all(main, "bert, limit=500", 0.95, [])
    of_a = [row for row in rows if row.system.encoder == "a/pretraining"]
    sizes = [
        [s.runs[0].section("train")["limit"] for s in (row.baseline, row.system)] for row in of_a
    ]
    assert sorted(sizes) == [[100, 100], [500, 500]]
    _, *ours = series.gains(found, rows)
    assert {line.label: line.x for line in ours} == {
        "a/pretraining": [100, 500],
        "b/pretraining": [100, 500],
    }


def test_an_init_is_found_where_the_run_has_moved_to(experiment):
    _, runs, _ = loaded(experiment)
    run, step = origin("/elsewhere/runs/pubmed@20", runs)
    assert (run.path.name, step) == ("pubmed", 20)
    assert origin("runs/pubmed@last", runs)[1] == 40
    assert origin("random", runs) is None
    assert origin("hf://x/pubmed", runs) is None
    assert origin("runs/other", runs) is None


def test_curves_are_thinned_and_a_cut_line_is_left_out(experiment):
    _, runs, _ = loaded(experiment)
    run = next(run for run in runs if run.path.name == "pubmed")
    problems = []
    x, y = series.curve(run, "metrics.jsonl", "loss", problems)
    assert problems == []
    assert len(x) <= series.MAX_POINTS
    assert (x[0], y[0]) == (1, 9.0)
    file = run.path / "metrics.jsonl"
    file.write_text("nonsense\n" + file.read_text() + '\n{"step": 5}\n[1]\n{"step": 1001}\n')
    series.curve(run, "metrics.jsonl", "loss", problems)
    assert len(problems) == 3
    assert f"{file}:1:" in problems[0]
    assert series.curve(run, "throughput.jsonl", "loss", problems) == ([], [])


def test_the_baseline_is_what_pretraining_began_with_or_has_most_runs(experiment, make):
    found, runs, _ = loaded(experiment)
    assert report.choose_baseline(found, runs, None) == "bert"
    make.ner(experiment / "more" / "x", 3, 0.8, init="runs/pubmed")
    found, runs, _ = loaded(experiment)
    without = [run for run in runs if run.task != "pretraining"]
    assert report.choose_baseline(found, without, None) == "pubmed"


def test_a_corpus_of_weight_zero_was_not_read(make, tmp_path):
    corpora = [["/none/pubmed", 1.0], ["/none/news", 0.0]]
    make.pretraining(tmp_path / "p", 1, 2.0, dataset={"corpora": corpora})
    table = paper.table_2(loaded(tmp_path)[0])
    assert table.rows[-1][1] == "minilm + pubmed"


def test_an_unknown_baseline_is_refused(experiment):
    found, runs, problems = loaded(experiment)
    with pytest.raises(DataError, match="--baseline none: expected one of bert"):
        report.make_report(found, runs, problems, "none", with_figures=False)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.depth = [], [], [], 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[k] for k in ("src", "href", "xlink:href", "data") if k in values]


def test_the_page_needs_no_other_file(experiment, capsys):
    pytest.importorskip("matplotlib")
    out = experiment / "report"
    make_names_nasty(experiment)
    cli.main(["report", "--runs", str(experiment), "--output", str(out)])
    assert "runs" in capsys.readouterr().err
    html = (out / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert page.tags.count("svg") >= 4  # Figures 2, 3, 4 and a curve
    assert page.tags.count("table") == 7
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"url\((?!#)|@import|<link", html)
    assert len(page.ids) == len(set(page.ids))
    assert all(link[1:] in page.ids for link in page.links)
    assert html.count("</tr>") == page.tags.count("tr")
    markdown = (out / "report.md").read_text(encoding="utf-8")
    for picture in re.findall(r"\]\((figures/[^)]*)\)", markdown):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
        assert (out / picture).with_suffix(".svg").is_file()
    latex = (out / "report.tex").read_text(encoding="utf-8")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 7
    assert r"\input{x}" not in latex


def make_names_nasty(folder):
    for file in folder.glob("ft/s800*/*/results.json"):
        results = json.loads(file.read_text())
        results["dataset"] = NASTY
        file.write_text(json.dumps(results))


def test_the_same_runs_give_the_same_bytes(experiment):
    pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        cli.main(["report", "--runs", str(experiment / "ft"), "--output", str(experiment / name)])
    for file in sorted((experiment / "a").rglob("*.*")):
        assert (
            file.read_bytes()
            == (experiment / "b" / file.relative_to(experiment / "a")).read_bytes()
        ), file


def test_without_matplotlib_the_message_says_what_to_install(experiment, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    arguments = ["report", "--runs", str(experiment), "--output", str(experiment / "out")]
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert "biobert_jax[report]" in capsys.readouterr().err
    cli.main([*arguments, "--no-figures"])
    assert (experiment / "out" / "index.html").is_file()
    assert not (experiment / "out" / "figures").exists()


def test_all_forms_have_all_rows(experiment):
    found, *_ = loaded(experiment)
    table = paper.table_3(found)
    assert len(table.rows) == 15
    assert to_markdown(table).count("\n|") == 17
    assert to_latex(table).count(" \\\\\n") == 16
    assert to_html(table).count("<tr>") == 16
