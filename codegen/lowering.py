"""From a program to kernel specs: prune, hoist, align, partition, lay out, legalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from uol.codegen.attention.pattern import Pattern, with_attentions
from uol.codegen.attention.spec import attention_spec
from uol.codegen.backend import Backend, Capability, Device, GroupSummary
from uol.codegen.contractions.joined_sums import with_joined_sums
from uol.codegen.contractions.segment_bounds import with_shared_bounds
from uol.codegen.extensions import SumsOfProducts
from uol.codegen.indexing.affine import magnitude
from uol.codegen.indexing.arithmetic import ONE, physical_order, static
from uol.codegen.layouts import Layouts, assign_strides, given_strides
from uol.codegen.legal import legal_together
from uol.codegen.names import taken_names
from uol.codegen.partition import group as grouping
from uol.codegen.partition.contraction import Contraction
from uol.codegen.partition.group import Group
from uol.codegen.partition.grouped_contraction import as_segments, contraction_of
from uol.codegen.partition.grouped_value import Segmented
from uol.codegen.partition.partition import Partition
from uol.codegen.partition.step_writer import StepWriter
from uol.codegen.program.copies import drop_copies
from uol.codegen.program.counted_orders import counted_orders
from uol.codegen.program.dead_stages import drop_unused
from uol.codegen.program.expand_sorts import as_reductions
from uol.codegen.program.few_terms import few_terms
from uol.codegen.program.isolate_reductions import hoist_reductions
from uol.codegen.program.narrow_factors import narrow_factors
from uol.codegen.program.narrow_places import narrow_places
from uol.codegen.program.nested_extrema import nested_extrema
from uol.codegen.program.permuted_puts import permuted_puts
from uol.codegen.program.recurrences import as_recurrences
from uol.codegen.program.scans import Running, as_scans
from uol.codegen.program.scatter_sums import sum_before_scatters
from uol.codegen.program.searches import as_searches
from uol.codegen.program.small_first import small_first
from uol.codegen.program.small_orders import small_orders
from uol.codegen.program.sums_beside_rows import sums_beside_rows
from uol.codegen.program.sums_in_order import sums_in_order
from uol.codegen.program.unify_axes import align_axes
from uol.codegen.program.unit_dims import kept_dims, picked, without_dims
from uol.codegen.program.wider_copies import drop_wider_copies
from uol.codegen.specs.graph import KernelGraph
from uol.codegen.specs.head import SpecHead
from uol.codegen.specs.long_rows.column_sums import with_column_sums
from uol.codegen.specs.nodes import (
    Arg,
    ArgRole,
    Attention,
    Contract,
    KernelSpec,
    Map,
    Reduce,
    Scan,
    Scatter,
    Select,
    Store,
)
from uol.codegen.specs.rewrites import with_plain_factors, without_terms
from uol.codegen.specs.traverse import main_read
from uol.codegen.specs.verify import verified
from uol.ir.program import nodes
from uol.ir.program.nodes import Axis, Expr, Load, Program, Stage
from uol.ir.program.walk import stage_expressions, stored, variables, walk
from uol.ir.types import DTYPES


def lower(
    program: Program,
    backend: Backend,
    layouts: Layouts | None = None,
    *,
    device: Device | None = None,
    deterministic: bool = False,
    tf32: bool = False,
) -> KernelGraph:
    """The kernels of a program for a device of a machine, its default one where none is named.

    `layouts` gives the element strides of inputs and results by name (default row-major); a result's must be dense in
    some order of its dims. Which statements have kernels of their own kind is asked of `backend.capability.kinds`, what may
    share a kernel of `backend.accepts`, what a spec becomes on the device of `backend.legalise`, or of
    its alternatives. With `deterministic`, every sum has its terms in one order from run to run. With `tf32`, products of f32
    may be those of factors shortened to TF32, where the machine has them.

    >>> from uol.backends import registry
    >>> from uol.ir import instantiate, parse
    >>> (op,) = parse("op twice(x: f32[M, N]) -> (y: f32[M, N]) { y[m, n] = 2*x[m, n] }")
    >>> program, backend = instantiate(op, {}, types={}, dims={"M": 64, "N": 128}), registry.get(registry.names()[0])
    >>> graph = lower(program, backend, {"x": (0, 1), "y": (128, 1)})      # x broadcast over its first dim
    >>> [spec.name for spec in graph.specs]
    ['twice']
    """
    machine = backend.capability
    scatters = machine.scatters - machine.unordered if deterministic else machine.scatters
    given, kept = given_strides(program, layouts or {}), kept_dims(program)
    outer = {t.name: _arg(t, given) for role in ("in", "out") for t in program.by_role(role)}
    prepared = _prepared(without_dims(program, kept), replace(machine, scatters=scatters))
    lowering = Lowering.of(prepared, {name: picked(s, kept.get(name)) for name, s in (layouts or {}).items()}, outer)

    def accepts(group: Group) -> bool:
        return backend.accepts(lowering.summary(group))

    steps: tuple[Stage | Pattern, ...] = prepared.stages
    if Attention in backend.capability.kinds:
        steps = with_attentions(prepared, lambda pattern: accepts(grouping.start_attention(pattern)))
    groups = Partition(prepared, steps, lowering.contraction, accepts, machine.computed_factors).run()
    chosen = backend.devices[backend.default_device] if device is None else device
    made = lowering.specs(groups)
    if tf32 and machine.tf32:
        made = tuple(replace(spec, tf32=True) if isinstance(spec, Contract) else spec for spec in made)
    plain = made if machine.computed_factors else tuple(part for spec in made for part in with_plain_factors(spec))
    legal = with_shared_bounds(legal_together([_of_something(spec) for spec in plain], backend, chosen))
    if isinstance(backend, SumsOfProducts):
        legal = with_joined_sums(legal, partial(backend.sums_products, device=chosen))
    specs = with_column_sums(legal, machine.row_parts) if machine.row_parts else legal
    return _graph(program, lowering, specs, machine.workspace_alignment)


@verified
def _graph(program: Program, lowering: Lowering, legal: tuple[KernelSpec, ...], alignment_bytes: int) -> KernelGraph:
    """The kernels with what the operator takes and gives."""
    return KernelGraph(
        name=program.name,
        specs=legal,
        args=tuple(lowering.arg(t.name) for role in ("in", "out") for t in program.by_role(role)),
        workspaces=_workspaces(legal),
        scalars=program.scalars,
        dims=program.dims,
        source=program.text,
        checks=program.checks,
        facts=program.facts,
        alignment_bytes=alignment_bytes,
    )


def _prepared(program: Program, machine: Capability) -> Program:
    """The program with one reduction a stage, and nothing that the machine has no kernel for."""
    kinds = machine.kinds
    needed = as_recurrences(drop_wider_copies(drop_copies(drop_unused(program))), scans=Scan in kinds)
    if machine.puts:
        needed = permuted_puts(needed)
    grouped = as_segments(hoist_reductions(sum_before_scatters(narrow_factors(narrow_places(needed)))), machine.segments)
    if Select in kinds:
        if machine.puts:
            grouped = small_orders(counted_orders(grouped, *machine.counted))
        grouped = sums_in_order(grouped, frozenset(DTYPES) - machine.scatters)
    plain = as_reductions(grouped, scatters=machine.scatters, orders=Select in kinds)
    flat = nested_extrema(hoist_reductions(plain))
    aligned = align_axes(as_scans(flat) if Scan in kinds else flat)
    aligned = small_first(sums_beside_rows(few_terms(aligned)) if machine.puts else aligned)
    return aligned if machine.searches is None else as_searches(aligned, machine.searches)


def _of_something(spec: KernelSpec) -> KernelSpec:
    """A contraction without a result is a map over nothing: its operands must not be touched (their accesses are proven of
    no element), and an operand that another kernel copies first would be."""
    if isinstance(spec, Contract) and any(static(a.extent) == 0 for a in spec.batch + spec.m + spec.n):
        return without_terms(spec)
    return spec


def _read(group: Group) -> set[str]:
    """The tensors that the stages of a group read."""
    if group.attention is not None:
        made = {s.name for s in group.attention.made}
        rest = replace(group, stages=tuple(s for s in group.stages if s.name not in made), attention=None)
        return _read(rest) | group.attention.outside | made
    parts = (e for s in group.stages for e in stage_expressions(s))
    return {load.tensor for e in parts for load in walk(e) if isinstance(load, Load)}


def _storable(group: Group) -> frozenset[str]:
    return frozenset(stored(s) for s in group.stages if grouping.storable(group, s))


def _suffixes(used: Sequence[tuple[Group, frozenset[str]]]) -> list[str]:
    """What tells each kernel from the others: the reduction that it is around, else the first tensor that it stores, or, where
    several store elements of one, the statement that does."""
    if len(used) == 1:
        return [""]
    around = [group.anchor if group.kind is not Map else _first_stored(group, keep) for group, keep in used]
    names = [stage.name if group.kind is not Map else stored(stage) for (group, _), stage in zip(used, around, strict=True)]
    return [stage.name if names.count(name) > 1 else name for name, stage in zip(names, around, strict=True)]


def _first_stored(group: Group, keep: frozenset[str]) -> Stage:
    return next(stage for stage in group.stages if stored(stage) in keep)


def _workspaces(specs: Sequence[KernelSpec]) -> tuple[Arg, ...]:
    found: dict[str, Arg] = {}
    for spec in specs:
        for arg in spec.args:
            if arg.role == "workspace":
                found.setdefault(arg.name, arg)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Lowering:
    """Turns groups of one program into specs."""

    program: Program
    strides: Mapping[str, tuple[Expr, ...]]
    taken: frozenset[str]
    """Names that nothing new may have."""
    outer: Mapping[str, Arg]
    """Inputs and results with all their dims."""

    @classmethod
    def of(cls, program: Program, layouts: Layouts, outer: Mapping[str, Arg]) -> Lowering:
        return cls(program, assign_strides(program, layouts), taken_names(program), outer)

    def contraction(self, stage: Stage) -> Contraction | None:
        """The stage as a contraction with n along the axis that its tensor is contiguous in."""
        if not isinstance(stage.value, nodes.Reduce | Segmented) or isinstance(stage, nodes.Scatter):
            return None
        order = physical_order([a.extent for a in stage.axes], self.strides[stage.name])
        wide = [d for d in order if static(stage.axes[d].extent) != 1] or list(order)
        return contraction_of(stage, stage.axes[wide[-1]].name if wide else None, self.taken)

    @verified
    def specs(self, groups: Sequence[Group]) -> tuple[KernelSpec, ...]:
        """One spec a group; every tensor that leaves its group is stored by the first that makes it whole."""
        outside = {t.name for t in self.program.by_role("out")}
        for group in groups:
            outside |= _read(group) - group.names
        owners: dict[str, int] = {}
        for number, group in enumerate(groups):
            for name in _storable(group) & outside:
                owners.setdefault(name, number)
        owned = [frozenset(n for n, owner in owners.items() if owner == number) for number in range(len(groups))]
        kept = [names | group.put_into for names, group in zip(owned, groups, strict=True)]
        used = [(g, k) for g, k in zip(groups, kept, strict=True) if k]
        return tuple(self.spec(group, keep, suffix) for (group, keep), suffix in zip(used, _suffixes(used), strict=True))

    def summary(self, group: Group) -> GroupSummary:
        """What a group would be if its last stage were all that is stored."""
        keep = frozenset({stored(group.stages[-1])}) | group.put_into
        return GroupSummary(
            kind=group.kind,
            dtypes=frozenset(a.dtype for a in self.args(group, keep)),
            computes_indices=grouping.computes_indices(group),
            is_divided=group.division is not None,
            spec=lambda: self.spec(group, keep, ""),
        )

    def spec(self, group: Group, keep: frozenset[str], suffix: str) -> KernelSpec:
        """The group as a spec that stores the tensors in `keep`."""
        head = SpecHead(
            name=self._name(suffix, group),
            args=self.args(group, keep),
            scalars=self._scalars(group),
            dims=self.program.dims,
            facts=self.program.facts,
            source=self.program.text,
            where=(),
        )
        rows = self._physical(group.rows, group, keep)
        if group.kind is Map:
            return Map(**head, index=rows, steps=self.writer(group, keep, rows).steps())
        if group.kind is Reduce:
            steps = self.writer(group, keep, rows + group.cols).steps()
            return Reduce(**head, rows=rows, cols=group.cols, steps=steps, ascending=self.program.sorted)
        if group.kind is Attention:
            return attention_spec(group, self.writer(group, keep, ()), head)
        write = {Contract: self._contract, Scan: self._scan, Scatter: self._scatter, Select: self._select}
        return write[group.kind](group, keep, head)

    def _scan(self, group: Group, keep: frozenset[str], head: SpecHead) -> Scan:
        scan = group.anchor.value
        assert isinstance(scan, Running)
        along = next(a for a in group.rows if a.name == scan.along.name)
        rows = tuple(a for a in self._physical(group.rows, group, keep) if a != along)
        steps = self.writer(group, keep, (*rows, along)).steps()
        return Scan(**head, rows=rows, along=along, reverse=scan.reverse, exclusive=scan.exclusive, steps=steps)

    def _scatter(self, group: Group, keep: frozenset[str], head: SpecHead) -> Scatter:
        writer = self.writer(group, keep, group.rows)
        place, guard, add = writer.addition()
        return Scatter(**head, index=group.rows, steps=writer.steps(), place=place, guard=guard, add=add)

    def _select(self, group: Group, keep: frozenset[str], head: SpecHead) -> Select:
        order = group.anchor.value
        assert isinstance(order, nodes.Order)
        place = next(a for a in group.rows if a.name == order.place.name)
        rows = tuple(a for a in self._physical(group.rows, group, keep) if a != place)
        writer = self.writer(group, keep, (*rows, order.axis, place))
        keys, tally = writer.tally()
        return Select(
            **head,
            rows=rows,
            col=order.axis,
            place=place,
            key=writer.value(order.body),
            descending=order.descending,
            at=writer.local(group.anchor.name),
            at_dtype=group.anchor.dtype,
            line=group.anchor.line,
            steps=writer.steps(),
            keys=keys,
            tally=tally,
        )

    def writer(self, group: Group, keep: frozenset[str], space: tuple[Axis, ...]) -> StepWriter:
        """What writes the steps of a group over the axes of its kernel."""
        return StepWriter(self.program, self.strides, self.taken, group, keep, space)

    def _contract(self, group: Group, keep: frozenset[str], head: SpecHead) -> Contract:
        c = group.contraction
        assert c is not None
        draft = self.writer(group, keep, c.batch + c.m + c.n + c.k)
        stored = next((s for s in draft.steps() if isinstance(s, Store)), None)
        c = c if stored is None or isinstance(group.anchor.value, Segmented) else _along(c, stored)
        m, n, k = _by_stride(c.m, stored), _by_stride(c.n, stored), _by_read(c.k, draft.value(c.a))
        writer = self.writer(group, keep, c.batch + m + n + k)
        return Contract(
            **head,
            batch=c.batch,
            m=m,
            n=n,
            k=k,
            a=writer.value(c.a),
            b=writer.value(c.b),
            acc=writer.local(group.anchor.name),
            acc_dtype=group.anchor.dtype,
            line=group.anchor.line,
            epilogue=writer.steps(),
            segments=writer.segments(),
        )

    def _name(self, suffix: str, group: Group) -> str:
        """The kernel's name. Workspaces that some kinds may need are named after it, and no tensor is."""
        name = f"{self.program.name}_{suffix}" if suffix else self.program.name
        while group.kind in (Contract, Attention, Select) and any(n.startswith(f"{name}_") for n in self.taken):
            name += "_kernel"
        return name

    def _physical(self, axes: tuple[Axis, ...], group: Group, keep: frozenset[str]) -> tuple[Axis, ...]:
        """The axes in the order in which the first stored tensor over them lies in memory."""
        for stage in group.stages if group.kind is not Scatter else ():
            if stage.name in keep and {a.name for a in stage.axes} >= {a.name for a in axes}:
                order = physical_order([a.extent for a in stage.axes], self.strides[stage.name])
                place = {stage.axes[d].name: i for i, d in enumerate(order)}
                return tuple(sorted(axes, key=lambda a: place[a.name]))
        return axes

    def args(self, group: Group, keep: frozenset[str]) -> tuple[Arg, ...]:
        """The buffers of a kernel: inputs, results, workspaces, each in the order of the program."""
        read = _read(group) - group.names
        names = [n for n in self.program.tensors if n in read | keep]
        args = [self.arg(n) for n in names]
        return tuple(a for role in ("in", "out", "workspace") for a in args if a.role == role)

    def arg(self, name: str) -> Arg:
        return self.outer.get(name) or _arg(self.program.tensors[name], self.strides)

    def _scalars(self, group: Group) -> tuple[nodes.Scalar, ...]:
        parts = [e for s in group.stages for e in stage_expressions(s)]
        parts += group.attention.values if group.attention is not None else ()
        used = frozenset().union(*map(variables, parts))
        return tuple(s for s in self.program.scalars if s.name in used)


