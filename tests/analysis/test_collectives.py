import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from biobert_jax.analysis.collectives import Traffic, between_slices, collectives

PROGRAM = """\
HloModule jit_step

%body.1 (arg: (s32[], bf16[4,8])) -> (s32[], bf16[4,8]) {
  %ar = (bf16[4,8]{1,0:T(8,128)(2,1)}, f32[3]{0}) all-reduce(%a, %b), channel_id=1
  %inner = (s32[]) while(%t), condition=%cond.2, body=%body.2
}

%cond.1 (arg: (s32[], bf16[4,8])) -> pred[] {
  %limit = s32[]{:T(128)} constant(12)
  %less = pred[] compare(%i, %limit), direction=LT
}

%body.2 (arg: (s32[])) -> (s32[]) {
  %ag = (f32[2]{0}, f32[8]{0}) all-gather-start(%c), dimensions={0}
  %done = f32[8]{0} all-gather-done(%ag)
}

%cond.2 (arg: (s32[])) -> pred[] {
  %bound = s32[] constant(99)
}

%async (p: f32[8]) -> f32[2] {
  %rs = f32[2]{0} reduce-scatter(%p), dimensions={0}
}

ENTRY %main.9 (p0: f32[2]) -> f32[2] {
  %loop = (s32[], bf16[4,8]) while(%t0), condition=%cond.1, body=%body.1, \
backend_config={"known_trip_count":{"n":"5"}}
  %start = ((f32[8]), f32[2]) async-start(%x), calls=%async
  %e = f8e4m3fn[16]{0} all-to-all(%x), dimensions={0}
}
"""


def test_loops_count_as_often_as_they_run():
    assert collectives(PROGRAM) == {
        "all-reduce": Traffic(5, 5 * (4 * 8 * 2 + 3 * 4)),
        "all-gather": Traffic(5 * 99, 5 * 99 * 8 * 4),
        "reduce-scatter": Traffic(1, 8),
        "all-to-all": Traffic(1, 16),
    }


def test_the_condition_tells_where_the_compiler_does_not():
    text = PROGRAM.replace("known_trip_count", "unknown")
    assert collectives(text)["all-reduce"].count == 12


def test_what_is_no_program():
    with pytest.raises(ValueError, match="no ENTRY"):
        collectives("HloModule nothing")


def test_what_goes_to_other_slices():
    sends = """\
HloModule jit_step

%body (arg: (s32[])) -> (s32[]) {
  %send = (bf16[64,8]{1,0:T(8,128)(2,1)}, u32[], token[]) send(%x, %t), is_host_transfer=true, \
frontend_attributes={_xla_megascale_target="{1,2}x{0:3}",_xla_megascale_transfer_type="ALL_REDUCE"}
  %sent = token[] send-done(%send), frontend_attributes={_xla_host_transfer_handler_name="x"}
}

ENTRY %main (p0: f32[2]) -> f32[2] {
  %scattered = bf16[64,8] reduce-scatter(%p0), dimensions={0}
  %own = (f32[9], u32[], token[]) send(%x, %t), is_host_transfer=true
  %loop = (s32[]) while(%t0), condition=%c, body=%body, \
backend_config={"known_trip_count":{"n":"3"}}
}
"""
    assert between_slices(sends) == {"all-reduce": Traffic(3, 3 * 64 * 8 * 2)}
    assert collectives(sends) == {"reduce-scatter": Traffic(1, 64 * 8 * 2)}
    assert between_slices(PROGRAM) == {}


@pytest.mark.skipif(jax.device_count() < 2, reason="needs several devices (JAX_NUM_CPU_DEVICES)")
def test_a_compiled_loop():
    mesh = jax.make_mesh((jax.device_count(),), ("data",), (AxisType.Auto,))
    rows = jax.ShapeDtypeStruct(
        (jax.device_count(), 64), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec("data"))
    )

    def step(x):
        def turn(carry, _):
            return jnp.sin(carry + x.sum(0)), None

        return jax.lax.scan(turn, jnp.zeros(64), None, 7)[0]

    found = collectives(jax.jit(step).lower(rows).compile().as_text())
    assert found["all-reduce"].bytes in (64 * 4, 7 * 64 * 4)
