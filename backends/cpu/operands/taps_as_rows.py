"""A transposed convolution whose residues have a single tap each, as one product and a copy that interleaves its rows.

    z[o, t, p, q] = sum over c of w[c, o, t] * x[c, p, q]                   the taps t of a filter are rows
    y[o, s*i + a, s*j + b] = z[o, t(a, b), i + u(a), j + v(b)]              where x has such a pixel, else 0

As kernels of their own (`codegen/specs/residues.py`), each residue copies x into panels again, and writes every s-th element of
the lines of y: a line is brought into the cache s times. A stride of 3 and 3 x 3 taps took 1.9 times as long so, of 8 x 64
channels of 28 x 28 pixels.

Nothing here needs TVM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from uol.backends.cpu.operands.buffer_span import static_span
from uol.backends.cpu.operands.factors import the_read
from uol.backends.cpu.operands.peeling import holding
from uol.codegen.indexing.affine import Affine, affine
from uol.codegen.indexing.arithmetic import ZERO, add, mul, static, substituted
from uol.codegen.specs.head import head_of
from uol.codegen.specs.nodes import Arg, Contract, KernelSpec, Let, Map, Read, Step, Store
from uol.codegen.specs.rewrites import args_of, in_physical_order, ordered, over_axes, place_in, scalars_of, workspace_over
from uol.codegen.specs.traverse import map_step
from uol.ir.program.nodes import Axis, Const, Expr, Var
from uol.ir.program.walk import rewrite, substitute

FEWEST_PARTS = 4
"""Residues from which the copy of the results pays: two and three, of one dim, take as long each by itself."""
TAP = "tap"


@dataclass(frozen=True, slots=True)
class _Part:
    """One residue: its contraction without axes of one term, where its tap lies in a, how many steps further along each axis
    of n than `q` its pixels lie in b, and those between which there are any."""

    spec: Contract
    tap: int
    moved: Mapping[str, int]
    within: Mapping[str, range]


def taps_as_rows(name: str, parts: Sequence[KernelSpec]) -> tuple[KernelSpec, ...] | None:
    """The product, and the copies of what it gives, by the name of what the residues are of; None where residues have several
    taps, or taps and pixels do not lie evenly."""
    found = [_part(spec) for spec in parts if isinstance(spec, Contract)]
    if len(found) < max(len(parts), FEWEST_PARTS) or None in found:
        return None
    taps = sorted((part for part in found if part is not None), key=lambda part: part.tap)
    steps = {after.tap - before.tap for before, after in pairwise(taps)}
    if len(steps) != 1 or 0 in steps or len({_form(part.spec) for part in taps}) != 1:
        return None
    whole = _Whole.of(name, taps, steps.pop())
    contraction = whole.product()
    return None if contraction is None else (contraction, *whole.copies())


def _form(spec: Contract) -> object:
    """What the residues have in common: all but where their reads begin, and how far their pixels go."""
    a, b = the_read(spec.a), the_read(spec.b)
    factors = [_without(factor, read) for factor, read in ((spec.a, a), (spec.b, b))]
    pixels = tuple(axis.name for axis in spec.n)
    return spec.batch, spec.m, spec.k, pixels, *factors, a.strides, b.strides, a.tensor, b.tensor, spec.acc_dtype


def _without(factor: Expr, read: Read) -> Expr:
    return rewrite(factor, lambda node: Const(0, read.dtype) if node == read else None)


def _part(spec: Contract) -> _Part | None:
    """A residue as a part; None where it has a guard on anything but pixels, or an extent that is an argument."""
    spec = _without_single_terms(spec)
    a, b = the_read(spec.a), the_read(spec.b)
    place, pixel = (affine(read.offset, [axis.name for axis in spec.axes]) for read in (a, b))
    if a.guard or place is None or pixel is None or not spec.k or any(static(axis.extent) is None for axis in spec.axes):
        return None
    tap, moved, within = _number(place), _moved(spec, pixel), _within(spec, b)
    return None if tap is None or moved is None or within is None else _Part(spec, tap, moved, within)


def _number(form: Affine) -> int | None:
    return form.constant.get((), 0) if set(form.constant) <= {()} else None


def _without_single_terms(spec: Contract) -> Contract:
    """The spec without axes of one term."""
    gone: dict[str, Expr] = {axis.name: Const(0) for axis in spec.k if static(axis.extent) == 1}
    kept = {axis.name for axis in spec.axes} - gone.keys()

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Read):
            return None
        moved = node.map_children(lambda child: substituted(child, gone))
        return replace(moved, strides=tuple(stride for stride in moved.strides if stride[0] in kept))

    a, b = (rewrite(factor, rule) for factor in (spec.a, spec.b))
    return replace(spec, k=tuple(axis for axis in spec.k if axis.name in kept), a=a, b=b)


def _moved(spec: Contract, pixel: Affine) -> dict[str, int] | None:
    """A number of elements as steps along the axes of n, the longest first; None where there is no such number of steps."""
    rest = _number(pixel)
    strides = {axis.name: static(pixel.factor(axis.name)) or 0 for axis in spec.n}
    if rest is None or any(stride <= 0 for stride in strides.values()):
        return None
    moved = dict.fromkeys(strides, 0)
    for name, stride in sorted(strides.items(), key=lambda item: -item[1]):
        moved[name] = (2 * rest + stride) // (2 * stride)
        rest -= moved[name] * stride
    return None if rest else moved


def _within(spec: Contract, read: Read) -> dict[str, range] | None:
    """Along each axis of n, where the read has elements; None where a guard is on anything else."""
    within: dict[str, range] = {}
    left = list(read.guard)
    for axis in spec.n:
        first, last = 0, static(axis.extent) or 0
        for guard in read.guard:
            ends = holding(guard, axis.name, axis.extent)
            start, stop = (None, None) if ends is None else map(static, ends)
            if start is not None and stop is not None:
                left.remove(guard)
                first, last = max(first, start), min(last, stop)
        within[axis.name] = range(first, last)
    return None if left or not all(within.values()) else within


@dataclass(frozen=True, slots=True)
class _Whole:
    """All taps, in the order in which they lie, `step` elements of a apart; and the pixels that they meet, along each axis of
    n counted as b's offset has them."""

    name: str
    taps: Sequence[_Part]
    step: int
    pixels: Mapping[str, range]

    @staticmethod
    def of(name: str, taps: Sequence[_Part], step: int) -> _Whole:
        pixels = {}
        for axis in taps[0].moved:
            starts = (part.within[axis].start + part.moved[axis] for part in taps)
            stops = (part.within[axis].stop + part.moved[axis] for part in taps)
            pixels[axis] = range(min(starts), max(stops))
        return _Whole(name, taps, step, pixels)

    @property
    def spec(self) -> Contract:
        """That of the first tap."""
        return self.taps[0].spec

    @property
    def n(self) -> tuple[Axis, ...]:
        return tuple(replace(axis, extent=Const(len(self.pixels[axis.name]))) for axis in self.spec.n)

    @property
    def own(self) -> tuple[Axis, ...]:
        """The axes of what the product gives."""
        return (*self.spec.batch, *self.spec.m, Axis(TAP, Const(len(self.taps))), *self.n)

    @property
    def workspace(self) -> Arg:
        return workspace_over(f"{self.name}_taps", self.spec.acc_dtype, self.own)

    def product(self) -> Contract | None:
        """The product of all taps with all pixels that any of them meets; None where these are not all there."""
        spec, own, workspace = self.spec, self.own, self.workspace
        a, b = the_read(spec.a), the_read(spec.b)
        axes = (*own, *spec.k)
        moved = [(dict(b.strides)[name] or ZERO, r.start - self.taps[0].moved[name]) for name, r in self.pixels.items()]
        of_b = add(b.offset, Const(sum((static(stride) or 0) * steps for stride, steps in moved)))
        of_a = add(a.offset, mul(Var(TAP), Const(self.step)))
        if not _is_inside(spec.arg(b.tensor), of_b, axes):
            return None
        offset, strides = place_in(workspace, own, own)
        acc, names = Var(spec.acc, spec.acc_dtype), tuple(axis.name for axis in own)
        store = Store(workspace.name, offset, strides, acc, spec.acc_dtype, names, spec.line)
        head = head_of(spec)
        head["name"] = workspace.name
        head["args"] = (*args_of(spec, (spec.a, spec.b), ()), workspace)
        head["scalars"] = scalars_of(spec, (spec.a, spec.b))
        return replace(
            spec,
            **head,
            m=own[len(spec.batch) : -len(spec.n)],
            n=self.n,
            a=_moved_to(spec.a, of_a, axes),
            b=_moved_to(spec.b, of_b, axes),
            epilogue=(store,),
        )

    def copies(self) -> Iterator[Map]:
        """The results, of all residues as far as all of them go; then what some of them have more along an axis."""
        cuts = [list(_stretches(extents)) for extents in zip(*(_extents(part) for part in self.taps), strict=True)]
        for number, stretch in enumerate(product(*cuts)):
            there = [tap for tap, part in enumerate(self.taps) if _reaches(part, stretch)]
            if there:
                yield self._copy(there, stretch, f"{self.name}_{number}" if number else self.name)

    def _copy(self, taps: Sequence[int], stretch: Sequence[range], name: str) -> Map:
        """The results of some residues at a stretch of each axis of n."""
        spec = self.spec
        n = tuple(replace(axis, extent=Const(len(each))) for axis, each in zip(spec.n, stretch, strict=True))
        index = in_physical_order((*spec.batch, *spec.m, *n), spec.epilogue)
        places = {axis.name: add(Var(axis.name), Const(each.start)) for axis, each in zip(n, stretch, strict=True)}
        steps = sorted((step for tap in taps for step in self._steps(tap, places, index)), key=_begins)
        values, head = [step.value for step in steps], head_of(spec)
        head["name"] = name
        head["args"] = ordered((*args_of(spec, values, steps), self.workspace))
        head["scalars"] = scalars_of(spec, values)
        return Map(**head, index=index, steps=tuple(steps))

    def _steps(self, tap: int, places: Mapping[str, Expr], index: Sequence[Axis]) -> Iterator[Step]:
        """The epilogue of a residue at these places, of what the product gives for its tap."""
        part = self.taps[tap]
        spec, read = part.spec, the_read(part.spec.b)
        offset, strides = place_in(self.workspace, self.own, index)
        steps = {name: part.moved[name] - r.start for name, r in self.pixels.items()}
        pixel = {name: add(Var(name), Const(step)) for name, step in steps.items()}
        offset = substituted(offset, {**pixel, TAP: Const(tap)})
        held = Read(
            self.workspace.name, offset, strides, read.guard, Const(0, spec.acc_dtype) if read.guard else None, spec.acc_dtype
        )
        names = {step.name: Var(f"{step.name}_{tap}", step.dtype) for step in spec.epilogue if isinstance(step, Let)}
        for step in spec.epilogue:
            step = map_step(step, lambda expr: substitute(expr, {**names, spec.acc: held}))
            step = over_axes(map_step(step, lambda expr: substituted(expr, places)), index)
            yield replace(step, name=names[step.name].name) if isinstance(step, Let) else step


