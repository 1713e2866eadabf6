"""The CoNLL-style reader: layouts, tag schemes, bad input, and the real corpora."""

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.datasets.conll import (
    Sentence,
    check_labels,
    detect_scheme,
    label_set,
    read_conll,
    read_folder,
    to_bio,
    to_bioes,
)
from biobert_jax.errors import DataError

PLAIN = "Severe\tO\nataxia\tB-Disease\nsyndrome\tI-Disease\n.\tO\n\nNone\tO\n"
SENTENCES = [
    Sentence(("Severe", "ataxia", "syndrome", "."), ("O", "B-Disease", "I-Disease", "O"), 1),
    Sentence(("None",), ("O",), 6),
]

# Entities as (type, number of words) and stretches of O as (None, words): any valid IOB2 sentence.
stretches = st.lists(
    st.tuples(st.sampled_from([None, "", "-Gene", "-cell-line"]), st.integers(1, 3)), max_size=6
)
# Words of any characters but those that take lines and columns apart, or make a file binary.
words = st.text(
    st.characters(exclude_characters="\0\t\n\r ", exclude_categories=["Cs"]), min_size=1
).filter(lambda word: not word.startswith(("-DOCSTART-", "\ufeff")))


def bio_of(parts):
    return [
        tag
        for ending, length in parts
        for tag in (
            ["O"] * length if ending is None else ["B" + ending] + ["I" + ending] * (length - 1)
        )
    ]


def iob1_of(bio):
    """B only where an entity touches one of its own type."""
    before = ["O", *bio]
    return [
        "I" + tag[1:] if tag[0] == "B" and (last == "O" or last[1:] != tag[1:]) else tag
        for last, tag in zip(before, bio, strict=False)
    ]


@pytest.fixture
def write(tmp_path):
    def write(content, name="train.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\t", " "),
        PLAIN.replace("\t", "  "),
        PLAIN.replace("\t", "\tNN\tB-NP\t"),
        PLAIN.replace("\t", " NN B-NP "),
        PLAIN.replace("\n", " \n"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN + "\n\n \n\t\n",
        gzip.compress(PLAIN.encode(), mtime=0),
    ],
    ids=[
        "tabs", "crlf", "space", "spaces", "tab columns", "space columns", "trailing blanks", "bom",
        "no final newline", "final blank lines", "gzip",
    ],
)  # fmt: skip
def test_layouts_read_alike(write, content):
    file = read_conll(write(content))
    assert file.sentences == SENTENCES
    assert (file.words, file.entities, file.scheme) == (5, {"Disease": 1}, "IOB2")
    assert (file.repaired, file.documents) == (0, 0)


def test_documents_and_runs_of_blank_lines(write):
    file = read_conll(
        write("\n\n-DOCSTART- -X- O\n\n\na O\n\n\n-DOCSTART-\tO\nb O\n-DOCSTART-\nc B\n")
    )
    assert file.documents == 3
    assert [(s.words, s.line) for s in file.sentences] == [(("a",), 6), (("b",), 10), (("c",), 12)]


def test_unusual_white_space_belongs_to_words(write):
    file = read_conll(write("\u00a0\tO\nin vitro\tB\nx\u2028y\tI\n\u3000 O\n"))
    assert file.sentences[0].words == ("\u00a0", "in vitro", "x\u2028y", "\u3000")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(stretches.filter(bool), st.randoms(use_true_random=False)), min_size=1, max_size=3
    ),
    st.sampled_from(["\t", " "]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([list, iob1_of, to_bioes]),
    st.data(),
)
def test_any_sentences_come_back(tmp_path_factory, drawn, separator, newline, scheme, data):
    sentences = [
        (data.draw(st.lists(words, min_size=len(tags), max_size=len(tags))), tags)
        for tags in (bio_of(parts) for parts, _ in drawn)
    ]
    text = (newline * 2).join(
        newline.join(word + separator + tag for word, tag in zip(ws, scheme(tags), strict=True))
        for ws, tags in sentences
    )
    path = tmp_path_factory.mktemp("any") / "a.tsv"
    path.write_bytes(text.encode())
    file = read_conll(path)
    assert [(list(s.words), list(s.tags)) for s in file.sentences] == sentences
    assert file.repaired == 0
    lines = text.split("\n")
    assert all(lines[s.line - 1].startswith(s.words[0] + separator) for s in file.sentences)


@settings(deadline=None)
@given(stretches)
def test_schemes_convert_without_loss(parts):
    bio = bio_of(parts)
    bioes = to_bioes(bio)
    assert to_bio(bioes) == to_bio(iob1_of(bio)) == bio
    assert to_bioes(bioes) == bioes
    assert sum(tag[0] in "ES" for tag in bioes) == sum(tag[0] == "B" for tag in bio)
    assert to_bio([tag.translate({69: "L", 83: "U"})[:1] + tag[1:] for tag in bioes]) == bio


