"""bisheng and AscendCL, neither of which is here: the commands, calls and messages, against stand-ins that record them."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from simt_cases import Case, module_of
from stub_operators import module_of_text

from uol.backends import registry
from uol.backends.abi.interface import workspace_layout
from uol.backends.ascendc import runtime, toolchain
from uol.backends.ascendc.runtime import Attr, Runtime, Tensor, attr_of, loaded, opened
from uol.codegen.backend import Module
from uol.ir.errors import ShapeError, ToolchainError
from uol.ir.program.nodes import Scalar

BACKEND = registry.get("ascendc")
SOFTMAX = Case("softmax", {"S": 5, "C": 257}, "f16", rank=1)
LINEAR = Case("linear", {"S": 33, "N": 65, "K": 17}, "f16", rank=1)


@pytest.fixture
def module() -> Module:
    return module_of(SOFTMAX, "ascendc")


@pytest.fixture
def bisheng(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script in the compiler's place; it finds itself in the folder of the files."""

    def place(script: str) -> Path:
        home = tmp_path / "cann"
        (home / "bin").mkdir(parents=True)
        compiler = home / "bin" / "bisheng"
        compiler.write_text(f"#!/bin/sh\n{script}\n")
        compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("ASCEND_HOME_PATH", str(home))
        return tmp_path

    return place


def test_without_a_compiler_the_error_says_what_to_install(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    if toolchain.bisheng() is not None:
        pytest.skip("bisheng is installed here")
    with pytest.raises(ToolchainError, match=r"no Ascend C compiler \(bisheng\) was found") as error:
        BACKEND.build(module)
    assert "CANN" in str(error.value.hint)


def test_the_build_line_of_the_bundle_is_what_runs(module: Module, bisheng: Callable[[str], Path]) -> None:
    folder = bisheng('echo "$@" > $ASCEND_HOME_PATH/said; ls > $ASCEND_HOME_PATH/files; printf ELF > libuol_softmax.so')
    artifact = BACKEND.build(module)
    assert artifact.binary == b"ELF"
    said = (folder / "cann" / "said").read_text()
    assert said.startswith("--npu-arch=dav-2201 -O2 -std=c++17 -xasc -fPIC -shared ")
    assert "softmax_host.cpp -o libuol_softmax.so" in said
    assert module.build.startswith("bisheng --npu-arch=dav-2201 ")
    files = (folder / "cann" / "files").read_text().split()
    assert set(files) == {"softmax.cpp", "softmax_host.cpp", "uol_softmax.h", "uol_abi.h"}


def test_a_refusal_comes_back_at_the_line_of_the_op(module: Module, bisheng: Callable[[str], Path]) -> None:
    lines = module.device.text.splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "Exp(" in line)
    bisheng(f"echo 'softmax.cpp:{number}:5: error: no matching function for call' >&2; exit 1")
    with pytest.raises(ToolchainError, match="no matching function for call") as error:
        BACKEND.build(module)
    assert error.value.span is not None
    assert error.value.span.line == 3
    assert "e[*s, c] = exp(" in str(error.value)


def test_a_bundle_whose_toolkit_is_not_set_up_says_so(module: Module, tmp_path: Path) -> None:
    surroundings = {name: value for name, value in os.environ.items() if name != "ASCEND_HOME_PATH"}
    script = f"set -eu\n{module.build}\n"
    done = subprocess.run(["sh", "-c", script], env=surroundings, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ASCEND_HOME_PATH: set it to the CANN toolkit, e.g. by sourcing set_env.sh" in done.stderr


def test_a_toolkit_may_lie_in_a_folder_with_a_space(module: Module, tmp_path: Path) -> None:
    home = tmp_path / "my cann"
    script = f'bisheng() {{ for word; do echo "$word"; done; }}\n{module.build}\n'
    surroundings = {**os.environ, "ASCEND_HOME_PATH": str(home)}
    done = subprocess.run(["sh", "-c", script], env=surroundings, capture_output=True, text=True, check=True)
    assert {f"-I{home}/include", f"-L{home}/lib64"} <= set(done.stdout.splitlines())


def test_doctor_names_what_is_missing_and_what_it_costs() -> None:
    states = {s.name: s for s in BACKEND.doctor()}
    assert set(states) == {"bisheng", "Ascend device"}
    for state in states.values():
        assert "twin" in state.cost_if_absent
        assert state.install_hint


class Recorder:
    """AscendCL as far as a loader calls it: device memory is the host's."""

    def __init__(self, saturates: bool = False, initialised: int = 0) -> None:
        self.calls: list[str] = []
        self.memory: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self.saturates, self.initialised = saturates, initialised

    def do_aclInit(self, configuration: object) -> int:
        return self.initialised

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*arguments: object) -> int:
            self.calls.append(name)
            return int(getattr(self, f"do_{name}", lambda *a: 0)(*arguments))

        if name.startswith("do_"):
            raise AttributeError(name)
        return call

    def do_aclrtMalloc(self, address: Any, size: ctypes.c_size_t, policy: int) -> int:
        block = ctypes.create_string_buffer(size.value)
        self.memory[ctypes.addressof(block)] = block
        ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))[0] = ctypes.addressof(block)
        return 0

    def do_aclrtFree(self, address: ctypes.c_void_p) -> int:
        return 0 if self.memory.pop(address.value or 0, None) is not None else 1

    def do_aclrtMemcpy(
        self, to: ctypes.c_void_p, room: ctypes.c_size_t, source: ctypes.c_void_p, size: ctypes.c_size_t, direction: int
    ) -> int:
        ctypes.memmove(to, source, size.value)
        return 0 if room.value >= size.value else 1

    def do_aclrtGetDeviceSatMode(self, mode: Any) -> int:
        ctypes.cast(mode, ctypes.POINTER(ctypes.c_int))[0] = 0 if self.saturates else 1
        return 0


