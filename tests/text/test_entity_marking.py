"""Marks are put where the offsets say, and everything else stays as it was."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.errors import DataError
from biobert_jax.text.entity_marking import Entity, anonymise, find_marks, wrap

TEXT = "Zortine blocks KRB1, and KRB1 binds β-zortine."
ZORTINE, FIRST, SECOND = Entity(0, 7, "CHEM"), Entity(15, 19, "GENE"), Entity(25, 29, "GENE")


def test_the_paper_has_two_ways():
    assert anonymise(TEXT, ZORTINE, FIRST).text == (
        "@CHEM$ blocks @GENE$, and KRB1 binds β-zortine."
    )
    assert wrap(TEXT, ZORTINE, FIRST).text == (
        "<CHEM> Zortine </CHEM> blocks <GENE> KRB1 </GENE>, and KRB1 binds β-zortine."
    )


def test_the_name_that_repeats_is_marked_where_it_is_meant():
    assert anonymise(TEXT, SECOND, ZORTINE).text == (
        "@CHEM$ blocks KRB1, and @GENE$ binds β-zortine."
    )
    assert anonymise(TEXT, FIRST, SECOND).text == (
        "Zortine blocks @GENE$, and @GENE$ binds β-zortine."
    )


def test_entities_that_overlap_become_one():
    text = "zortine kinase acts"
    drug, enzyme = Entity(0, 7, "CHEMICAL"), Entity(0, 14, "GENE")
    assert anonymise(text, enzyme, drug).text == "@GENE-CHEMICAL$ acts"
    assert anonymise(text, drug, enzyme, "CHEM-GENE").text == "@CHEM-GENE$ acts"
    assert anonymise(text, drug, drug._replace(type="GENE")).marks == ((0, 15),)
    crossing = wrap(text, Entity(0, 9, "A"), Entity(5, 14, "B"))
    assert crossing.text == "<A-B> zortine kinase </A-B> acts"


def test_neighbours_that_touch_do_not_overlap():
    assert anonymise("abcd", Entity(2, 4, "B"), Entity(0, 2, "A")).text == "@A$@B$"


@st.composite
def texts_with_pairs(draw):
    text = draw(st.text(alphabet="ab βé$@<>-\U0001f9ec", min_size=1, max_size=30))
    spans = []
    for kind in ("CHEM", "GENE"):
        start = draw(st.integers(0, len(text) - 1))
        spans.append(Entity(start, draw(st.integers(start + 1, len(text))), kind))
    return text, *spans


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=200)
@given(texts_with_pairs())
def test_what_is_not_marked_stays(case):
    text, first, second = case
    overlap = first.start < second.end and second.start < first.end
    for method in (anonymise, wrap):
        marked = method(text, first, second)
        assert len(marked.marks) == (1 if overlap else 2)
        positions = [0, *(p for mark in marked.marks for p in mark), len(marked.text)]
        assert positions == sorted(positions)
        between = [marked.text[a:b] for a, b in zip(positions[::2], positions[1::2], strict=True)]
        covered = {*range(first.start, first.end), *range(second.start, second.end)}
        assert "".join(between) == "".join(c for i, c in enumerate(text) if i not in covered)
        for start, end in marked.marks:
            mark = marked.text[start:end]
            name = re.fullmatch(r"<([A-Z-]+)> (.*) </\1>", mark, re.DOTALL)
            assert (name is not None) == (method is wrap)
            assert name is None or name[2] in text
        if method is wrap and not overlap:
            assert re.sub(r"</?(CHEM|GENE)> | </?(CHEM|GENE)>", "", marked.text) == text


@settings(deadline=None, max_examples=50)
@given(texts_with_pairs())
def test_marks_are_found_again(case):
    text, first, second = case
    text = re.sub(r"[@<>$]", "-", text)
    for method in (anonymise, wrap):
        marked = method(text, first, second)
        assert find_marks(marked.text) == marked.marks


def test_marks_of_other_datasets_are_found():
    text = "BC6ENTC and << KRB1 >> and [[ zor [2] ]] and BC6OTHER and @p < 0.01$"
    assert [text[a:b] for a, b in find_marks(text)] == ["BC6ENTC", "<< KRB1 >>", "[[ zor [2] ]]"]


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (5, 5), (6, 4), (40, 99), (46, 47)])
def test_offsets_outside_the_text_are_refused(start, end):
    with pytest.raises(DataError, match=rf"'GENE' at {start}:{end} in a text of 46 characters"):
        anonymise(TEXT, ZORTINE, Entity(start, end, "GENE"))
