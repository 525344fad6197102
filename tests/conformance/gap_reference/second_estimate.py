"""A second estimate of the reference of the model paths, by hand.

`python tests/conformance/gap_reference/second_estimate.py` prints, of a training step of each path, forward and backward apart:
operations of products, bytes that cross memory with the best fusion that the rule allows and with none, and T_ref on three
devices in ms. `--json` prints the same as data, with each group; `--groups` the groups with what they read and write;
`--readings` what other readings of the rule would change. It shares nothing with the checker that computes the reference from a
graph: the groups were thought through one by one, and stand in second_moe.py, second_cmap.py and second_resnet50.py with the
reasons, sizes as closed forms.

The rule. Each product is a group; products that share an operand and its reduced index, or are only added, are one; attention
is one forwards, one backwards. An operand may be elementwise steps of one tensor, besides vectors. A result may be followed by
elementwise steps, reductions of a row, and sums over other axes, which are known only when the group has ended. All else are
passes, which may be made again in passes and epilogues, as products never are. Each tensor crosses memory once a group. What
is kept or passed on has the element type (2 bytes), booleans are bits, indices i32, statistics and sums f32. The least bytes
count. T_ref of a group = max(bytes / bandwidth, operations / rate) + a launch.

Where the rule is silent:
    a bias is a line of the weight that meets ones: the product adds it, and its gradient comes with the weight's;
    sums are taken as they are written: none is factored, nor rewritten over another index space, as products are not;
    two products have one operand where they read the same rows: at stride 2 a projection and the convolution beside it do not,
    but what both give back is only added, into a part of the rows;
    a pass over whole rows may reduce them, and so what a row gives (its log-sum-exp) is not kept for such a pass;
    the result of pooling by the mean is an activation, in the element type;
    the gradient of attention for one query has the five products of any attention, and writes what they give;
    without fusion a product still finds rows by an index, takes a strided part, scales rows by a vector, casts a master weight,
    and adds its bias by itself; "strict" is without that, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

import second_cmap
import second_moe
import second_resnet50
import second_resnet50_unfused
from second_counting import Group, Part, Step

TYPES = ("f16", "bf16")


@dataclass(frozen=True, slots=True)
class Device:
    """Attained bandwidth in GB/s, attained rate of products in TFLOP/s by type, and a launch in us."""

    bandwidth: float
    rates: Mapping[str, float]
    launch: float

    def milliseconds(self, moved: float, operations: float, dtype: str) -> float:
        """T_ref of a group."""
        return max(moved / self.bandwidth / 1e6, operations / self.rates[dtype] / 1e9) + self.launch / 1e3


DEVICES = {
    "A100": Device(1759, {"f16": 258.7, "bf16": 264.5}, 1.4),
    "MI250X (one die)": Device(1248, {"f16": 147, "bf16": 147}, 2.1),
    "910B2": Device(2200, {"f16": 314.5, "bf16": 315.4}, 1.5),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A path at one size: with the best fusion; with none, where products still gather, cast and add biases by themselves; and
    with these as passes, too. `optimiser` says how often the bytes of all parameters cross memory in its one pass."""

    path: str
    size: str
    fused: Step
    plain: Step
    strict: Step
    optimiser: int
    readings: Mapping[str, str]


ADAMW = 7  # reads p, g, m and v, writes p, m and v
MOMENTUM = 5  # reads p, g and the momentum, writes p and the momentum


def cases() -> list[Case]:
    """What is estimated."""
    experts = (
        Case(
            "moe",
            f"{tokens} tokens",
            second_moe.fused(tokens),
            second_moe.unfused(tokens, strict=False),
            second_moe.unfused(tokens, strict=True),
            ADAMW,
            second_moe.READINGS,
        )
        for tokens in (8192, 256)
    )
    pooling = (second_cmap.fused(), second_cmap.unfused(strict=False), second_cmap.unfused(strict=True))
    pictures = second_resnet50_unfused.unfused
    network = (second_resnet50.fused(), pictures(strict=False), pictures(strict=True))
    return [
        *experts,
        Case("cmap", "batch 64", *pooling, ADAMW, second_cmap.READINGS),
        Case("resnet50", "batch 256", *network, MOMENTUM, second_resnet50.READINGS),
    ]


def groups_of(step: Step, part: Part) -> list[Group]:
    """Those of a part."""
    return [group for group in step.groups if group.part == part]


def gigabytes(step: Step, part: Part) -> float:
    """What crosses memory in a part, in 1e9 bytes."""
    return sum(step.bytes_of(group) for group in groups_of(step, part)) / 1e9


def reference(step: Step, part: Part, device: Device, dtype: str) -> float:
    """T_ref of a part in ms."""
    counted = ((step.bytes_of(group), step.operations_of(group)) for group in groups_of(step, part))
    return sum(device.milliseconds(moved, operations, dtype) for moved, operations in counted)


