"""The builders end to end, on small archives of invented sentences that a local server serves."""

import hashlib
import http.server
import io
import subprocess
import sys
import threading
import zipfile

import pytest
import tensorflow_datasets as tfds

from biobert_jax.datasets import ner_builders
from biobert_jax.datasets.conll import Sentence
from biobert_jax.datasets.ner import DATASETS, I2B2, load_ner
from biobert_jax.errors import DataError

CHEM = "Zortine\tB\ncauses\tO\nβ-rash\tO\n.\tO\n\nNo\tO\nmore\tO\n"
DISEASE = "Zortine\tO\ncauses\tO\nβ-rash\tB\n.\tO\n\nNo\tO\nmore\tO\n"


def members():
    folders = {f for by_type in ner_builders.FOLDERS.values() for f in by_type.values()}
    content = {
        f"{folder}/{split}.tsv": f"{folder}\tO\n{split}\tB\n\na\tB\nb\tI\n"
        for folder in folders
        for split in ("train", "devel", "test", "train_dev")
    }
    content |= {name: CHEM for name in content if name.startswith("BC5CDR-chem/")}
    content |= {name: DISEASE for name in content if name.startswith("BC5CDR-disease/")}
    return content


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def serve(monkeypatch):
    """Returns a function that serves an archive in place of the public one."""
    tfds.disable_progress_bar()
    served = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served["requests"] += 1
            if served["data"] is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Disposition", 'attachment; filename="NERdata.zip"')
            self.send_header("Content-Length", str(len(served["data"])))
            self.end_headers()
            self.wfile.write(served["data"])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def serve(data, sha256=None):
        served.update(data=data, requests=0)
        archive = ner_builders.Archive(
            url=f"http://127.0.0.1:{server.server_port}/uc?export=download&id=x",
            filename="NERdata.zip",
            size=len(data or b""),
            sha256=sha256 or hashlib.sha256(data or b"").hexdigest(),
        )
        monkeypatch.setattr(ner_builders, "NERDATA", archive)
        return served

    yield serve
    server.shutdown()
    server.server_close()


def test_every_public_set_is_downloaded_once_and_prepared(serve, tmp_path):
    served = serve(zipped(members()))
    for name in DATASETS:
        if name in (I2B2, "bc5cdr", "bc5cdr_chem", "bc5cdr_disease"):
            continue
        (folder,) = ner_builders.FOLDERS[name].values()
        splits = load_ner(name, data_dir=tmp_path)
        for split in ("train", "devel", "test"):
            assert splits[split] == [
                Sentence((folder, split), ("O", "B"), 1),
                Sentence(("a", "b"), ("B", "I"), 4),
            ]
        assert splits["train_dev"] == splits["train"] + splits["devel"]
    assert served["requests"] == 1
    serve(None)
    assert load_ner("s800", data_dir=tmp_path)["test"] == splits["test"]


def test_bc5cdr_comes_apart_and_together(serve, tmp_path):
    serve(zipped(members()))
    chem, disease, both = (
        load_ner(name, data_dir=tmp_path)["train"]
        for name in ("bc5cdr_chem", "bc5cdr_disease", "bc5cdr")
    )
    assert chem[0].words == ("Zortine", "causes", "β-rash", ".")
    assert chem[0].tags == ("B", "O", "O", "O")
    assert disease[0].tags == ("O", "O", "B", "O")
    assert both[0].tags == ("B-Chemical", "O", "B-Disease", "O")
    assert [s[::2] for s in both] == [s[::2] for s in chem]


def test_order_survives_in_large_sets(serve, tmp_path):
    sentences = "".join(f"word{i}\tO\n\n" for i in range(3000))
    serve(zipped(members() | {"s800/train.tsv": sentences}))
    train = load_ner("s800", data_dir=tmp_path)["train"]
    assert [s.words[0] for s in train] == [f"word{i}" for i in range(3000)]


def test_another_file_than_expected_is_refused(serve, tmp_path):
    data = zipped(members())
    serve(data, sha256="0" * 64)
    found = hashlib.sha256(data).hexdigest()
    message = rf"NERdata\.zip: found sha256 {found}, .*; expected 0{{64}}\. Try again"
    with pytest.raises(DataError, match=message):
        load_ner("s800", data_dir=tmp_path)
    with pytest.raises(DataError, match="expected 0000"):
        load_ner("s800", data_dir=tmp_path)


