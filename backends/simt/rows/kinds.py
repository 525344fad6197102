"""Kinds of schedules of kernels over rows: folds, running folds, orders."""

from __future__ import annotations

from uol.backends.simt.elements.wide_axes import prepared
from uol.backends.simt.kernel.schedule_kind import Plan, ScheduleKind
from uol.backends.simt.machine.target import Machine
from uol.backends.simt.rows.bucket_plan import check_buckets, keys_of, plan_buckets
from uol.backends.simt.rows.legality import check_order, check_rows
from uol.backends.simt.rows.merge_plan import plan_merge
from uol.backends.simt.rows.neighbours import neighbours_kernel
from uol.backends.simt.rows.packed_reads import with_packed_reads
from uol.backends.simt.rows.parts import parts_of_folds, parts_of_orders, parts_of_scans
from uol.backends.simt.rows.reduce_kernel import reduce_kernel
from uol.backends.simt.rows.row_schedules import row_schedules
from uol.backends.simt.rows.scan_plan import plan_scan
from uol.backends.simt.rows.schedule import BlockPerRow, Buckets, RowSchedule, ThreadPerRow
from uol.backends.simt.rows.select_plan import plan_select, tile_of
from uol.backends.simt.rows.splitting import split, split_long_scan, split_long_select
from uol.backends.simt.rows.tile_sort import EACH
from uol.codegen.backend import Device
from uol.codegen.specs.nodes import KernelSpec, Reduce, Scan, Select


def _schedules(spec: Reduce | Scan, machine: Machine, device: Device) -> tuple[RowSchedule, ...]:
    return tuple(row_schedules(spec, device, machine.lanes))


def _fold(spec: Reduce, schedule: RowSchedule, machine: Machine) -> Plan:
    match schedule:
        case ThreadPerRow(each=each) if each > 1:
            return neighbours_kernel(prepared(spec), schedule)
        case ThreadPerRow():
            return reduce_kernel(prepared(spec), schedule)
        case BlockPerRow(each=each):
            return reduce_kernel(prepared(spec, each), schedule)


def _scan(spec: Scan, schedule: RowSchedule, machine: Machine) -> Plan:
    return plan_scan(prepared(spec), schedule)


def _buckets(spec: Select, machine: Machine, device: Device) -> tuple[Buckets, ...]:
    return () if keys_of(spec) is None else (Buckets(1024), Buckets(256))


def _bucket(spec: Select, schedule: Buckets, machine: Machine) -> Plan:
    return plan_buckets(prepared(spec), schedule)


def _orders(spec: Select, machine: Machine, device: Device) -> tuple[BlockPerRow, ...]:
    return () if spec.tally is not None else (BlockPerRow(max(tile_of(spec) // EACH, machine.lanes)),)


def _order(spec: Select, schedule: BlockPerRow, machine: Machine) -> Plan:
    return plan_select(prepared(spec), schedule) if spec.run is None else plan_merge(prepared(spec), schedule)


def _split_fold(spec: Reduce, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    copies, folds = with_packed_reads(spec)
    return (*copies, *split(folds, device))


def _split_scan(spec: Scan, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    return split_long_scan(spec, device)


def _split_order(spec: Select, machine: Machine, device: Device) -> tuple[KernelSpec, ...]:
    return split_long_select(spec)


ROWS = (ThreadPerRow, BlockPerRow)
FOLDS = ScheduleKind((Reduce,), ROWS, _schedules, check_rows, _fold, legalise=_split_fold, parts=parts_of_folds)
SCANS = ScheduleKind((Scan,), ROWS, _schedules, check_rows, _scan, legalise=_split_scan, parts=parts_of_scans)
BUCKETS = ScheduleKind((Select,), (Buckets,), _buckets, check_buckets, _bucket)
ORDERS = ScheduleKind((Select,), (BlockPerRow,), _orders, check_order, _order, legalise=_split_order, parts=parts_of_orders)
