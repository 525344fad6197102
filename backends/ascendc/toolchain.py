"""From a module to a shared library: bisheng, Huawei's compiler, which comes with the CANN toolkit.

Not run so far where this was written: no CANN toolkit was at hand. The command is the build line of the bundle.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from uol.backends.toolchain.running import compiled, folder_of, said_of_version
from uol.backends.toolchain.tool_identity import identities_of, identity_of
from uol.codegen.backend import Artifact, Module, ToolState
from uol.ir.errors import ToolchainError

HINT = "install Huawei's CANN toolkit (8.3 or later) and source its set_env.sh, which sets ASCEND_HOME_PATH"
COST = "Ascend C kernels are checked in the twin, but not compiled or run"
TOOLKIT_FOLDERS = ("bin", "compiler/ccec_compiler/bin", "tools/bisheng_compiler/bin")


def bisheng() -> str | None:
    """The compiler: on the path, or in the toolkit that ASCEND_HOME_PATH names."""
    home = os.environ.get("ASCEND_HOME_PATH")
    places = os.pathsep.join(str(Path(home) / part) for part in TOOLKIT_FOLDERS) if home else ""
    return shutil.which("bisheng") or shutil.which("bisheng", path=places)


def build(module: Module) -> Artifact:
    """The shared library with the C interface of the operator. Raises ToolchainError without a compiler, or its refusal."""
    compiler = bisheng()
    if compiler is None:
        raise ToolchainError("no Ascend C compiler (bisheng) was found", hint=HINT)
    command = ["sh", "-c", module.build.replace("bisheng", f"'{compiler}'", 1)]
    with folder_of(module) as folder:
        binary, log = compiled("bisheng", command, module, folder, f"libuol_{module.graph.name}.so")
    return Artifact(module, binary, None, log)


def identities() -> dict[str, str]:
    """bisheng, and the versions of the toolkit whose headers and libraries it takes."""
    home = os.environ.get("ASCEND_HOME_PATH", "")
    versions = [str(p) for name in ("version.*", "*/version.info") for p in sorted(Path(home).glob(name))] if home else []
    return {"bisheng": identity_of(bisheng()), "toolkit": f"{home} {identities_of(versions)}"}


def states() -> tuple[ToolState, ...]:
    """bisheng, as `uol doctor` shows it."""
    compiler = bisheng()
    detail = f"{compiler}, version {_version(compiler)}" if compiler else "not found"
    return (ToolState("bisheng", compiler is not None, detail, COST, HINT),)


def _version(compiler: str) -> str:
    found = re.search(r"version ([\w.]+)", said_of_version(compiler))
    return found[1] if found else "unknown"
