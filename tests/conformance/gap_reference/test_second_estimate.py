"""The second estimate against itself and against what others count: torch's FLOP counter and published figures of ResNet-50."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
import second_cmap
import second_moe
import second_resnet50
import torch
from second_counting import Group, Step, flaws
from second_estimate import Case, Device, as_data, cases, groups_of, main
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

CASES = {f"{case.path} {case.size}": case for case in cases()}
STEPS = {f"{name} {kind}": getattr(case, kind) for name, case in CASES.items() for kind in ("fused", "plain", "strict")}


def on_meta(*shape: int) -> Tensor:
    """A parameter without values."""
    return torch.empty(*shape, device="meta", requires_grad=True)


def counted(forward: Callable[[], Tensor]) -> tuple[int, int]:
    """The operations that torch counts forwards, and backwards from a gradient of the result."""
    with FlopCounterMode(display=False) as ahead:
        result = forward()
    with FlopCounterMode(display=False) as behind:
        result.backward(torch.empty_like(result))
    return ahead.get_total_flops(), behind.get_total_flops()


def operations(step: Step) -> tuple[float, float]:
    """Those of the estimate."""
    forward, backward = (sum(map(step.operations_of, groups_of(step, part))) for part in ("forward", "backward"))
    return forward, backward


def picture_network() -> tuple[int, int]:
    """ResNet-50 of torchvision, on the batch of the path."""
    import torchvision  # seconds, which every process that collects tests would wait for

    network = torchvision.models.resnet50().to("meta")
    return counted(lambda: network(torch.empty(second_resnet50.BATCH, 3, 224, 224, device="meta")))


def expert_layer(tokens: int) -> tuple[int, int]:
    """The layer with as many rows for each expert, of plain batched products."""
    experts, rows, width, hidden = 128, tokens * 4 // 128, 512, 1024
    x, router = on_meta(tokens, width), on_meta(width, experts)
    gate, up, down = on_meta(experts, width, hidden), on_meta(experts, width, hidden), on_meta(experts, hidden, width)

    def forward() -> Tensor:
        routed = x.repeat(4, 1).view(experts, rows, width)
        mixed = (functional.silu(routed @ gate) * (routed @ up)) @ down
        return mixed.sum() + (x @ router).sum()

    return counted(forward)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """[N, L, D] from queries, keys and values [N, L, D], in 8 heads."""
    q, k, v = (x.unflatten(-1, (8, -1)).transpose(1, 2) for x in (q, k, v))
    read: Tensor = (q @ k.transpose(-1, -2)).softmax(-1) @ v
    return read.transpose(1, 2).flatten(2)


def pooling_network() -> tuple[int, int]:
    """Cross-modal pooling of torch's modules; its gradient keeps the scores, which the estimate makes again."""
    clips = 64
    first, second = nn.Conv3d(64, 128, 3, 2, 1, bias=False), nn.Conv3d(128, 256, 3, (1, 2, 2), 1, bias=False)
    stem = nn.Sequential(first, nn.GroupNorm(8, 128), nn.ReLU(), second, nn.GroupNorm(8, 256), nn.ReLU()).to("meta")
    project, q, k, v, out, uq, uk, uv, uo = (nn.Linear(256, 256, device="meta") for _ in range(9))
    video, text = (torch.empty(clips, *shape, device="meta") for shape in ((64, 8, 28, 28), (32, 256)))
    seed = on_meta(1, 256)

    def forward() -> Tensor:
        tokens = project(stem(video).flatten(2).transpose(1, 2))
        aligned = functional.layer_norm(out(attend(q(tokens), k(text), v(text))) + tokens, [256])
        asked = attend(uq(seed).expand(clips, 1, 256), uk(aligned), uv(aligned))
        result: Tensor = uo(asked)
        return result

    ahead, behind = counted(forward)
    again = 2 * clips * (196 * 32 + 196) * 256
    return ahead, behind + again


