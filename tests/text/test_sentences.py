"""Sentence splitting: the traps of biomedical prose, and what holds for every text."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobert_jax.text.sentences import split_sentences


def check(marked):
    """`marked` is text with "|" in place of the blank at every boundary."""
    text = marked.replace("|", " ")
    assert "|".join(text[start:end] for start, end in split_sentences(text)) == marked


@pytest.mark.parametrize(
    "marked",
    [
        "Two strains of E. coli grew.|Neither killed mice.",
        "See Fig. 2A for this.|Figs. 3 and 4 show more (Eq. 5).|Tables follow.",
        "Roe et al. [12] showed growth.|Doe et al. (2001) did not.",
        "Growth fell by approx. 5% vs. controls.|It was kept at 37 degrees C.|S. aureus survived.",
        "The variant p.Leu83Pro (c.248T>C) was rare.|Others, i.e. most, were not.",
        "Nobody knew it.[12]|Then it was seen. [3-5, 7]|We agree.",
        "It had been shown.12,13|The rest followed.",
        "J. Roe and A. B. Doe wrote.|Dr. X. Y. Poe read it.",
        "It binds NF-kappa B.|Vitamin C.|We gave it to hepatitis B.|Patients recovered.",
        "Infection with S. Typhimurium vs. S. Enteritidis was seen.",
        "A cause was found.|p53 was mutated.|mRNA fell.|c-Myc rose.|α-Synuclein stayed.|bcl-2 too.",
        "Cells grew.|12 of them died.|5'-ends were cut.",
        "They got 5 mg i.v. for 3 days.|Half (i.e. 6; see Table 2) slept at 10 p.m.|All woke.",
        "Was it so?|Yes!|It was.",
        'They call it "drug holiday."|(It is none.)|"It is rest," they say.',
        "The result (n = 5. Means of two. See text) was clear.|It held.",
        "An unclosed (parenthesis was here.|The next sentence (with one) stands.",
        "1. Introduction.|2. Methods and so on.",
        "Doses of no. 5 were kept.|There were no. 12 and so on.",
        "In the U.S. Army it was kept.|It left the U.S.|The end came.",
        "A gap ... and more.|P < .05 was kept.",
        "One author, e.g. Roe, Jr. was there.",
    ],
)
def test_biomedical_prose(marked):
    check(marked)


def test_blank_lines_end_sentences_and_single_breaks_do_not():
    text = "  A heading \n \nIt goes\non. Next, as in Fig.\n\nNew \n"
    found = [text[start:end] for start, end in split_sentences(text)]
    assert found == ["A heading", "It goes\non.", "Next, as in Fig.", "New"]


def test_a_word_after_a_line_break_is_a_word():
    text = "As shown in\nFig. 2 and by\nE. coli. We stop."
    assert len(split_sentences(text)) == 2


PIECES = [*"aA1 .?!()[]\"'\n\u00a0α", ". ", "et al. ", "E. ", "[1] ", "The ", "\n\n"]


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_sentences_hold_every_character_but_blanks(text):
    spans = split_sentences(text)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@pytest.mark.parametrize(
    "piece", ["( A. ", "a. ", "[1] ", "\n", ". ", "...", "A.\n", ".) ", "[1, "]
)
def test_no_text_takes_time_out_of_proportion(piece):
    started = time.process_time()
    split_sentences("x " + piece * 50_000)
    assert time.process_time() - started < 5