def _moved_to(factor: Expr, offset: Expr, axes: Sequence[Axis]) -> Expr:
    """The factor, whose read is at another offset and without guards."""
    form = affine(offset, [axis.name for axis in axes])
    assert form is not None
    read = the_read(factor)
    moved = Read(read.tensor, offset, tuple((axis.name, form.factor(axis.name)) for axis in axes), (), None, read.dtype)
    return rewrite(factor, lambda node: moved if node == read else None)


def _is_inside(arg: Arg, offset: Expr, axes: Sequence[Axis]) -> bool:
    """Does an offset stay within its tensor?"""
    form, span = affine(offset, [axis.name for axis in axes]), static_span(arg)
    first = None if form is None else _number(form)
    if form is None or first is None or span is None:
        return False
    reach = [((static(axis.extent) or 0) - 1) * (static(form.factor(axis.name)) or 0) for axis in axes]
    return first >= 0 and min(reach) >= 0 and first + sum(reach) < span


def _extents(part: _Part) -> tuple[int, ...]:
    return tuple(static(axis.extent) or 0 for axis in part.spec.n)


def _stretches(extents: Sequence[int]) -> Iterator[range]:
    """As far as all go, and what the longest have more."""
    yield range(min(extents))
    if max(extents) > min(extents):
        yield range(min(extents), max(extents))


def _reaches(part: _Part, stretch: Sequence[range]) -> bool:
    return all(extent >= each.stop for extent, each in zip(_extents(part), stretch, strict=True))


def _begins(step: Step) -> int:
    """Stores in the order in which they lie; what they use is before them."""
    form = affine(step.offset) if isinstance(step, Store) else None
    return -1 if form is None else _number(form) or 0
