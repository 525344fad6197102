"""What a spec becomes before it is scheduled: few axes, operands copied where that pays, memory for what is ordered."""

from __future__ import annotations

from uol.backends.cpu.collapse_axes import collapsed
from uol.backends.cpu.dots.words import unit_of, with_words
from uol.backends.cpu.host import Host
from uol.backends.cpu.operands.attention_packing import packed_attention, with_strips
from uol.backends.cpu.operands.channel_lanes import by_channels
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.packing import packed
from uol.backends.cpu.operands.panels import LEAST_COLUMNS, over_images, over_lines, takes_panels, with_flat_columns
from uol.backends.cpu.operands.row_products import row_product
from uol.backends.cpu.operands.scratch import with_scratch
from uol.backends.cpu.operands.taps_as_rows import taps_as_rows
from uol.backends.cpu.operands.terms import in_parts
from uol.backends.cpu.operands.typical import typical_size
from uol.backends.cpu.schedules.contraction import FEW_ROWS, prefers_dot
from uol.backends.cpu.schedules.cost import size
from uol.codegen.indexing.affine import coefficient
from uol.codegen.indexing.arithmetic import static
from uol.codegen.specs.interleaved import interleaved
from uol.codegen.specs.nodes import Attention, Contract, KernelSpec, Reduce, Scatter, Select
from uol.codegen.specs.residues import by_residues
from uol.codegen.specs.rewrites import as_contract, as_reduce, without_terms

FEWEST_PRODUCTS = 1 << 18
"""Multiply-adds from which a sum that is divided by residues is worth its kernels, and windows a padded copy of the image:
50 us of a core."""
DOTS_PER_CORE, LONGEST_DOT = 128, 1 << 14
"""Dot products that keep a core busy; and terms up to which a lane sums about as many as a block of other products
has steps (`register_tiles.BLOCK_STEPS`)."""
WIDEST_WINDOW = 16
"""Taps along the innermost axis of a window. A longer sum is better cut into lanes itself."""


def legalised(spec: KernelSpec, host: Host) -> tuple[KernelSpec, ...]:
    """The kernels of a spec on a processor. Schedules find its axes collapsed; a scatter's stay, since its tasks are cut along
    them."""
    match spec:
        case Scatter():
            return (spec,)
        case Contract() | Reduce() if (residues := _residues(spec)) is not None:
            return tuple(kernel for part in residues for kernel in legalised(part, host))
        case Reduce() if (beside := _interleaved(spec)) is not None:
            return tuple(collapsed(part) for part in beside)
        case Reduce() if (windows := _windows(spec)) is not None:
            return legalised(windows, host)
        case Contract():
            flat = collapsed(spec)
            if (channels := by_channels(flat)) is not None:
                return channels
            if (folds := row_product(flat)) is not None:
                return tuple(collapsed(part) for part in folds)
            parts = (flat,) if unit_of(flat, host) else tuple(collapsed(part) for part in packed(flat))
            return tuple(_copied_as_it_runs(kernel, host) for part in parts for kernel in _in_parts(part, host))
        case Attention():
            return tuple(with_strips(collapsed(part)) for part in packed_attention(collapsed(spec)))
        case Select():
            return (with_scratch(collapsed(spec)),)
    return (collapsed(spec),)


def _copied_as_it_runs(spec: KernelSpec, host: Host) -> KernelSpec:
    """A product whose operands are copied block by block, in the order in which they are; any other kernel as it is."""
    if isinstance(spec, Contract) and unit_of(spec, host):
        return with_words(spec)
    spec = over_lines(spec) if isinstance(spec, Contract) else spec
    return over_images(with_flat_columns(spec)) if isinstance(spec, Contract) and takes_panels(spec) else spec


def _in_parts(spec: KernelSpec, host: Host) -> tuple[KernelSpec, ...]:
    """A product over a long k as those over parts of it, and their sum; any other kernel as it is."""
    found = in_parts(spec) if isinstance(spec, Contract) and not _has_dots_enough(spec, host) else None
    return (spec,) if found is None else tuple(collapsed(part) for part in found)


def _has_dots_enough(spec: Contract, host: Host) -> bool:
    """Are there dot products of few rows for all cores? The matrix is read from end to end: parts would read short pieces."""
    results, rows, terms = size(spec.batch + spec.m + spec.n), size(spec.m), size(spec.k)
    if results is None or rows is None or terms is None or rows > FEW_ROWS or terms > LONGEST_DOT:
        return False
    return prefers_dot(spec) and results >= DOTS_PER_CORE * host.cores


def _windows(spec: Reduce) -> Contract | None:
    """A sum over windows of one channel, as a contraction without rows: tiles of pixels, whose taps are broadcast; or, where
    the results are taps, dot products along the pixels. None for other sums."""
    if (size(spec.axes) or 0) < FEWEST_PRODUCTS:
        return None
    found = as_contract(spec)
    if found is None or found.m or not found.k or coefficient(the_read(found.b).offset, found.n[-1].name) != 1:
        return None
    if (static(found.k[-1].extent) or 0) <= WIDEST_WINDOW:
        return found
    taps, pixels = static(found.n[-1].extent) or 0, found.k[-1].name
    is_along = all(coefficient(the_read(factor).offset, pixels) == 1 for factor in (found.a, found.b))
    return found if is_along and taps < LEAST_COLUMNS else None


def _residues(spec: Contract | Reduce) -> tuple[KernelSpec, ...] | None:
    """A sum of products whose terms depend on remainders of its rows, as contractions without any; None for others."""
    if typical_size(spec, spec.axes) < FEWEST_PRODUCTS or (isinstance(spec, Contract) and spec.segments is not None):
        return None
    parts = by_residues(as_reduce(spec) if isinstance(spec, Contract) else spec)
    if len(parts) == 1:
        return None
    contractions = tuple(_contraction(part) for part in parts)
    return taps_as_rows(spec.name, contractions) or contractions


def _interleaved(spec: Reduce) -> tuple[Reduce, ...] | None:
    """Folds of values that depend on remainders of the rows, residue beside residue; None for others."""
    if (size(spec.axes) or 0) < FEWEST_PRODUCTS:
        return None
    parts = interleaved(spec)
    return None if parts == (spec,) else parts


def _contraction(part: Reduce) -> KernelSpec:
    found = as_contract(part)
    if found is None:
        return part
    return without_terms(found) if any(static(a.extent) == 0 for a in found.k) else found