COUNTED_BY_TORCH: Mapping[str, Callable[[], tuple[int, int]]] = {
    "moe 8192 tokens": lambda: expert_layer(8192),
    "moe 256 tokens": lambda: expert_layer(256),
    "cmap batch 64": pooling_network,
    "resnet50 batch 256": picture_network,
}


@pytest.mark.parametrize("name", CASES)
def test_the_operations_are_those_that_torch_counts(name: str) -> None:
    assert operations(CASES[name].fused) == COUNTED_BY_TORCH[name]()


@pytest.mark.parametrize("name", CASES)
def test_fusion_changes_no_operation_and_saves_bytes(name: str) -> None:
    kinds = CASES[name].fused, CASES[name].plain, CASES[name].strict
    assert operations(kinds[0]) == operations(kinds[1]) == operations(kinds[2])
    moved = [sum(map(step.bytes_of, step.groups)) for step in kinds]
    assert moved[0] < moved[1] < moved[2]


def test_the_network_for_pictures_is_as_published() -> None:
    """4.09 GMAC a picture and 25,557,032 parameters are torchvision's figures; 11.1 million activations, the results of all
    convolutions, those of Radosavovic et al. 2020 (Designing Network Design Spaces, table of ResNets)."""
    step = second_resnet50.fused()
    assert operations(step)[0] / second_resnet50.BATCH == pytest.approx(2 * 4.09e9, rel=0.002)
    assert step.weight_bytes() == 4 * 25_557_032
    activations = sum(step.value(c.result) for c in second_resnet50.CONVOLUTIONS) / second_resnet50.BATCH
    assert activations == pytest.approx(11.1e6, rel=0.002)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_contradicts_itself(name: str) -> None:
    assert not flaws(STEPS[name])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda group: [], "query reads t, which is not there yet"),
        (lambda group: [group, replace(group, name="copy")], "copy makes t again"),
        (lambda group: [replace(group, reads=f"{group.reads} z2")], "project names a tensor twice"),
        (lambda group: [replace(group, reads="z2 stat2 gn2 Wp")], "bp is not used"),
        (lambda group: [replace(group, writes="t z1")], "project makes z1 again"),
    ],
)
def test_a_contradiction_is_found(change: Callable[[Group], list[Group]], found: str) -> None:
    step = second_cmap.fused()
    groups = [changed for group in step.groups for changed in (change(group) if group.name == "project" else [group])]
    assert found in flaws(replace(step, groups=tuple(groups)))


def test_a_result_that_is_not_made_is_found() -> None:
    step = second_cmap.fused()
    groups = tuple(group for group in step.groups if group is not second_cmap.CONV1_WEIGHT)
    assert "dW1 is wanted and not made" in flaws(replace(step, groups=groups))


@pytest.mark.parametrize("name", STEPS)
def test_what_is_given_and_wanted_crosses_memory_at_least_once(name: str) -> None:
    step = STEPS[name]
    least = sum(step.value(step.tensors[n]) for n in f"{step.given} {step.results}".split())
    assert sum(map(step.bytes_of, step.groups)) >= least


def experts_by_tensor(tokens: int) -> float:
    """How often each kind crosses memory, forwards + backwards: the three weights, rows of F and of D, tokens, scores."""
    rows = 4 * tokens
    weights = (3 + 6) * 128 * 512 * 1024
    return 2 * (weights + (4 + 9) * rows * 1024 + (2 + 3) * rows * 512 + (3 + 6) * tokens * 512 + (1 + 4) * tokens * 128)


def pooling_by_tensor() -> float:
    """What has a row for each token, what conv1 gives, the video, what has a row for each word, and the weights."""
    tokens = (15 + 33) * 64 * 196 * 256
    first, video, words = (2 + 7) * 64 * 784 * 128, 2 * 64 * 64 * 6272, (5 + 7) * 64 * 32 * 256
    return 2 * (tokens + first + video + words + 27 * (2 * 64 * 128 + 3 * 128 * 256) + (7 * 3 + 2 * 2) * 256 * 256)


