"""Packaging. The tools' settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "biobert_jax/__init__.py").read_text())[1]

setup(
    name="biobert_jax",
    version=VERSION,
    description="BioBERT in JAX and Flax: pre-training, fine-tuning and scoring",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["biobert_jax*"]),
    package_data={"biobert_jax.reports": ["published.json"]},
    install_requires=[
        "absl-py",
        "array_record",
        "clu",
        "flax",
        "grain",
        "huggingface_hub",
        "importlib_resources",  # TFDS reads array_record files with it, and forgets to ask for it
        "jax",
        "lxml",
        "ml-collections",
        "numpy",
        "optax",
        "orbax-checkpoint",
        "requests",
        "rich",
        "safetensors",
        "scipy",  # here with jax already
        "seqeval",
        "tensorboardX",
        "tensorflow-datasets",
        "tokenizers",
    ],
    extras_require={
        "tensorflow": ["tensorflow-cpu"],  # reading Google's and DMIS's checkpoints
        "torch": ["torch"],  # reading pytorch_model.bin
        "tpu": ["jax[tpu]"],
        "ray": ["ray"],
        "dev": ["hypothesis", "pytest", "ruff", "scikit-learn"],
    },
    entry_points={"console_scripts": ["biobert = biobert_jax.cli:main"]},
)
