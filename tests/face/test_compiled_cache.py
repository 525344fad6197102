"""What is compiled once is compiled: across objects, across processes, without TVM's compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_backend import ToyBackend

import uol
from uol.backends.cpu.host import core_count
from uol.binding.named_binding import bind_names
from uol.codegen.backend import Artifact, Module
from uol.compilation import pipeline
from uol.compilation import request as request_module
from uol.compilation.request import Request, resolve_target
from uol.ir.syntax.parser import parse
from uol.ir.syntax.printer import print_op
from uol.operators.registry import callees, find_operator

SOFTMAX = {"S": 4, "C": 6}


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that are generated anew from here on."""
    generated: list[str] = []
    original = pipeline.generate

    def generate(request: Request) -> object:
        generated.append(request.instance.op.name)
        return original(request)

    monkeypatch.setattr(pipeline, "generate", generate)
    return generated


def test_the_second_compilation_comes_from_the_cache(toy: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generated = count_runs(monkeypatch)
    first, second = (uol.compile("softmax", toy, "f32", SOFTMAX) for _ in range(2))
    assert generated == ["softmax"]
    assert second.module == first.module


def test_a_corrupt_cache_is_made_anew(toy: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = uol.compile("softmax", toy, "f32", SOFTMAX)
    for entry in own_cache.rglob("*"):
        if entry.is_file():
            entry.write_bytes(entry.read_bytes()[:-20])
    generated = count_runs(monkeypatch)
    assert uol.compile("softmax", toy, "f32", SOFTMAX).module == first.module
    assert generated == ["softmax"]


def test_further_products_of_the_compiler_come_from_the_cache_too(
    toy: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def build(self: ToyBackend, module: Module) -> Artifact:
        built.append(module.graph.name)
        return Artifact(module, b"binary", None, "a remark", {"softmax.listing": b"\0listing"})

    monkeypatch.setattr(ToyBackend, "build", build)
    kernel = uol.compile("softmax", toy, "f32", SOFTMAX)
    first, second = (pipeline.artifact_of(kernel.request, kernel.module) for _ in range(2))
    assert built == ["softmax"]
    assert (second.binary, second.log, second.files) == (b"binary", "a remark", {"softmax.listing": b"\0listing"})
    assert first == second


def keys(toy: str) -> dict[str, str]:
    """Digests of requests that differ in one thing each."""

    def digest(name: str, dims: dict, dtype: str = "f32", layouts: dict | None = None, **attrs: float) -> str:
        instance = bind_names(find_operator(name), dtype, dims, attrs)
        return Request(instance, resolve_target(toy), layouts or {}).key("module").digest

    image = {"N": 1, "C": 4, "H": 5, "W": 5}
    return {
        "plain": digest("max_pool2d", image, kernel=2),
        "dtype": digest("max_pool2d", image, "f16", kernel=2),
        "attribute": digest("max_pool2d", image, kernel=3),
        "dims": digest("max_pool2d", {**image, "C": 5}, kernel=2),
        "layout": digest("max_pool2d", image, layouts={"x": (100, 1, 20, 4)}, kernel=2),
        "operator": digest("avg_pool2d", image, kernel=2),
    }


def test_what_a_kernel_depends_on_is_in_its_key(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = keys(toy)
    assert len(set(plain.values())) == len(plain)
    for name, change in {
        "generator_hash": lambda: "another",
        "tool_versions": lambda: {"apache-tvm": "0.28"},
        "backend_hash": lambda backend: "another",
    }.items():
        with monkeypatch.context() as changed:
            changed.setattr(request_module, name, change)
            assert not set(keys(toy).values()) & set(plain.values()), name


def test_a_run_time_attribute_is_not_in_the_key(toy: str) -> None:
    op = find_operator("rms_norm")
    digests = {
        Request(bind_names(op, "f32", SOFTMAX, {"eps": eps}), resolve_target(toy)).key("module").digest for eps in (1e-6, 0.5)
    }
    assert len(digests) == 1


def test_the_texts_of_callees_are_in_the_key(toy: str) -> None:
    op = parse("op f(x: f32[N, C]) -> (y: f32[N, C]) { y[n, c] = exp(softmax(relu(x))[n, c]) }")[0]
    assert [c.name for c in callees(op)] == ["relu", "softmax"]
    key = Request(bind_names(op, None, {"N": 2, "C": 3}, {}), resolve_target(toy)).key("module")
    assert key.parts["callees"] == [print_op(find_operator(name)) for name in ("relu", "softmax")]


PROBE = """
import json, sys
import numpy as np
import uol
kernel = uol.compile("softmax", {target!r}, "f32", {{"S": 4, "C": 6}})
ran = {run} and kernel(np.zeros((4, 6), np.float32)).tolist()
print(json.dumps([m for m in ("tvm", "tvm_ffi", "torch") if m in sys.modules]))
"""


def loaded(target: str, cache: Path, *, run: bool) -> list[str]:
    """What a fresh process loads to compile (and run) one operator."""
    code = PROBE.format(target=target, run=run)
    preset = ("TVM_", "UOL_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(preset)}
    environment["UOL_CACHE_DIR"] = str(cache)
    done = subprocess.run([sys.executable, "-c", code], cwd=cache.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def test_keys_do_not_depend_on_what_an_import_sets(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TVM_NUM_THREADS", "UOL_NUM_THREADS", "UOL_CPU"):
        monkeypatch.delenv(name, raising=False)
    instance = bind_names(find_operator("softmax"), "f32", SOFTMAX, {})

    def digests() -> list[str]:
        return [Request(instance, resolve_target(t)).key(s).digest for t in ("cpu", toy) for s in ("module", "binary")]

    plain = digests()
    monkeypatch.setenv("TVM_NUM_THREADS", "64")  # as importing TVM does
    assert digests() == plain
    monkeypatch.setenv("UOL_NUM_THREADS", str(core_count()))  # what it is anyway
    assert digests() == plain
    for name, value in (("UOL_NUM_THREADS", str(core_count() + 1)), ("UOL_CPU", "x86-64-v2")):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            assert [a != b for a, b in zip(digests(), plain, strict=True)] == [True, True, False, False], name


@pytest.mark.parametrize("target", ["cpu", "toy"])
def test_another_build_of_a_tool_is_another_binary_of_the_same_text(
    target: str, toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(bind_names(find_operator("softmax"), "f32", SOFTMAX, {}), resolve_target(target))
    before = {stage: request.key(stage).digest for stage in ("module", "binary")}
    monkeypatch.setattr(type(request.target.backend), "build_tools", lambda self: {"as": "another"})
    assert request.key("module").digest == before["module"]
    assert request.key("binary").digest != before["binary"]


def test_a_binary_is_built_anew_with_a_new_assembler(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = uol.compile("softmax", "cpu", "f32", SOFTMAX)
    tools = tmp_path / "tools"
    tools.mkdir()
    log = tmp_path / "log"
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    real = shutil.which("as")
    for version in (1, 2):
        (tools / "as").write_text(f'#!/bin/sh\n# version {version}\necho {version} >> {log}\nexec {real} "$@"\n')
        (tools / "as").chmod(0o755)
        for _ in range(2):
            pipeline.artifact_of(kernel.request, kernel.module)
        assert log.read_text().split() == ["1", "2"][:version]


@pytest.mark.parametrize(("target", "run"), [("cuda", False), ("cpu", True)])
def test_a_process_that_finds_all_in_the_cache_loads_no_compiler(target: str, run: bool, own_cache: Path) -> None:
    cold = loaded(target, own_cache, run=run)
    assert ("tvm" in cold) == (target == "cpu")
    assert "torch" not in cold
    files = set(own_cache.rglob("*"))
    assert loaded(target, own_cache, run=run) == []
    assert set(own_cache.rglob("*")) == files


def test_processes_may_compile_the_same_at_once(own_cache: Path) -> None:
    code = PROBE.format(target="cuda", run=False)
    environment = {**os.environ, "UOL_CACHE_DIR": str(own_cache)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], cwd=own_cache.parent, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [("", 0)] * 3
    assert not list(own_cache.rglob(".writing-*"))


def test_the_toy_is_rebuilt_where_its_own_source_changes(toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert request_module.backend_hash(ToyBackend()) != request_module.backend_hash(resolve_target("cuda").backend)
