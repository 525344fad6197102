"""Launchers of GPU bundles, built by a plain C++ compiler and run on a driver that takes notes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from simt_cases import Case, module_of

import uol
from uol.backends import registry
from uol.codegen.backend import Module
from uol.compilation.symbols import renamed

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler to build a launcher with")

STUB = Path(__file__).parents[3] / "strategies" / "stub_driver.cpp"
LIBRARIES = {"cuda": "libcuda.so.1", "hip": "libamdhip64.so"}
CALLS = {
    "cuda": ("cuModuleLoadData", "cuModuleGetFunction", "cuLaunchKernel"),
    "hip": ("hipModuleLoadData", "hipModuleGetFunction", "hipModuleLaunchKernel"),
}
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c++17")
SOFTMAX = Case("softmax", {"S": 5, "C": 257}, "f16", rank=1)

CALLER = """
#include <cstdio>
#include <dlfcn.h>
{includes}
static const int64_t shape[] = {{{shape}}};
int main() {{
  void* driver = dlopen("{driver}", RTLD_NOW);
  auto move = driver ? (void (*)(int))dlsym(driver, "stub_move") : nullptr;
  const uol_tensor tensors[] = {{{{(void*)4096, shape, nullptr, 2, UOL_F16}}, {{(void*)8192, shape, nullptr, 2, UOL_F16}}}};
  (void)move;
  {calls}
}}
"""
CALL = 'puts(uol_{op}_message(uol_{op}((void*)99, nullptr, 0, tensors, 2, nullptr, 0)));\n'


def written(module: Module, folder: Path) -> Path:
    """The module's texts, and binaries that are none: nobody reads them but the stub."""
    folder.mkdir(exist_ok=True)
    for file in (module.device, *module.host):
        (folder / file.name).write_text(file.text)
    for name in module.products:
        (folder / name).write_bytes(b"// a text\n" if name.endswith(".ptx") else b"\x7fELF a binary")
    return folder


Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stub")
    for target, library in LIBRARIES.items():
        flags = ["-DSTUB_HIP"] if target == "hip" else []
        subprocess.run(["c++", "-shared", "-fPIC", *flags, "-o", str(folder / library), str(STUB)], check=True)
    return folder


