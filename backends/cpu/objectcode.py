"""From PrimFuncs to a shared library: TensorIR lowering, LLVM, the system's linker."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from uol.backends.cpu.dtypes import Term
from uol.backends.cpu.host import core_count, host
from uol.ir.errors import ToolchainError

LINKERS = ("ld", "ld.lld", "ld.gold", "cc", "gcc", "clang")


def object_code(functions: Sequence[Term]) -> bytes:
    """A relocatable object with every function under its name. They may call each other."""
    module = _llvm_module(functions)
    with tempfile.TemporaryDirectory(prefix="uol-") as folder:
        path = Path(folder) / "kernels.o"
        module.write_to_file(str(path), "o")
        return path.read_bytes()


def assembly(functions: Sequence[Term], form: str = "asm") -> str:
    """The same as text: "asm" or "ll" (LLVM IR)."""
    return str(_llvm_module(functions).inspect_source(form))


def _llvm_module(functions: Sequence[Term]) -> Term:
    """No pass that simplifies values runs here: TVM's simplifier knows neither NaN nor infinity. LLVM, which does, is
    left to optimise; indices are simplified where they are made."""
    os.environ.setdefault("TVM_NUM_THREADS", str(core_count()))  # read when TVM is imported
    import tvm
    from tvm.tirx import transform

    target = tvm.target.Target({"kind": "llvm", "mcpu": host().mcpu})
    module = tvm.IRModule({str(f.attrs["global_symbol"]): f for f in functions})
    lowering = (
        transform.BindTarget(target),
        transform.FlattenBuffer(),
        transform.VectorizeLoop(True),
        transform.UnrollLoop(),
        transform.ConvertSSA(),
        transform.LowerTVMBuiltin(),
        transform.LowerIntrin(),
    )
    return tvm.get_global_func("target.build.llvm")(tvm.ir.transform.Sequential(lowering)(module), target)


def link(code: bytes) -> bytes:
    """The object as a shared library. Raises ToolchainError where there is no linker."""
    linker = next((path for name in LINKERS if (path := shutil.which(name))), None)
    if linker is None:
        raise ToolchainError("no linker was found to turn a kernel's object code into a library", hint="install binutils")
    with tempfile.TemporaryDirectory(prefix="uol-") as folder:
        source, result = Path(folder) / "kernels.o", Path(folder) / "kernels.so"
        source.write_bytes(code)
        done = subprocess.run([linker, "-shared", "-o", str(result), str(source)], capture_output=True, text=True)
        if done.returncode:
            raise ToolchainError(f"{linker} refused the object code: {done.stderr.strip()}")
        return result.read_bytes()
