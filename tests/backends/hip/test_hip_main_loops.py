"""Main loops of code objects, read from llvm-objdump's listing."""

from __future__ import annotations

from uol.backends.hip.main_loops import listings, loop_of

LISTING = """
kernels.co:	file format elf64-amdgpu

Disassembly of section .text:

0000000000001600 <product>:
	s_load_dwordx4 s[0:3], s[4:5], 0x0                         // 000000001600: C00A0002 00000000
	v_mov_b32_e32 v0, 0                                        // 000000001608: 7E000280
	buffer_load_dwordx4 v[2:5], v6, s[4:7], s8 offen           // 00000000160C: E05C1000 08010206
	buffer_load_dwordx2 v[8:9], v7, s[4:7], 0 offen            // 000000001614: E0541000 80010807
	ds_read_b128 v[10:13], v16                                 // 00000000161C: D9FE0000 0A000010
	ds_read_u16 v14, v16 offset:64                             // 000000001624: D8780040 0E000010
	s_waitcnt lgkmcnt(0)                                       // 00000000162C: BF8CC07F
	v_mfma_f32_32x32x8f16 a[0:15], v[10:11], v[14:15], a[0:15] // 000000001630: D3CC8000 04021D0A
	v_mfma_f32_32x32x8f16 a[0:15], v[12:13], v[14:15], a[0:15] // 000000001638: D3CC8000 04021D0C
	s_waitcnt vmcnt(1)                                         // 000000001640: BF8C0F71
	ds_write_b128 v6, v[2:5]                                   // 000000001644: D9BE0000 00000206
	s_waitcnt vmcnt(0) lgkmcnt(0)                              // 00000000164C: BF8C0070
	s_barrier                                                  // 000000001650: BF8A0000
	s_add_i32 s9, s9, 1                                        // 000000001654: 81098109
	s_cbranch_scc1 65521                                       // 000000001658: BF85FFF1 <product+0xc>
	v_accvgpr_read_b32 v0, a0                                  // 00000000165C: D3D84000 18000100
	scratch_store_dword off, v0, s32                           // 000000001664: DC704000 00200000
	s_endpgm                                                   // 00000000166C: BF810000
"""


def test_a_listing_shows_the_loop_with_most_products() -> None:
    (listing,) = listings(LISTING).values()
    loop = loop_of(listing)
    assert loop is not None
    assert loop.products == 2
    assert loop.mix == {
        **{"product": 2, "global load": 2, "shared load": 2, "shared store": 1, "wait": 3, "barrier": 1},
        **{"scalar": 1, "control": 1},
    }
    assert loop.others_per_product == 11 / 2
    assert loop.loads == {(16, False): 1, (8, False): 1}
    assert (loop.narrow_scratch, loop.in_flight, loop.spills) == (1, (1, 0), 1)
    assert loop.covered == 2


def test_loads_behind_products_have_none_beside_them() -> None:
    """What stands at the addresses of both is exchanged."""
    lines = LISTING.splitlines()
    loads, products = ([n for n, line in enumerate(lines) if name in line] for name in ("buffer_load", "v_mfma"))
    exchanged = dict(zip((*loads, *products), (*products, *loads), strict=True))
    said = [lines[exchanged.get(n, n)].partition("//")[0] + "".join(line.partition("//")[1:]) for n, line in enumerate(lines)]
    (listing,) = listings("\n".join(said)).values()
    loop = loop_of(listing)
    assert loop is not None
    assert (loop.products, loop.covered) == (2, 0)


def test_a_jump_forward_is_no_loop() -> None:
    (listing,) = listings(LISTING.replace("<product+0xc>", "<product+0x6c>")).values()
    assert loop_of(listing) is None