def test_a_failed_download_says_where_to_put_the_file(serve, tmp_path):
    data = zipped(members())
    place = tmp_path / "downloads" / "manual" / "NERdata.zip"
    serve(None, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(DataError, match=rf"cannot be downloaded .* Put a copy at {place}, or set"):
        load_ner("s800", data_dir=tmp_path)
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    ner_builders.NERDATA = ner_builders.NERDATA._replace(size=len(data))
    assert load_ner("s800", data_dir=tmp_path)["train"][0].words == ("s800", "train")
    place.write_bytes(data[:-1])
    with pytest.raises(DataError, match="found sha256"):
        load_ner("linnaeus", data_dir=tmp_path)


def test_an_archive_without_the_set_is_named(serve, tmp_path):
    serve(zipped({"readme.txt": "nothing"}))
    with pytest.raises(DataError, match=r"found no s800/train\.tsv in NERdata\.zip"):
        load_ner("s800", data_dir=tmp_path)


def test_i2b2_says_which_file_to_put_where(tmp_path):
    place = tmp_path / "downloads" / "manual"
    with pytest.raises(DataError, match=rf"{place}: found no files; .*training_data\.tar\.gz"):
        load_ner(I2B2, data_dir=tmp_path)


def test_i2b2_is_prepared_from_the_official_files(tmp_path):
    tfds.disable_progress_bar()
    place = tmp_path / "downloads" / "manual"
    for folder, names in [("training_data/beth", range(10)), ("reference_test", range(1))]:
        (place / folder).mkdir(parents=True)
        for name in names:
            (place / folder / f"{name}.txt").write_text("Denies chest ache .\n")
            (place / folder / f"{name}.con").write_text('c="chest ache" 1:1 1:2||t="problem"\n')
    splits = load_ner(I2B2, data_dir=tmp_path)
    assert [len(splits[s]) for s in ("train", "devel", "test", "train_dev")] == [9, 1, 1, 10]
    assert splits["test"][0].tags == ("O", "B-problem", "I-problem", "O")


def test_a_local_folder_goes_before_the_name(tmp_path):
    for split in ("train", "devel", "test"):
        (tmp_path / f"{split}.tsv").write_text("a B-X\nb O\n")
    splits = load_ner("s800", tmp_path)
    assert list(splits) == ["train", "devel", "test", "train_dev"]
    assert splits["test"] == [Sentence(("a", "b"), ("B-X", "O"), 1)]
    (tmp_path / "test.tsv").write_text("a B-X\n\nb B-Y\n")
    with pytest.raises(DataError, match=r"test\.tsv:3: the label 'B-Y'"):
        load_ner(path=tmp_path)


@pytest.mark.parametrize("name", [None, "nothing"])
def test_unknown_sets_are_refused_with_the_known_ones(name):
    with pytest.raises(DataError, match=r"expected one of ncbi_disease, .*set dataset\.path"):
        load_ner(name)


def test_the_public_archive_is_pinned():
    url_info = ner_builders.BiomedicalNer.url_infos.fget(None)[ner_builders.NERDATA.url]
    assert (int(url_info.size), url_info.filename) == (18_204_624, "NERdata.zip")
    assert len(bytes.fromhex(url_info.checksum)) == 32


def test_nothing_here_imports_tensorflow():
    code = (
        "import sys; from biobert_jax.datasets import ner_builders; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_merging_needs_the_same_sentences():
    a, b = Sentence(("a", "b"), ("B", "I"), 1), Sentence(("a", "c"), ("B", "I"), 1)
    with pytest.raises(ValueError, match="different words"):
        ner_builders.merge({"X": [a], "Y": [b]})


def test_merging_keeps_the_longer_and_warns(caplog):
    words = ("a", "b", "c")
    merged = ner_builders.merge(
        {"X": [Sentence(words, ("B", "O", "B"), 7)], "Y": [Sentence(words, ("B", "I", "O"), 7)]}
    )
    assert merged == [Sentence(words, ("B-Y", "I-Y", "B-X"), 7)]
    assert "1 entities overlap" in caplog.text


def test_merging_real_bc5cdr_loses_nothing(shared_data):
    from biobert_jax.datasets.conll import read_conll

    by_type = {
        type_: read_conll(shared_data / "NER" / f"BC5CDR-{folder}" / "devel.tsv")
        for type_, folder in (("Chemical", "chem"), ("Disease", "disease"))
    }
    merged = ner_builders.merge({type_: file.sentences for type_, file in by_type.items()})
    begins = [tag for sentence in merged for tag in sentence.tags if tag[0] == "B"]
    assert begins.count("B-Chemical") == by_type["Chemical"].entities[""] == 5347
    assert begins.count("B-Disease") == by_type["Disease"].entities[""] == 4246
