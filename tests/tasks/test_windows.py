"""Windows over long sentences."""

from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.tasks.windows import owners, window_starts

# A busy machine is slow without a fault of ours.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIZES = st.integers(2, 12)
PIECES = st.lists(st.integers(0, 5), min_size=1, max_size=40).map(np.array)


@unhurried
@given(PIECES, SIZES, st.data())
def test_windows_cover_all_words_in_order(pieces, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    ranges = window_starts(pieces, size, overlap)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(pieces)
    for (first, last), (following, end) in pairwise(ranges):
        assert first < following <= last < end


@unhurried
@given(PIECES, SIZES, st.data())
def test_windows_hold_no_more_than_their_size_but_for_a_word_that_is_longer(pieces, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    for first, last in window_starts(pieces, size, overlap):
        assert pieces[first:last].sum() <= size or last == first + 1


@unhurried
@given(PIECES, SIZES, st.data())
def test_neighbours_share_as_much_as_fits_into_the_overlap(pieces, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    ranges = window_starts(pieces, size, overlap)
    for (first, last), (following, _) in pairwise(ranges):
        assert pieces[following:last].sum() <= overlap
        # One word more would be too much, or leave no room for the next, or not move the window on.
        assert (
            following == first + 1
            or pieces[following - 1] == 0
            or pieces[following - 1 : last].sum() > overlap
            or pieces[following - 1 : last + 1].sum() > size
        )


@unhurried
@given(PIECES, SIZES)
def test_one_window_where_all_fits(pieces, size):
    fits = pieces.sum() <= size or len(pieces) == 1
    assert (len(window_starts(pieces, size, 1)) == 1) == fits


@unhurried
@given(PIECES, SIZES, st.data())
def test_each_word_is_spoken_for_by_the_window_with_most_context(pieces, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    count = len(pieces)
    ranges = window_starts(pieces, size, overlap)
    owner = owners(ranges, count)
    assert owner.shape == (count,)

    def context(window, word):
        first, last = ranges[window]
        left = word - first if first else count
        right = last - 1 - word if last < count else count
        return min(left, right)

    for word in range(count):
        reading = [w for w, (first, last) in enumerate(ranges) if first <= word < last]
        assert owner[word] in reading
        assert context(owner[word], word) == max(context(w, word) for w in reading)


def test_an_example_by_hand():
    # Words of 2, 1, 1, 2, 1 pieces; windows of 4 pieces that share up to 1.
    pieces = np.array([2, 1, 1, 2, 1])
    assert window_starts(pieces, 4, 1) == [(0, 3), (2, 5)]
    assert owners([(0, 3), (2, 5)], 5).tolist() == [0, 0, 0, 1, 1]


def test_no_words():
    assert window_starts(np.zeros(0, np.int64), 4, 1) == [(0, 0)]
