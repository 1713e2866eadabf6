"""BioBERT in JAX and Flax: pre-training, fine-tuning and scoring for biomedical text mining."""

__version__ = "0.2.0"
