"""NCBI-disease: disease names (Dogan et al., 2014)."""

from configs.ner.common import ner


def get_config(variant: str = ""):
    return ner("ncbi_disease", variant)