def test_bioes_by_example():
    bio = ["B-X", "O", "B-X", "I-X", "B-X", "I-X", "I-X", "B-Y"]
    assert to_bioes(bio) == ["S-X", "O", "B-X", "E-X", "B-X", "I-X", "E-X", "S-Y"]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "O"], "IOB2"),
        (["O", "B-X", "I-X"], "IOB2"),
        (["O", "I-X", "B-X", "O"], "IOB1"),
        (["I", "I"], "IOB1"),
        (["I-X", "I-Y"], "IOB1"),
        (["I-X", "O", "B-X"], "IOB2"),
        (["I-X", "B-Y"], "IOB2"),
        (["O", "S-X"], "BIOES"),
        (["B", "L"], "BIOES"),
    ],
)
def test_schemes_are_distinguished(tags, scheme):
    assert detect_scheme([tags]) == scheme
    assert detect_scheme([["O"], tags, []]) == scheme


def test_an_i_that_continues_nothing_is_repaired_and_counted(write):
    file = read_conll(write("a B-X\nb I-Y\nc O\nd I-X\ne I-X\n\nf I-Y\ng O\n\nh B\ni I\n"))
    assert [s.tags for s in file.sentences] == [
        ("B-X", "B-Y", "O", "B-X", "I-X"), ("B-Y", "O"), ("B", "I"),
    ]  # fmt: skip
    assert (file.scheme, file.repaired) == ("IOB2", 3)
    assert file.entities == {"": 1, "X": 2, "Y": 2}