def _arg(tensor: nodes.Tensor, strides: Mapping[str, tuple[Expr, ...]]) -> Arg:
    role: ArgRole = "workspace" if tensor.role == "local" else tensor.role
    return Arg(tensor.name, tensor.dtype, tensor.shape, strides[tensor.name], role)


def _along(c: Contraction, store: Store) -> Contraction:
    """The contraction with n where what is stored is contiguous, which may lie otherwise than the sum."""
    strides = dict(store.strides)
    m, n = ([a.name for a in axes if static(a.extent) != 1] for axes in (c.m, c.n))
    is_along_m = bool(n) and any(strides.get(name) == ONE for name in m) and not any(strides.get(name) == ONE for name in n)
    return replace(c, a=c.b, b=c.a, m=c.n, n=c.m) if is_along_m else c


def _by_stride(axes: tuple[Axis, ...], store: Store | None) -> tuple[Axis, ...]:
    """Axes from the largest stride of the result to the smallest."""
    if store is None:
        return axes
    strides = dict(store.strides)
    return tuple(sorted(axes, key=lambda a: magnitude(strides.get(a.name)), reverse=True))


def _by_read(axes: tuple[Axis, ...], factor: Expr) -> tuple[Axis, ...]:
    """Axes from the largest stride of the factor's read to the smallest."""
    strides = dict(main_read(factor).strides)
    return tuple(sorted(axes, key=lambda a: magnitude(strides[a.name]), reverse=True))
