from hypothesis import given, settings
from hypothesis import strategies as st

from biobert_jax.datasets.spans import Span, spans_of_tags, tags_of_spans


def test_spans_by_example():
    tags = ["B-X", "I-X", "B-X", "O", "B", "I", "B-cell-line"]
    assert spans_of_tags(tags) == [
        Span(0, 2, "X"), Span(2, 3, "X"), Span(4, 6, ""), Span(6, 7, "cell-line"),
    ]  # fmt: skip
    assert spans_of_tags([]) == []


def test_the_longest_of_overlapping_entities_stays():
    spans = [Span(0, 1, "A"), Span(0, 3, "B"), Span(2, 5, "C"), Span(4, 5, "D"), Span(4, 5, "E")]
    tags, dropped = tags_of_spans(5, spans)
    assert tags == ["B-B", "I-B", "I-B", "O", "B-D"]
    assert dropped == [spans[2], spans[0], spans[4]]


@settings(deadline=None)
@given(
    st.integers(0, 8).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(
                st.tuples(st.integers(0, n), st.integers(0, n), st.sampled_from(["", "X"])).filter(
                    lambda t: t[0] < t[1]
                )
                if n
                else st.nothing()
            ),
        )
    )
)
def test_what_is_kept_comes_back_and_what_is_dropped_overlaps(case):
    length, spans = case[0], [Span(*span) for span in case[1]]
    tags, dropped = tags_of_spans(length, spans)
    kept = spans_of_tags(tags)
    assert len(tags) == length
    assert sorted(kept + dropped) == sorted(spans)
    for span in dropped:
        assert any(span.start < other.end and other.start < span.end for other in kept)
