"""Built operators: without TVM, on any memory, from several threads and after a fork."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from cpu_cases import BACKEND, channels_last, graph_of, inputs_of, module_of, program_of, run_compiled, weights_last

from uol.backends.cpu.host import core_count
from uol.codegen.backend import Artifact
from uol.ir.errors import UolError

CONVOLUTION = {"dims": {"N": 1, "C": 16, "H": 20, "W": 20, "O": 48, "D": 16, "R": 3, "S": 3}, "attrs": {"pad": 1}}


def built(op: str, layouts: dict[str, tuple[int, ...]] | None = None, **given: object) -> Artifact:
    return BACKEND.build(module_of(graph_of(program_of(op, **given), layouts)))


WITHOUT_TVM = """
import pickle, sys
import numpy as np
artifact = pickle.load(open(sys.argv[1], "rb"))
from uol.backends.cpu.backend import BACKEND
call = BACKEND.load(artifact)
x = np.linspace(-1, 1, 200_000, dtype=np.float32)
y = np.empty_like(x)
call(x, y)
assert (y == np.maximum(x, 0)).all()
loaded = [name for name in sys.modules if name.split(".")[0] in ("tvm", "tvm_ffi", "torch")]
print("loaded:", *loaded[:3])
"""


def test_a_cached_kernel_runs_without_tvm(tmp_path: Path) -> None:
    artifact = built("relu", ranks={"S": 1}, dims={"S": 200_000})
    assert "parallel" in artifact.module.kernels[0].schedule.describe()
    (tmp_path / "artifact").write_bytes(pickle.dumps(artifact))
    command = [sys.executable, "-c", WITHOUT_TVM, str(tmp_path / "artifact")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "loaded:"


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_buffers_need_the_alignment_of_an_element_only(shift: int) -> None:
    call = BACKEND.load(built("add", ranks={"S": 1}, dims={"S": 1000}))
    a, b, y = (np.random.default_rng(i).standard_normal(1000 + shift).astype(np.float32)[shift:] for i in range(3))
    call(a, b, y)
    np.testing.assert_array_equal(y, a + b)


def test_torch_tensors_and_numpy_arrays_are_written_in_place() -> None:
    torch = pytest.importorskip("torch")
    call = BACKEND.load(built("relu", ranks={"S": 2}, dims={"S_0": 6, "S_1": 7}))
    x, y = torch.randn(6, 7), torch.empty(6, 7)
    call(x, y)
    assert torch.equal(y, torch.relu(x))
    call(x.numpy(), y.zero_().numpy())
    assert torch.equal(y, torch.relu(x))


def test_run_time_attributes_are_passed_in_order() -> None:
    artifact = built("layer_norm", ranks={"S": 1}, dims={"S": 3, "C": 8})
    x, gamma, beta, y = (
        np.ones((3, 8), np.float32),
        np.ones(8, np.float32),
        np.zeros(8, np.float32),
        np.empty((3, 8), np.float32),
    )
    x[:, 0] = 2
    BACKEND.load(artifact)(x, gamma, beta, y, 1e6)
    assert np.abs(y).max() < 1e-2


def test_threads_do_not_share_a_workspace() -> None:
    last = {"x": channels_last(1, 16, 20, 20), "w": weights_last(48, 16, 3, 3), "y": channels_last(1, 48, 20, 20)}
    program = program_of("conv2d", **CONVOLUTION)
    graph = graph_of(program, last)
    assert graph.workspaces
    call = BACKEND.load(BACKEND.build(module_of(graph)))
    inputs = [inputs_of(program, seed) for seed in range(4)]
    expected = [run_compiled(graph, i)["y"].copy() for i in inputs]
    wrong: list[int] = []

    def work(number: int) -> None:
        x = np.ascontiguousarray(inputs[number]["x"].transpose(0, 2, 3, 1))
        w = np.ascontiguousarray(inputs[number]["w"].transpose(2, 3, 1, 0))
        y = np.empty((1, 20, 20, 48), np.float32)
        for _ in range(30):
            call(x, w, y)
            if not np.array_equal(y.transpose(0, 3, 1, 2), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_has_threads_of_its_own() -> None:
    call = BACKEND.load(built("relu", ranks={"S": 1}, dims={"S": 300_000}))
    x = np.linspace(-1, 1, 300_000, dtype=np.float32)
    y = np.empty_like(x)
    call(x, y)
    child = os.fork()
    if child == 0:
        y[:] = 7
        call(x, y)
        os._exit(0 if (y == np.maximum(x, 0)).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_kernels_named_like_library_functions_do_not_take_their_place() -> None:
    text = "op expf(x: f64[N]) -> (y: f64[N]) { y[n] = exp(x[n]) }"
    x = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(run_compiled(graph_of(program_of(text, types={}, dims={"N": 9})), {"x": x})["y"], np.exp(x))
    text = text.replace("expf", "exp_kernel").replace("op exp_kernel", "op exp2")
    np.testing.assert_allclose(run_compiled(graph_of(program_of(text, types={}, dims={"N": 9})), {"x": x})["y"], np.exp(x))


def test_a_library_is_unloaded_with_its_last_function() -> None:
    """A process that has run thousands of kernels has room for more."""
    graph = graph_of(program_of("op twice(x: f32[N]) -> (y: f32[N]) { y[n] = x[n] + x[n] }", types={}, dims={"N": 5}))

    def mapped() -> int:
        return sum("uol-" in line for line in Path("/proc/self/maps").read_text().splitlines())

    gc.collect()
    before = mapped()
    call = BACKEND.load(BACKEND.build(module_of(graph)))
    assert mapped() > before
    x, y = np.ones(5, np.float32), np.zeros(5, np.float32)
    call(x, y)
    assert (y == 2).all()
    del call
    gc.collect()
    assert mapped() == before


@pytest.mark.parametrize("wanted", ["abc", "0", "-2", "1.5"])
def test_a_number_of_threads_that_is_none(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_NUM_THREADS", wanted)
    with pytest.raises(UolError, match=f"UOL_NUM_THREADS is {wanted!r}"):
        core_count()
    monkeypatch.setenv("UOL_NUM_THREADS", "3")
    assert core_count() == 3
