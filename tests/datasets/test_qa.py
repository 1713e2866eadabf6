import pytest

from biobert_jax.datasets.qa import load_splits
from biobert_jax.errors import DataError


def test_a_path_is_never_passed_over_for_the_generated_corpus(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load_splits("synthetic", str(tmp_path / "missing"))