@pytest.fixture(scope="module")
def run(stub: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a program that calls these modules' operators prints, with the stub as driver. The same is built once."""
    built: dict[str, Path] = {}

    def run(*modules: Module, calls: str, driver: bool = True, **environment: str) -> list[str]:
        key = calls + "".join(module.host[0].text for module in modules)
        if key not in built:
            built[key] = linked(modules, calls, tmp_path_factory.mktemp("program"))
        found = {**os.environ, "LD_LIBRARY_PATH": str(stub) if driver else "", **environment}
        done = subprocess.run([built[key]], env=found, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return run


def linked(modules: Sequence[Module], calls: str, place: Path) -> Path:
    """A program with the launchers of all modules in it."""
    names = [module.graph.name for module in modules]
    folders = [written(module, place / module.graph.name) for module in modules]
    includes = "\n".join(f'#include "uol_{name}.h"' for name in names)
    text = CALLER.format(includes=includes, shape="5, 257", driver=LIBRARIES[modules[0].backend], calls=calls)
    (place / "caller.cpp").write_text(text)
    for name, folder in zip(names, folders, strict=True):
        subprocess.run(["c++", *WARNINGS, "-c", "-o", str(place / f"{name}.o"), f"{name}_host.cpp"], cwd=folder, check=True)
    objects = [f"{name}.o" for name in names]
    include = [f"-I{folder}" for folder in folders]
    subprocess.run(["c++", *include, "-o", "caller", "caller.cpp", *objects, "-ldl"], cwd=place, check=True)
    return place / "caller"


@pytest.mark.parametrize("target", LIBRARIES)
def test_kernels_are_loaded_once_and_launched_on_the_stream(target: str, run: Run) -> None:
    module = module_of(SOFTMAX, target)
    (kernel,) = module.kernels
    load, find, launch = CALLS[target]
    call = CALL.format(op="softmax")
    grid, block = (" ".join(map(str, each)) for each in (kernel.launch.grid, kernel.launch.block))
    enqueued = f"grid {grid} block {block} shared 0 stream 0x63 first 0x1000"
    first = [f"{load} binary -> 0", f"{find} softmax_kernel of 0x77"]
    assert run(module, calls=call + call + "move(2);\n" + call) == [
        *(*first, f"{launch} 0x1010 {enqueued}", "success"),
        *(f"{launch} 0x1010 {enqueued}", "success"),
        *(*first, f"{launch} 0x1020 {enqueued}", "success"),
    ]


def test_the_text_is_loaded_where_the_binary_does_not_fit(run: Run) -> None:
    module = module_of(SOFTMAX, "cuda")
    lines = run(module, calls=CALL.format(op="softmax"), UOL_STUB_NO_BINARIES="1")
    assert lines[:2] == ["cuModuleLoadData binary -> 209", "cuModuleLoadData text -> 0"]
    assert lines[-1] == "success"


def test_more_than_48_kb_of_shared_memory_is_asked_for_once(run: Run) -> None:
    module, backend = module_of(SOFTMAX, "cuda"), registry.get("cuda")
    (kernel,) = module.kernels
    large = replace(kernel, launch=replace(kernel.launch, shared_bytes=100 * 1024))
    made = backend.assemble(module.graph, (large,), backend.devices["a100"])
    lines = run(made, calls=2 * CALL.format(op="softmax"))
    assert [line for line in lines if line.startswith("cuFuncSetAttribute")] == ["cuFuncSetAttribute 0x1010 8 102400"]
    assert sum(" shared 102400 " in line for line in lines) == 2


@pytest.mark.parametrize("target", LIBRARIES)
def test_errors_come_back_in_the_driver_s_words(target: str, run: Run) -> None:
    module, call = module_of(SOFTMAX, target), CALL.format(op="softmax")
    for name in CALLS[target]:
        lines = run(module, calls=call, UOL_STUB_FAIL=f"{name} 700")
        assert lines[-1] == f"{name} failed: an illegal memory access was encountered"


@pytest.mark.parametrize(("fails", "device"), [("", 1), ("cuPointerGetAttribute 1", 0)])
def test_a_thread_without_a_context_enters_that_of_its_memory(fails: str, device: int, run: Run) -> None:
    """The stub has address 4096 on device 1. Of memory that the driver does not know it is the first device's."""
    call = CALL.format(op="softmax")
    lines = run(module_of(SOFTMAX, "cuda"), calls="move(0);\n" + call + call, UOL_STUB_FAIL=fails)
    assert lines[:2] == [f"cuDevicePrimaryCtxRetain {device}", f"cuCtxSetCurrent {0x100 + device:#x}"]
    assert [line for line in lines if "Ctx" in line] == lines[:2], "once in a thread"
    assert lines.count("success") == 2


@pytest.mark.parametrize("name", ["cuInit", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"])
def test_a_context_that_cannot_be_entered_is_an_error(name: str, run: Run) -> None:
    call = "move(0);\n" + CALL.format(op="softmax")
    lines = run(module_of(SOFTMAX, "cuda"), calls=call, UOL_STUB_FAIL=f"{name} 201")
    assert lines[-1] == "cuCtxGetCurrent failed: invalid device context"


@pytest.mark.parametrize("target", LIBRARIES)
def test_without_a_driver_the_launch_fails_and_says_so(target: str, run: Run) -> None:
    """The launchers look for a library that no machine has, so that one with a card shows it, too."""
    module = module_of(SOFTMAX, target)
    absent = tuple(replace(file, text=file.text.replace(LIBRARIES[target], "libabsent.so.1")) for file in module.host)
    assert absent != module.host
    lines = run(replace(module, host=absent), calls="// no driver\n" + CALL.format(op="softmax"), driver=False)
    assert lines == ["libabsent.so.1 failed: the device's driver was not found"]


@pytest.mark.parametrize("target", LIBRARIES)
def test_two_of_one_operator_are_linked_into_one_program(target: str, run: Run) -> None:
    """Each has launches, kernels and messages of its own."""
    module, backend = module_of(SOFTMAX, target), registry.get(target)
    device = backend.devices[backend.default_device]
    both = [renamed(module, name, backend, device) for name in ("softmax_a", "softmax_b")]
    lines = run(*both, calls="".join(CALL.format(op=each.graph.name) for each in both))
    assert [line.split()[1] for line in lines if line.startswith(CALLS[target][1])] == ["softmax_a_kernel", "softmax_b_kernel"]
    assert lines.count("success") == 2


OTHER = """
  {{
    const int64_t other[] = {{{shape}}};
    const uol_tensor both[] = {{{{(void*)4096, other, nullptr, 2, UOL_F16}}, {{(void*)8192, other, nullptr, 2, UOL_F16}}}};
    puts(uol_softmax_message(uol_softmax((void*)99, nullptr, 0, both, 2, nullptr, 0)));
  }}
"""


@pytest.mark.parametrize("target", LIBRARIES)
def test_one_library_launches_for_the_sizes_of_the_call(target: str, run: Run) -> None:
    module = uol.compile("softmax", target, "f16", {"S": None, "C": None}).module
    shapes = ("9, 2000", "0, 3", "65536, 65536")
    few = {"cuda": "1 1 1", "hip": "2 1 1"}[target]  # rows of a warp: eight, or four, to a block of 256 threads
    lines = run(module, calls=CALL.format(op="softmax") + "".join(OTHER.format(shape=shape) for shape in shapes))
    assert [line.split(" grid ")[1].split(" block")[0] for line in lines if " grid " in line] == [few, "9 1 1"]
    *right, beyond = [line for line in lines if not line.startswith(CALLS[target])]
    assert right == ["success"] * 3, "of no rows nothing is launched"
    assert beyond.startswith("softmax needs ") and "<= 2147483647" in beyond