def runtime_of(recorder: Recorder) -> Runtime:
    return Runtime(cast(ctypes.CDLL, recorder))


def test_a_call_passes_the_c_interface_what_the_operator_expects() -> None:
    module, recorder = module_of(LINEAR, "ascendc"), Recorder()
    seen: dict[str, object] = {}

    def operator(stream: object, workspace: Any, size: Any, tensors: Any, n: Any, *attrs: object) -> int:
        rows = [tensors[i] for i in range(n.value)]
        seen["shapes"] = [[t.shape[d] for d in range(t.ndim)] for t in rows]
        seen["strides"] = [[t.strides[d] for d in range(t.ndim)] for t in rows]
        seen["dtypes"] = [t.dtype for t in rows]
        seen["workspace"] = size.value
        seen["place"] = workspace.value % 512
        ctypes.memset(rows[-1].data, 7, 33 * 65 * 2)
        return 0

    call = loaded(module.graph, runtime_of(recorder), operator)
    arrays = [np.zeros(shape, np.float16) for shape in ((33, 17), (65, 17), (65,), (33, 65))]
    call(*arrays)
    assert seen["shapes"] == [[33, 17], [65, 17], [65], [33, 65]]
    assert seen["strides"] == [[17, 1], [17, 1], [1], [65, 1]]
    assert seen["dtypes"] == [2, 2, 2, 2]
    assert seen["workspace"] == -(-33 * 65 * 4 // 512) * 512
    assert seen["place"] == 0, "aclrtMalloc promises 64 bytes"
    assert arrays[-1].tobytes() == b"\x07" * (33 * 65 * 2)
    assert len(recorder.memory) == 1  # the workspace stays, what was staged is freed
    with pytest.raises(ShapeError, match="linear takes 4 arguments: x, w, b, y"):
        call(*arrays[:-1])


def test_a_refused_call_is_an_error() -> None:
    module = module_of(SOFTMAX, "ascendc")
    call = loaded(module.graph, runtime_of(Recorder()), lambda *a: 5)
    with pytest.raises(ToolchainError, match="softmax refused the call with code 5"):
        call(np.zeros((5, 257), np.float16), np.zeros((5, 257), np.float16))


def test_a_device_that_saturates_is_refused() -> None:
    library = Recorder()
    opened(runtime_of(library))
    assert library.calls == ["aclInit", "aclrtSetDevice", "aclrtGetDeviceSatMode"]
    with pytest.raises(ToolchainError, match="saturation mode"):
        opened(runtime_of(Recorder(saturates=True)))


def test_what_has_been_initialised_by_another_is_used() -> None:
    """As by torch_npu: 100002 is ACL_ERROR_REPEAT_INITIALIZE of acl_base.h. Its neighbours are errors."""
    opened(runtime_of(Recorder(initialised=100002)))
    for status in (100000, 100001, 100003, 507033):
        with pytest.raises(ToolchainError, match=f"aclInit failed with status {status}"):
            opened(runtime_of(Recorder(initialised=status)))


def test_buffers_between_kernels_lie_at_multiples_of_512_bytes() -> None:
    """In the loader and in the launcher, which refuses another workspace."""
    module = module_of_text("ascendc", dtype="f16")
    offsets = workspace_layout(module.graph).offsets
    host = next(f.text for f in module.host if f.name == "three_products_host.cpp")
    assert len(offsets) > 1 and not any(offset % 512 for offset in offsets.values())
    assert all(f"static_cast<uint8_t*>(workspace) + {offset}" in host for offset in offsets.values())
    assert f"uol_check_workspace(workspace, workspace_bytes, {workspace_layout(module.graph).bytes}, 512)" in host
    header = next(f.text for f in module.host if f.name == "uol_three_products.h")
    assert f"workspace: {workspace_layout(module.graph).bytes} bytes, aligned to 512" in header


def test_structures_are_those_of_the_header() -> None:
    assert ctypes.sizeof(Tensor) == 32
    assert ctypes.sizeof(Attr) == 16
    header = (Path(runtime.__file__).parents[1] / "abi" / "uol_abi.h").read_text()
    for name, code in runtime.DTYPE_CODES.items():
        assert f"UOL_{name.upper()} = {code}" in header


def test_the_host_file_launches_every_kernel_in_order() -> None:
    module = module_of(LINEAR, "ascendc")
    host = next(f.text for f in module.host if f.name == "linear_host.cpp")
    launches = [line.strip() for line in host.splitlines() if "<<<" in line]
    assert [line.split("<<<")[0] for line in launches] == [k.name for k in module.kernels]
    tensors = "static_cast<uint8_t*>(tensors[0].data), static_cast<uint8_t*>(tensors[1].data)"
    first = f"{tensors}, static_cast<uint8_t*>(workspace) + 0"
    assert launches[0] == f"linear_product_kernel<<<{module.kernels[0].launch.grid[0]}, nullptr, stream>>>({first});"
    assert '#include "linear.cpp"' in host


def test_what_has_no_address_or_is_no_number_is_an_error() -> None:
    module = module_of(SOFTMAX, "ascendc")
    call = loaded(module.graph, runtime_of(Recorder()), lambda *a: 0)
    with pytest.raises(ShapeError, match="x is a list, which has no address") as error:
        call([1.0], np.zeros((5, 257), np.float16))
    assert "numpy array" in str(error.value.hint)
    attribute = Scalar("alpha", "f32")
    with pytest.raises(ShapeError, match="alpha is a list"):
        attr_of(attribute, [1.0])
    assert attr_of(attribute, np.float32(2)).value.f == 2.0
    assert attr_of(Scalar("n", "i64"), np.int32(7)).value.i == 7
