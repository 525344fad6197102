"""Open dims at the command line: left out, or `_`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import uol

from uol.binding.instance import Instance
from uol.binding.named_binding import bind_names, bind_open_names
from uol.binding.sample_sizes import sample_instances
from uol.cli.trial import try_compiled
from uol.compiler import compile
from uol.conformance.cases.case_matrix import types_of
from uol.ir.errors import ShapeError
from uol.ir.syntax.parser import parse
from uol.operators.registry import find_operator
from uol.ops.texts import names
from uol.ops.workloads import Workload, workloads_of

pytestmark = pytest.mark.usefixtures("toy")


def test_compile_writes_a_bundle_that_check_takes(tmp_path: Path) -> None:
    assert uol("compile", "softmax", "--target", "cpu", "--dims", "C=24", "-o", tmp_path).status == 0
    assert uol("check", tmp_path / "softmax-cpu-host").out == "passed  10 files, 29 fields of the manifest, kernels\n"


@pytest.mark.parametrize(("dims", "shape"), [("C=24", ["S", 24]), ("S=_x8,C=24", ["S_0", 8, 24]), ("S=4,C=_", [4, "C"])])
def test_explain_shows_what_is_open(dims: str, shape: list[object]) -> None:
    (found,) = json.loads(uol("explain", "softmax", "--dims", dims, "--json").out)
    assert found["arguments"][0]["shape"] == shape


def test_run_chooses_sizes() -> None:
    result = uol("run", "pixel_shuffle", "--dims", "N=1", "--attrs", "factor=2")
    assert result.status == 0, result.err
    assert result.out.startswith("pixel_shuffle on cpu:host, run here, seed 0, at C = 12, H = 12, W = 12\n")
    assert json.loads(uol("run", "relu", "--json").out)["sizes"] == {"S": 7}


def test_a_target_that_needs_every_size_says_so(tmp_path: Path) -> None:
    for target in ("toy", "cpu,toy"):
        result = uol("compile", "softmax", "--target", target, "--dims", "S=4", "-o", tmp_path / "build")
        assert result.status == 2
        assert "ShapeError: softmax needs a size for C\n" in result.err
        assert "help: its dims are C; for example C=64; kernels for toy:host are made for their sizes" in result.err
        assert not (tmp_path / "build").exists()


def agree(name: str, workload: Workload) -> None:
    """With every dim open, packs flattened, the results at these sizes are within the contract."""
    types = types_of(name, ("f32",))[0]
    trial = try_compiled(compile(name, "cpu", types, attrs=workload.attrs), instance=at(name, types, workload))
    assert trial.passed, f"{workload}: {trial.failure}"


def at(name: str, types: dict[str, str], workload: Workload) -> Instance:
    return bind_names(find_operator(name), types, workload.dims, workload.attrs)


@pytest.mark.parametrize("name", ["count_nonzero", "dropout", "embedding", "instance_norm", "l1_loss", "pad2d", "take"])
def test_no_operator_can_tell_that_a_pack_is_flattened(name: str) -> None:
    workload = next(w for w in workloads_of(name) if any(isinstance(size, tuple) and len(size) > 1 for size in w.dims.values()))
    agree(name, workload)


@pytest.mark.soak
@pytest.mark.parametrize("name", names())
def test_every_operator_with_every_dim_open(name: str) -> None:
    for workload in workloads_of(name):
        agree(name, workload)


def samples(name: str, dims: dict, attrs: dict) -> list[dict[str, int]]:
    instance = bind_open_names(find_operator(name), None, dims, attrs)
    assert instance.open_dims
    return [at.flat_dims for at in sample_instances(instance)]


def test_sizes_are_those_that_the_operator_admits() -> None:
    assert samples("softmax", {"C": 5}, {})[:3] == [{"C": 5, "S": size} for size in (7, 12, 33)]
    assert all(at["C"] % 4 == 0 for at in samples("pixel_shuffle", {"N": 1}, {"factor": 2}))
    rotary = samples("rotary_embedding", {}, {})
    assert rotary and all(at["D"] == 2 * at["E"] for at in rotary)


def test_sizes_are_those_for_which_the_checks_of_the_kernels_hold(tmp_path: Path) -> None:
    file = tmp_path / "eleventh.uol"
    file.write_text("op eleventh(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] - x[10] }\n")
    assert uol("run", file).out.startswith("eleventh on cpu:host, run here, seed 0, at N = 12\n")


def test_where_no_size_is_found_it_is_said() -> None:
    (op,) = parse("op large(x: f32[N]) -> (y: f32[N]) where N > 1000 { y[i] = x[i] }")
    instance = bind_open_names(op, None, {}, {})
    assert instance.open_dims
    with pytest.raises(ShapeError, match="large: no sizes for N were found that the operator admits") as caught:
        next(sample_instances(instance))
    assert caught.value.hint == "give sizes, for example N=64"


def test_the_help_of_dims_names_no_target() -> None:
    """Kernels of any size are those of machines with threads, too."""
    said = " ".join(uol("compile", "--help").out.split())
    assert "is open" in said and "(CPU)" not in said
    assert "    int S)" in uol("compile", "softmax", "--target", "cuda", "--dims", "C=24").out
