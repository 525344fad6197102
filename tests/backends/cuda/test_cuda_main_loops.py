"""Main loops of cubins, read from cuobjdump's listing: a literal one, and that of a kernel which is compiled here."""

from __future__ import annotations

import pytest
from sass import needs_sass
from simt_cases import on_matrix_units

from uol.backends.cuda import toolchain
from uol.backends.cuda.main_loops import listings, loop_of, main_loops
from uol.backends.registry import get

LISTING = """
	code for sm_80
		Function : product
	.headerflags	@"EF_CUDA_SM80"
        /*0000*/                   MOV R1, c[0x0][0x28] ;                     /* 0x00000a0000017a02 */
                                                                              /* 0x000fe40000000f00 */
        /*0010*/                   LDG.E.U16 R2, [R4.64] ;                    /* 0x0000000404027981 */
        /*0020*/                   DEPBAR.LE SB0, 0x1 ;                       /* 0x000080400000791a */
        /*0030*/                   BAR.SYNC 0x0 ;                             /* 0x0000000000007b1d */
        /*0040*/              @!P1 BRA 0x80 ;                                 /* 0x0000003000009947 */
        /*0050*/              @!PT LDS RZ, [RZ] ;                             /* 0x00000000fffff984 */
        /*0060*/                   LDGSTS.E.BYPASS.128 [R9], [R6.64] ;        /* 0x0000000006097fae */
        /*0070*/                   LDGSTS.E.64 [R9+0x80], [R6.64], !P2 ;      /* 0x0000000006097fae */
        /*0080*/                   LDGDEPBAR ;                                /* 0x00000000000079af */
        /*0090*/                   LDSM.16.MT88.4 R12, [R20] ;                /* 0x00000000140c783b */
        /*00a0*/                   LDS.U16 R3, [R20] ;                        /* 0x0000000014037984 */
        /*00b0*/                   HMMA.16816.F32 R8, R12, R24, R8 ;          /* 0x000000180c08723c */
        /*00c0*/                   HMMA.16816.F32 R8, R12, R26, R8 ;          /* 0x0000001a0c08723c */
        /*00d0*/                   IADD3 R0, R0, 0x1, RZ ;                    /* 0x0000000100007810 */
        /*00e0*/                   ISETP.GE.AND P0, PT, R0, R1, PT ;          /* 0x000000010000720c */
        /*00f0*/              @!P0 BRA 0x20 ;                                 /* 0x0000003000009947 */
        /*0100*/                   HMMA.16816.F32 R8, R12, R26, R8 ;          /* 0x0000001a0c08723c */
        /*0110*/                   STL [R1], R8 ;                             /* 0x0000000801007387 */
        /*0120*/                   EXIT ;                                     /* 0x000000000000794d */
        /*0130*/                   BRA 0x130;                                 /* 0xfffffff000007947 */
"""

KERNEL = """#include "uol_device.h"
#include "uol_matrix.h"
extern "C" __global__ void __launch_bounds__(32) KERNEL(const unsigned* x, float* y, int n)
{
  unsigned char* shared = uol::dynamic_shared();
  float sums[4] = {};
#pragma unroll 1
  for (int k = 0; k < n; ++k) {
    unsigned part[4];
    uol::copy_async<16>(shared + threadIdx.x * 16, x + k * 128 + threadIdx.x * 4);
    uol::commit_copies();
    uol::wait_copies<2>();
    __syncthreads();
    uol::load_matrices(part, shared + threadIdx.x * 16);
    uol::mma_16x8x16_f16(sums, part, part);
  }
  y[threadIdx.x] = sums[0];
}
"""


def test_a_listing_shows_the_loop_with_most_products() -> None:
    (listing,) = listings(LISTING).values()
    loop = loop_of(listing)
    assert loop is not None
    assert loop.products == 2
    assert loop.mix == {
        **{"product": 2, "wait": 2, "barrier": 1, "control": 2, "shared load": 2, "asynchronous copy": 2},
        **{"matrix load": 1, "integer": 2},
    }
    assert loop.others_per_product == 12 / 2
    assert loop.loads == {(16, True): 1, (8, True): 1}  # what stands in front of the loop is none of its own
    assert (loop.narrow_scratch, loop.in_flight, loop.spills) == (1, (1,), 1)


def test_a_kernel_without_products_has_no_main_loop() -> None:
    (listing,) = listings(LISTING.replace("HMMA", "HADD2")).values()
    assert loop_of(listing) is None


def test_products_outside_of_loops_are_no_main_loop() -> None:
    (listing,) = listings(LISTING.replace("@!P0 BRA 0x20", "@!P0 BRA 0x110")).values()
    assert loop_of(listing) is None


@needs_sass
@pytest.mark.parametrize(("architecture", "device"), [("sm_80", "a100"), ("sm_90", "h100")])
def test_a_compiled_kernel_shows_its_loop(architecture: str, device: str) -> None:
    found = get("cuda").devices[device]
    assert found.architecture == architecture
    artifact = toolchain.build(on_matrix_units("cuda", KERNEL), found)
    (loop,) = main_loops(artifact).values()
    assert (loop.products, loop.in_flight, loop.loads, loop.spills) == (1, (2,), {(16, True): 1}, 0)
    assert loop.mix["matrix load"] == loop.mix["barrier"] == 1
