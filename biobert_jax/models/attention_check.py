"""A kernel is used only after it has agreed with plain attention on the devices of this run."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from biobert_jax.models.attention import attend
from biobert_jax.models.partitioning import ROWS, current_mesh

TOLERANCE = {"float32": 2e-3, "bfloat16": 4e-2}
"""Largest difference, relative to the largest value of each array: rounding, and no more."""

Attend = Callable[..., jax.Array]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How an implementation compares with `xla`.

    Attributes:
      difference: the largest of outputs and gradients, relative to the largest value; infinite if
        the implementation does not run.
      tolerance: what rounding explains.
      array: which array differs most.
      error: why it does not run; otherwise empty.
    """

    difference: float
    tolerance: float
    array: str = ""
    error: str = ""

    @property
    def agrees(self) -> bool:
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        if self.error:
            return f"does not run: {self.error}"
        found = f"{self.array} differs by {self.difference:.1e} of its largest value"
        return f"{found} (up to {self.tolerance:.0e} is rounding)"


def compare(
    implementation: str,
    *,
    row_length: int,
    heads: int,
    head_size: int,
    dtype: str,
    dropout_rate: float = 0.0,
    generator: str = "hash",
    attend: Attend = attend,
) -> Agreement:
    """Compares outputs and gradients on a small packed batch, under the current mesh.

    The batch has several sequences in a row, a row of one sequence, padding at the end of a row and
    a row of padding alone. With dropout the masks must be the same, too.

    Args:
      implementation: a name of `attention.IMPLEMENTATIONS`.
      row_length, heads, head_size: those of the run.
      dtype: the compute type.
      dropout_rate, generator: of attention probabilities in training.
      attend: as `attention.attend`.
    """
    mesh = current_mesh()
    shards = int(np.prod([mesh.shape[axis] for axis in ROWS])) if mesh is not None else 1
    segments = _segments(max(4, shards), shards, row_length)
    shape = (*segments.shape, heads, head_size)
    real = (segments > 0)[:, :, None, None]

    def run(implementation: str) -> dict[str, jax.Array]:
        arrays = [jax.random.normal(jax.random.key(seed), shape) for seed in range(4)]
        *qkv, weight = [array.astype(dtype) for array in arrays]

        def total(q, k, v):
            out = attend(
                *(q, k, v, segments),
                dropout_rate=dropout_rate,
                dropout_rng=jax.random.key(1) if dropout_rate else None,
                generator=generator,
                implementation=implementation,
            ).astype(jnp.float32)
            out = jnp.where(real, out, 0)
            return jnp.sum(out * weight.astype(jnp.float32)), out

        gradients, out = jax.grad(total, argnums=(0, 1, 2), has_aux=True)(*qkv)
        names = ("output", "query gradient", "key gradient", "value gradient")
        return dict(zip(names, (out, *gradients), strict=True))

    @jax.jit
    def differences() -> dict[str, jax.Array]:
        ours, plain = run(implementation), run("xla")
        # Of real positions: values at padding are left open.
        far = lambda a, b: jnp.max(jnp.abs(jnp.where(real, a.astype(jnp.float32) - b, 0)))
        scale = lambda b: jnp.max(jnp.abs(jnp.where(real, b.astype(jnp.float32), 0))) + 1e-30
        return {n: far(ours[n], plain[n].astype(jnp.float32)) / scale(plain[n]) for n in plain}

    tolerance = TOLERANCE[dtype]
    try:
        with jax.default_matmul_precision("highest"):
            found = {name: float(value) for name, value in differences().items()}
    except Exception as error:  # whatever a compiler or a driver raises: then it is not used
        line = (str(error).strip().splitlines() or [""])[0]
        return Agreement(float("inf"), tolerance, error=f"{type(error).__name__}: {line}"[:300])
    worst = max(found, key=lambda name: float("inf") if np.isnan(found[name]) else found[name])
    value = float("inf") if np.isnan(found[worst]) else found[worst]
    return Agreement(value, tolerance, worst)


def _segments(rows: int, multiple: int, length: int) -> np.ndarray:
    """[rows, length] segment ids, rows rounded up to a multiple."""
    rows = -(-rows // multiple) * multiple
    segments = np.zeros((rows, length), np.int32)
    first, second = max(1, length // 5), max(2, length // 2)
    for row in range(rows):
        match row % 4:
            case 0:
                segments[row, :first], segments[row, first:second] = 1, 2
                segments[row, second : -(length // 7) or None] = 3
            case 1:
                segments[row] = 1
            case 2:
                segments[row, : length - first], segments[row, length - first :] = 1, 2
    return segments  # row 3 is padding alone