def pictures_by_tensor() -> float:
    """Per block: z of the inner convolutions is written, and read by the next one (2), by the epilogue that masks and sums, by
    the weight's gradient and by the pass of the norm (3); e is written and read (2), dz is written and read twice (3). The end
    of a block adds a' (written, read by conv1 and by its weight's gradient), the shortcut, and bits."""
    found: float = 6 * 64 * 112**2 + 6 * 64 * 56**2 + 2 * 3 * 224**2
    for stage, (width, blocks, side) in enumerate(second_resnet50.STAGES):
        for block in range(blocks):
            wide, end = side * (2 if stage and not block else 1), 4 * width * side**2
            found += 10 * width * (wide**2 + side**2)
            if not block:
                found += 19 * end + (2 * 2 * width * side**2 if stage else 0)
            else:
                found += 8.25 * end if (stage, block) == (3, blocks - 1) else 14.125 * end
    weights = 25_557_032 - 1000 - 2 * 26_560
    return 2 * 256 * found + 4 * (3 * weights - 3 * 49 * 64) + 3 * 2 * 256 * (2048 + 1000)


BY_TENSOR: Mapping[str, Callable[[], float]] = {
    "moe 8192 tokens": lambda: experts_by_tensor(8192),
    "moe 256 tokens": lambda: experts_by_tensor(256),
    "cmap batch 64": pooling_by_tensor,
    "resnet50 batch 256": pictures_by_tensor,
}


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_of_the_groups_are_those_of_the_tensors(name: str) -> None:
    """All but indices, statistics and other vectors, which are less than two thousandths."""
    moved = sum(map(CASES[name].fused.bytes_of, CASES[name].fused.groups))
    large = BY_TENSOR[name]()
    assert large < moved < 1.002 * large


def test_the_time_of_a_group_is_the_longer_of_two_and_a_launch() -> None:
    device = Device(1000, {"f16": 100}, 2)
    assert device.milliseconds(5e9, 100e9, "f16") == pytest.approx(5.002)
    assert device.milliseconds(5e6, 100e9, "f16") == pytest.approx(1.002)


def test_sizes_are_products_and_sums_of_names_and_numbers() -> None:
    step = replace(second_moe.fused(256), dims={"N": 3, "D": 10})
    assert step.value("2 N D") == 60
    assert step.value("1/8 N D + -4") == pytest.approx(-0.25)
    with pytest.raises(ValueError, match="Q"):
        step.value("2 Q")


def test_all_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(as_data()))
    times = [t for case in found for part in case["parts"].values() for d in part["t_ref_ms"].values() for t in d.values()]
    assert len(times) == 4 * 2 * 3 * 2 and all(isfinite(t) and t > 0 for t in times)
    for arguments in ([], ["--groups"], ["--readings"]):
        assert main(arguments) == 0
        assert "resnet50, batch 256" in capsys.readouterr().out
    assert main(["--yaml"]) == 2
    assert "usage" in capsys.readouterr().err


def test_nothing_but_the_standard_library_is_imported() -> None:
    here = Path(second_moe.__file__).parent
    own = {path.stem for path in here.glob("second_*.py")}
    for path in here.glob("second_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | own


def test_a_case_has_its_parameters_in_one_pass_of_the_optimiser() -> None:
    def parameters(case: Case, width: int) -> float:
        return case.fused.weight_bytes() / width

    assert parameters(CASES["moe 256 tokens"], 2) == 128 * (512 + 3 * 512 * 1024)
    convolutions, square, vectors = 27 * 128 * (64 + 256), 9 * 256 * 256, 2 * 128 + 256 * (2 + 1 + 1 + 1 + 2 + 1 + 1 + 1 + 2)
    assert parameters(CASES["cmap batch 64"], 2) == convolutions + square + vectors