def summary(case: Case, part: Part) -> dict[str, Any]:
    """The figures of a part of a step."""
    return {
        "groups": len(groups_of(case.fused, part)),
        "gflop": sum(case.fused.operations_of(group) for group in groups_of(case.fused, part)) / 1e9,
        "gb_fused": gigabytes(case.fused, part),
        "gb_without_fusion": gigabytes(case.plain, part),
        "gb_without_fusion_strict": gigabytes(case.strict, part),
        "t_ref_ms": {
            name: {dtype: reference(case.fused, part, device, dtype) for dtype in TYPES} for name, device in DEVICES.items()
        },
    }


def optimiser(case: Case) -> dict[str, Any]:
    """Its one pass over all parameters."""
    moved = case.optimiser * case.fused.weight_bytes()
    return {
        "gb": moved / 1e9,
        "t_ref_ms": {name: device.milliseconds(moved, 0, "f16") for name, device in DEVICES.items()},
    }


def group_data(step: Step, group: Group) -> dict[str, Any]:
    """A group as data: bytes and operations, and of which tensors."""
    counts = {"bytes": step.bytes_of(group), "operations": step.operations_of(group)}
    texts = {"bytes_formula": step.formula(group), "operations_formula": group.operations}
    return {"part": group.part, "name": group.name, **counts, **texts}


def as_data() -> list[dict[str, Any]]:
    """All figures, and the groups behind them."""
    return [
        {
            "path": case.path,
            "size": case.size,
            "parts": {part: summary(case, part) for part in get_args(Part)},
            "optimiser": optimiser(case),
            "groups": [group_data(case.fused, group) for group in case.fused.groups],
        }
        for case in cases()
    ]


def row(cells: Iterable[object]) -> str:
    """A line of a table."""
    shown = (f"{cell:,.4f}" if isinstance(cell, float) else str(cell) for cell in cells)
    return " | ".join(f"{cell:>{width}}" for cell, width in zip(shown, (24, 9, *[11] * 11), strict=False))


def print_figures() -> None:
    """Two tables: what is counted, and how long that takes."""
    print(row(("path", "part", "groups", "GFLOP", "GB fused", "GB unfused", "GB strict")))
    for case, part in product(cases(), get_args(Part)):
        found = summary(case, part)
        del found["t_ref_ms"]
        print(row((f"{case.path}, {case.size}", part, *found.values())))
    print("\nunfused: products gather, scale, cast and add biases by themselves; strict: these are passes, too\n")
    kinds = list(product(DEVICES, TYPES))
    print(row(("T_ref, ms", "part", *(f"{name[:6].strip()} {dtype}" for name, dtype in kinds))))
    for case, part in product(cases(), get_args(Part)):
        times = summary(case, part)["t_ref_ms"]
        print(row((f"{case.path}, {case.size}", part, *(times[name][dtype] for name, dtype in kinds))))
    print(f"\n{row(('optimiser, apart', '', 'GB', *(f'{name[:6].strip()} ms' for name in DEVICES)))}")
    for case in cases():
        found = optimiser(case)
        print(row((f"{case.path}, {case.size}", "", found["gb"], *found["t_ref_ms"].values())))


def print_groups() -> None:
    """Each group: megabytes, GFLOP, tensors with their formulas, and why."""
    for case in cases():
        print(f"\n{case.path}, {case.size}: {dict(case.fused.dims)}")
        for group in case.fused.groups:
            moved, operations = case.fused.bytes_of(group) / 1e6, case.fused.operations_of(group) / 1e9
            print(f"  {group.part:8} {group.name:40} {moved:12,.3f} MB {operations:12,.3f} GFLOP [{group.operations}]")
            print(f"           {case.fused.formula(group)}")
            if group.why:
                print(f"           {group.why}")


def print_readings() -> None:
    """What other readings of the rule add, in MB and in parts of forward and backward together."""
    for case in cases():
        whole = sum(map(case.fused.bytes_of, case.fused.groups))
        print(f"\n{case.path}, {case.size}: {whole / 1e9:.4f} GB forward and backward")
        for text, size in case.readings.items():
            added = case.fused.value(size)
            print(f"  {added / 1e6:+10.3f} MB {added / whole:+8.3%}  {text}")


def main(arguments: list[str]) -> int:
    """Print what is asked for."""
    match arguments:
        case []:
            print_figures()
        case ["--json"]:
            print(json.dumps(as_data(), indent=1))
        case ["--groups"]:
            print_groups()
        case ["--readings"]:
            print_readings()
        case _:
            print("usage: second_estimate.py [--json | --groups | --readings]", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
