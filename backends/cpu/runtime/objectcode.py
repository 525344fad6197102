"""From PrimFuncs to assembler text and a shared library: TensorIR lowering, LLVM, the system's assembler and linker."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence

from uol.backends.cache.disk_errors import build_folder
from uol.backends.cpu.expressions.builder import with_llvm
from uol.backends.cpu.expressions.dtypes import Term
from uol.backends.cpu.host import Host, core_count
from uol.backends.toolchain.running import run_tool
from uol.ir.errors import MissingToolError, ToolchainError

LIBRARY_FLAGS = ("-shared", "-Bsymbolic")
"""A kernel's calls of its neighbours are its own, whatever else the process has loaded."""


def assembly(functions: Sequence[Term], host: Host, form: str = "asm", *, optimised: bool = True, llvm_text: str = "") -> str:
    """The functions as assembler text (or, with form "ll", LLVM IR). They may call each other, and those of `llvm_text`. What
    is not optimised takes a tenth of the time to build and several times as long to run."""
    if llvm_text:
        functions = (with_llvm(functions[0], llvm_text), *functions[1:])
    text = str(_llvm_module(functions, host, optimised).inspect_source(form))
    return _without_debug_sections(text) if form == "asm" else text


def _llvm_module(functions: Sequence[Term], host: Host, optimised: bool) -> Term:
    """No pass that simplifies runs here: TVM's simplifier knows neither NaN nor infinity, and FlattenBuffer's of indices
    divides by zero in some quotients (buffers are flat already). LLVM is left to optimise."""
    os.environ.setdefault("TVM_NUM_THREADS", str(core_count()))  # read when TVM is imported
    import tvm
    from tvm.tirx import transform

    target = tvm.target.Target(host.target | ({} if optimised else {"opt-level": 0}))
    module = tvm.IRModule({str(f.attrs["global_symbol"]): f for f in functions})
    lowering = (
        transform.BindTarget(target),
        transform.VectorizeLoop(True),
        transform.UnrollLoop(),
        transform.ConvertSSA(),
        transform.LowerTVMBuiltin(),
        transform.LowerIntrin(),
    )
    return tvm.get_global_func("target.build.llvm")(tvm.ir.transform.Sequential(lowering)(module), target)


def _without_debug_sections(text: str) -> str:
    """TVM describes lines of no file; older assemblers refuse the form."""
    kept: list[str] = []
    in_debug = False
    for line in text.splitlines():
        if re.match(r"\s*(\.section|\.text|\.data|\.bss)\b", line):
            in_debug = ".debug_" in line
        if not in_debug and not re.match(r"\s*(\.loc\b|\.file\s+\d|\.cfi_sections\b)", line):
            kept.append(line)
    return "\n".join(kept) + "\n"


def linked(text: str) -> tuple[bytes, str]:
    """(shared library, what the tools said) of assembler text. Raises ToolchainError where a tool is missing or refuses it."""
    with build_folder() as folder:
        source, code, library = (folder / name for name in ("kernels.s", "kernels.o", "kernels.so"))
        source.write_text(text)
        log = _run("as", "-o", str(code), str(source))
        log += _run("ld", *LIBRARY_FLAGS, "-o", str(library), str(code))
        return library.read_bytes(), log


def _run(tool: str, *arguments: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise MissingToolError(f"`{tool}` was not found; CPU kernels need an assembler and a linker", hint="install binutils")
    done = run_tool(tool, [path, *arguments])
    if done.returncode:
        raise ToolchainError(f"{tool} refused a kernel: {done.stderr.strip()}", hint="install a newer binutils (2.35 or later)")
    return done.stderr