def test_a_bioes_end_without_a_begin_is_repaired_and_counted(write):
    file = read_conll(write("a S-X\nb E-X\nc I-X\nd O\ne B-Y\nf E-Y\n"))
    assert file.sentences[0].tags == ("B-X", "B-X", "B-X", "O", "B-Y", "I-Y")
    assert (file.scheme, file.repaired) == ("BIOES", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tO\nb\n", r":2: found one column in 'b'; expected a word and its tag"),
        ("a\tO\nb\t\n", r":2: found one column"),
        ("a\tO\n\tO\n", r":2: found no word"),
        ("a\tO\n\nb\tX-foo\n", r":3: found the tag 'X-foo' in the last column; expected O, or"),
        ("a\tB-\n", r":1: found the tag 'B-'"),
        ("a\tO-X\n", r":1: found the tag 'O-X'"),
        ("", r"train\.tsv: no sentence in this file; expected lines"),
        ("\n\n-DOCSTART-\tO\n\n", r"train\.tsv: no sentence"),
        (
            b"a\tO\nna\xefve\tO\n",
            r":2: byte 3 of the line \(0xef\) is not UTF-8; .*Save the file as UTF-8",
        ),
        (b"\xef\xbb\xbfa\tO\n\xe9\tO\n", r":2: byte 1 of the line \(0xe9\)"),
        ("a\tO\n".encode("utf-16"), r"looks like UTF-16 text, .*iconv -f UTF-16"),
        (
            gzip.compress(PLAIN.encode(), mtime=0)[:-9],
            r"train\.tsv: unreadable after .*fetch the file again",
        ),
    ],
)
def test_bad_files_are_named_with_their_line(write, content, message):
    with pytest.raises(DataError, match=message):
        read_conll(write(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"train\.tsv: cannot be read"):
        read_conll(tmp_path / "train.tsv")


def test_folder(write, tmp_path):
    write(PLAIN)
    write(PLAIN.replace("Disease", "Gene"), "dev.txt")
    write(gzip.compress(b"z I-Disease\n", mtime=0), "test.conll.gz")
    files = read_folder(tmp_path)
    assert list(files) == ["train", "devel", "test", "train_dev"]
    joint = files["train_dev"]
    assert joint.sentences == files["train"].sentences + files["devel"].sentences
    assert joint.entities == {"Disease": 1, "Gene": 1}
    assert joint.words == 10
    # The test file alone would pass for IOB1: the scheme is the whole set's.
    assert (files["test"].scheme, files["test"].repaired) == ("IOB2", 1)


def test_a_train_dev_file_is_preferred_to_joining(write, tmp_path):
    for name in ("train.tsv", "devel.tsv", "test.tsv"):
        write(PLAIN, name)
    write("only\tB-Disease\n", "train_dev.tsv")
    assert read_folder(tmp_path)["train_dev"].words == 1


def test_a_folder_that_lacks_a_split_or_has_it_twice(write, tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"found nothing; expected also train\.tsv"):
        read_folder(tmp_path)
    write(PLAIN)
    write(PLAIN, "testing.tsv")
    with pytest.raises(
        DataError,
        match=r"found testing\.tsv, train\.tsv; expected also devel/dev/valid\.tsv, test\.tsv \(or",
    ):
        read_folder(tmp_path)
    write(PLAIN, "dev.tsv")
    write(PLAIN, "valid.tsv")
    with pytest.raises(DataError, match=r"dev\.tsv, valid\.tsv could each be the split 'devel'"):
        read_folder(tmp_path)
    write(PLAIN, "test.tsv")
    write(PLAIN, "devel.tsv")
    assert read_folder(tmp_path)["devel"].path.endswith("devel.tsv")


def test_labels_come_from_the_data(write):
    typed = read_conll(write("a B-Z\n\nb B-cell-line\nc I-cell-line\nd O\n")).sentences
    assert label_set(typed) == ["O", "B-Z", "I-Z", "B-cell-line", "I-cell-line"]
    assert label_set(typed[:1], "BIOES") == ["O", "B-Z", "I-Z", "E-Z", "S-Z"]
    assert label_set(read_conll(write("a B\nb O\n")).sentences) == ["O", "B", "I"]
    with pytest.raises(ValueError, match="BILOU"):
        label_set(typed, "BILOU")


def test_a_label_that_train_lacks_is_named(write):
    labels = label_set(read_conll(write("a B-X\nb O\n")).sentences)
    check_labels(labels, read_conll(write("a B-X\nb I-X\n", "test.tsv")))
    file = read_conll(write("a B-X\n\nb O\nc B-Y\n", "test.tsv"))
    with pytest.raises(DataError, match=r"test\.tsv:4: the label 'B-Y' does not occur .* B-X, I-X"):
        check_labels(labels, file)
    with pytest.raises(DataError, match=r":1: the label 'B'"):
        check_labels(labels, read_conll(write("a B\n", "test.tsv")))


# Sentences and entities per split, words in the longest sentence: as the README of the data says.
REAL = {
    "NCBI-disease": ((5424, 5134), (923, 787), (940, 960), 123),
    "BC5CDR-disease": ((4560, 4182), (4581, 4246), (4797, 4424), 225),
    "BC5CDR-chem": ((4560, 5203), (4581, 5347), (4797, 5385), 225),
    "BC2GM": ((12574, 15197), (2519, 3061), (5038, 6325), 265),
    "JNLPBA": ((14690, 32178), (3856, 8575), (3856, 6241), 350),
    "linnaeus": ((11935, 2119), (4078, 711), (7142, 1433), 324),
    "s800": ((5733, 2557), (830, 384), (1630, 767), 143),
}


@pytest.mark.parametrize("name", REAL)
def test_real_corpora_have_the_known_counts(shared_data, name):
    files = read_folder(shared_data / "NER" / name)
    splits = [files[split] for split in ("train", "devel", "test")]
    counts = [(len(file.sentences), sum(file.entities.values())) for file in splits]
    longest = max(len(s.words) for file in splits for s in file.sentences)
    assert (*counts, longest) == REAL[name]
    assert all((f.scheme, f.repaired, f.documents) == ("IOB2", 0, 0) for f in files.values())
    assert label_set(files["train"].sentences) == ["O", "B", "I"]
    # Where train_dev is a file of its own it says the same as the other two.
    assert [s[:2] for s in files["train_dev"].sentences] == [
        s[:2] for file in splits[:2] for s in file.sentences
    ]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("NCBI-disease", "Disease"),
        ("BC5CDR-disease", "Disease"),
        ("BC5CDR-chem", "Chemical"),
        ("BC2GM", "GENE"),
    ],
)
def test_typed_corpora_agree_with_the_bare_ones(shared_data, name, type_):
    typed = read_folder(shared_data / "NER_MTL" / f"{name}-IOB")
    bare = read_folder(shared_data / "NER" / name)
    assert label_set(typed["train"].sentences) == ["O", f"B-{type_}", f"I-{type_}"]
    for split in ("train", "devel", "test"):
        assert typed[split].entities == {type_: bare[split].entities[""]}
        assert [s.words for s in typed[split].sentences] == [s.words for s in bare[split].sentences]
        assert [[tag[0] for tag in s.tags] for s in typed[split].sentences] == [
            list(s.tags) for s in bare[split].sentences
        ]


def test_other_real_corpora(shared_data):
    linnaeus = read_folder(shared_data / "NER_MTL" / "linnaeus-IOB")
    assert linnaeus["train"].entities == {"Species": 2119}
    jnlpba = read_folder(shared_data / "NER_MTL" / "JNLPBA")
    splits = [jnlpba[split] for split in ("train", "devel", "test")]
    assert [len(file.sentences) for file in splits] == [16807, 1739, 3856]
    assert [file.documents for file in splits] == [1800, 200, 404]
    # Its training file comes from elsewhere and names the types otherwise.
    with pytest.raises(DataError, match=re.escape("the label 'B-protein' does not occur")):
        check_labels(label_set(jnlpba["train"].sentences), jnlpba["test"])
    chemdner = read_conll(shared_data / "NER_other" / "CHEMDNER-HunFlair" / "devel.tsv")
    assert (len(chemdner.sentences), chemdner.words) == (8684, 243_083)
    assert chemdner.entities == {"": 8366}
