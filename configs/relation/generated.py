"""What a drug does to a disease, in the generated corpus. Nothing is downloaded.

biobert train relation --config=generated --workdir=runs/first-relations
"""

from biobert_jax.configuration.relation import relation


def get_config(variant: str = ""):
    config = relation("generated", "debug")
    config.dataset.name = "synthetic"  # three classes: treats, causes, false
    if not variant:
        config.dataset.limit = 0
        config.train.epochs = 12
        config.model.initializer_range = (
            0.12  # BERT's 0.02 is for 768 dimensions, here there are 64
        )
        config.optimizer.name = "adamw"
        config.optimizer.learning_rate = 1e-3
    return config
