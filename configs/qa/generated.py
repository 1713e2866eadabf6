"""Questions about the generated corpus. Nothing is downloaded.

biobert train qa --config=generated --workdir=runs/first-answers
"""

from biobert_jax.configuration.qa import qa


def get_config(variant: str = ""):
    config = qa("generated", "span", "debug")
    if not variant:
        config.dataset.limit = 0
        config.train.epochs = 8
        config.model.initializer_range = (
            0.12  # BERT's 0.02 is for 768 dimensions, here there are 64
        )
        config.optimizer.name = "adamw"
        config.optimizer.learning_rate = 1e-3
    return config
