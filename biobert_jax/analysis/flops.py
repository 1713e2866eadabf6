"""How many floating point operations a model takes, by formula."""

from biobert_jax.models.config import BertConfig


def training_flops(
    config: BertConfig, rows: int, row_length: int, predicted: int, sequences: int
) -> float:
    """Operations of a forward and backward pass, a multiplication and an addition counted as two.

    Matrix products only, three times those of the forward pass; what rematerialisation computes
    again is not counted. For BERT's shapes this is 72 L h^2 + 12 L h s a token and 6 V h a
    prediction (PaLM, arXiv:2204.02311, appendix B, counts so).

    Args:
      config: sizes.
      rows: of the batch.
      row_length: positions of a row, padding included.
      predicted: masked positions of a row that are projected onto the vocabulary.
      sequences: slots of a row whose [CLS] goes through the pooler.
    """
    h, width = config.hidden_size, config.intermediate_size
    layer = 2 * (4 * h * h + 2 * h * width) + 4 * row_length * h
    prediction = 2 * h * h + 2 * config.vocab_size * h
    row = row_length * config.num_hidden_layers * layer
    row += predicted * prediction + sequences * 2 * h * (h + 2)
    return 3.0 * rows * row
