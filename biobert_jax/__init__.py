"""BioBERT in JAX and Flax: pre-training, fine-tuning and scoring for biomedical text mining.

`load` gives a trained model; see docs/python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biobert_jax.inference.model import load as load

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # So that importing the package stays light.
    if name == "load":
        from biobert_jax.inference.model import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
