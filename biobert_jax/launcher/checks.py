"""Whether a config can run: its settings first, then what they need of the devices."""

import logging
from pathlib import Path
from typing import Any

from biobert_jax.configuration.validate import validate
from biobert_jax.errors import SettingError
from biobert_jax.tasks import registry

logger = logging.getLogger(__name__)

KERNELS = {"cudnn": ("cuda",), "pallas_gpu": ("cuda", "rocm"), "pallas_tpu": ("tpu",)}
"""The platforms that an implementation of attention runs on; all others run on any."""


def check_settings(config: Any) -> None:
    """Raises SettingError for what is wrong with a config, on whatever machine. Imports no JAX."""
    validate(config, registry.resolve(registry.find(config.get("task")).schema))


def check_devices(config: Any) -> None:
    """Raises an error for what the devices of this job cannot do, before data is read.

    Raises:
      SettingError: an implementation of attention that is for other devices; workers that do not
        divide a process's rows.
      TrainingError: the mesh does not fit the devices.
    """
    import jax

    from biobert_jax.launcher.start import platform_here
    from biobert_jax.training.several.grid import wanted
    from biobert_jax.training.sharding import make_mesh, mesh_sizes

    platform, kernel = platform_here(), config.compute.attention
    if kernel in KERNELS and platform not in KERNELS[kernel]:
        raise SettingError(
            f"config.compute.attention is {kernel!r}, which needs {' or '.join(KERNELS[kernel])}; "
            f"the devices here are {platform}. Set it to auto"
        )
    if not wanted(config):
        make_mesh(mesh_sizes(config))
    workers = config.loader.get("workers", 0)
    rows = config.batch.rows // jax.process_count()
    if workers and rows % workers:
        raise SettingError(
            f"config.loader.workers is {workers}, which does not divide the {rows} of "
            f"config.batch.rows that a process makes; choose a divisor"
        )
    warn_of_unused_gpu(platform)


def warn_of_unused_gpu(platform: str, devices: Path = Path("/dev")) -> None:
    """Logs one warning where this machine has an NVIDIA GPU that JAX has no plugin for."""
    if platform == "cpu" and (devices / "nvidia0").exists():
        logger.warning(
            "this machine has an NVIDIA GPU, and JAX does not see it: training runs on the CPU. "
            "Install JAX's plugin: pip install 'biobert_jax[cuda12]' or 'biobert_jax[cuda13]'"
        )
