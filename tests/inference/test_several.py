"""Several models over one text, and input of any size in shards."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from biobert_jax import cli
from biobert_jax.corpora.build.executors import run_local
from biobert_jax.errors import DataError, UserError
from biobert_jax.inference import part_plan, sharded
from biobert_jax.inference.formats.document import Document, Entity
from biobert_jax.inference.inputs import read_annotated, read_documents
from biobert_jax.inference.part_plan import Request, Source
from biobert_jax.inference.several import Annotators, load_annotators, merge, split_name
from biobert_jax.inference.sharded import annotate_sharded
from biobert_jax.interop.workdir import write_workdir
from tests.inference.conftest import TEXT, tiny_checkpoint


def entity(start, end, probability=0.5, model="a"):
    return Entity(start, end, "T", "x" * (end - start), probability, model)


def test_of_entities_that_overlap_the_longest_stays():
    a = [entity(0, 4), entity(10, 14, 0.9), entity(20, 22)]
    b = [entity(2, 8, model="b"), entity(12, 16, 0.8, "b"), entity(20, 22, model="b")]
    assert merge([a, b]) == (b[0], a[1], a[2])
    assert merge([b, a]) == (b[0], a[1], b[2])
    assert merge([a, b], "keep") == (a[0], b[0], a[1], b[1], a[2], b[2])
    # One that fell to a longer one makes no room for what it overlapped itself: that stays.
    assert merge([[entity(0, 9)], [entity(8, 13)], [entity(12, 14)]]) == (
        entity(0, 9),
        entity(12, 14),
    )
    assert merge([[]]) == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("disease=runs/ncbi", ("disease", "runs/ncbi")),
        ("runs/a=b", ("", "runs/a=b")),
        ("=x", ("", "=x")),
        ("hf://a/b", ("", "hf://a/b")),
    ],
)
def test_the_name_of_a_model_stands_before_its_path(given, expected):
    assert split_name(given) == expected


@pytest.fixture(scope="module")
def runs(tmp_path_factory, sequence_checkpoint):
    folder = tmp_path_factory.mktemp("runs")
    write_workdir(folder / "named", tiny_checkpoint(seed=1))
    write_workdir(folder / "bare", tiny_checkpoint(labels=["O", "B", "I"], seed=1))
    write_workdir(folder / "relations", sequence_checkpoint)
    return folder


def test_two_models_and_the_relations_among_what_they_find(runs, tmp_path, capsys):
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text(f"{TEXT}\nGold.\n", "utf-8")
    command = ["annotate", "--input", str(source), "--output", str(out)]
    command += ["--model", f"drug={runs / 'named'}", "--model", f"gene={runs / 'bare'}"]
    cli.main([*command, "--overlaps", "keep", "--relations", str(runs / "relations")])
    first, second = read_annotated(str(out))
    found = {(e.model, e.type) for d in (first, second) for e in d.entities}
    assert {("drug", "Chemical"), ("drug", "Disease"), ("gene", "gene")} <= found
    for pair in first.relations:
        types = {first.entities[i].type.upper() for i in (pair.first, pair.second)}
        assert len(types) == 2
        assert types <= {"CHEMICAL", "DISEASE", "GENE"}
    assert first.relations
    cli.main(command)
    first, _ = read_annotated(str(out))
    spans = [(e.start, e.end) for e in first.entities]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    for extra, message in (
        (["--model", "drug=x"], "two models have the name drug"),
        (["--workers", "2"], "expected that, too"),
    ):
        with pytest.raises(SystemExit):
            cli.main([*command, *extra])
        assert message in capsys.readouterr().err
    with pytest.raises(UserError, match="several models without a name"):
        load_annotators([str(runs / "named"), str(runs / "bare")])
    with pytest.raises(UserError, match="there is no pair to ask about"):
        load_annotators([str(runs / "bare")], relations=str(runs / "relations"))


class Fake:
    """A model that finds the first word of each text."""

    checkpoint = dataclasses.make_dataclass("Weights", ["params"])({"a": np.ones(2)})
    entity_types = ("T",)

    def annotate(self, texts, ids):
        return [
            Document(i, t, (Entity(0, len(t.split()[0]), "T", t.split()[0], 0.5),))
            for t, i in zip(texts, ids, strict=True)
        ]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(Request, "load", lambda self: Annotators([Fake()]))
    monkeypatch.setattr(part_plan, "PART_DOCUMENTS", 4)
    path = tmp_path / "in.jsonl"
    lines = (json.dumps({"id": f"d{i}", "text": f"word{i} é and more"}) for i in range(30))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return Source(str(path))


REQUEST = Request(("m",))


def ids(folder, pattern="annotations-*.jsonl"):
    return [d.id for path in sorted(folder.glob(pattern)) for d in read_annotated(str(path))]


def test_shards_hold_every_document_once_in_order(source, tmp_path):
    out = tmp_path / "out"
    annotate_sharded(source, str(out), 3, REQUEST)
    assert sorted(p.name for p in out.iterdir()) == [
        *(f"annotations-0000{s}-of-00003.jsonl" for s in range(3)),
        "plan.json",
    ]
    assert ids(out) == [f"d{i}" for i in range(30)]
    plan = json.loads((out / "plan.json").read_text("utf-8"))
    assert (plan["documents"], plan["parts"]) == (30, list(range(0, 30, 4)))
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    annotate_sharded(source, str(out), 3, REQUEST)
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == before
    other = tmp_path / "pubtator"
    annotate_sharded(source, str(other), 40, REQUEST, "pubtator")
    assert len(list(other.glob("*.pubtator"))) == 40
    found = [d for p in sorted(other.glob("*.pubtator")) for d in read_documents(str(p))]
    assert [d.id for d in found] == [f"d{i}" for i in range(30)]
    assert all(len(d.entities) == 1 for d in found)


@pytest.mark.parametrize("kills", [(0,), (1, 4), (2, 2, 3), (7,)])
def test_what_is_stopped_goes_on_where_it_was(source, tmp_path, monkeypatch, kills):
    """Stopped after any part, also half way through writing one, nothing is lost or done twice."""
    out, annotated = tmp_path / "out", []

    class Stop(BaseException):
        pass

    for kill in [*kills, 99]:
        left = itertools.count(-kill)

        def annotate_part(task, left=left, real=sharded.annotate_part):
            if next(left) == 0:
                half = out / "parts" / f".{task.path.rpartition('/')[2]}.123.tmp"
                half.write_text("half of a pa", "utf-8")
                (out / ".annotations-00000.123.tmp").write_text("half", "utf-8")
                raise Stop
            annotated.extend(id_ for id_, _ in task.documents)
            return real(task)

        with monkeypatch.context() as patch:
            patch.setattr(sharded, "annotate_part", annotate_part)
            if kill == 99:
                annotate_sharded(source, str(out), 3, REQUEST)
            else:
                with pytest.raises(Stop):
                    annotate_sharded(source, str(out), 3, REQUEST)
    assert annotated == [f"d{i}" for i in range(30)]
    assert ids(out) == annotated
    assert sorted(p.name for p in out.iterdir())[-1] == "plan.json"
    assert len(list(out.iterdir())) == 4


def test_another_command_does_not_go_on(source, tmp_path):
    out = tmp_path / "out"
    annotate_sharded(source, str(out), 2, REQUEST)
    with pytest.raises(DataError, match=r"plan\.json: was begun with shards 2; found 3"):
        annotate_sharded(source, str(out), 3, REQUEST)
    with pytest.raises(DataError, match="was begun with settings"):
        annotate_sharded(source, str(out), 2, dataclasses.replace(REQUEST, overlaps="keep"))
    with open(source.path, "a", encoding="utf-8") as file:
        file.write('{"id": "d3", "text": "again"}\n')
    with pytest.raises(DataError, match="was begun with files"):
        annotate_sharded(source, str(out), 2, REQUEST)
    with pytest.raises(DataError, match="document 31 has the id 'd3'"):
        annotate_sharded(source, str(tmp_path / "other"), 2, REQUEST)
    assert not (tmp_path / "other").exists()
    with pytest.raises(UserError, match=r"no folder of --shards"):
        annotate_sharded(source, str(tmp_path), 2, REQUEST)
    with pytest.raises(UserError, match="reads the input twice"):
        annotate_sharded(Source("-"), str(tmp_path / "x"), 2, REQUEST)


def test_long_documents_make_small_parts(source, monkeypatch, tmp_path):
    monkeypatch.setattr(part_plan, "PART_CHARACTERS", 40)
    annotate_sharded(source, str(tmp_path / "out"), 1, REQUEST)
    plan = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    assert plan["parts"] == list(range(0, 30, 2))
    assert ids(tmp_path / "out") == [f"d{i}" for i in range(30)]


def test_workers_take_tasks_as_they_can():
    """Tasks that carry their data are not all made at once."""
    made = []

    def tasks():
        for i in range(40):
            made.append(i)
            yield i

    results = run_local(abs, tasks(), 2)
    found = [next(results)]
    assert len(made) <= 8
    found += results
    assert sorted(found) == list(range(40))
