"""`UOL_DUMP=dir` keeps every stage of every kernel: one folder a request, one file a stage.

    dir/softmax-cuda-a100-1f3a90c2/1-op.uol  2-program.txt  3-kernels.txt  4-schedules.txt  softmax.cu  build.log
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from uol.codegen.backend import Module
from uol.codegen.specs.nodes import KernelGraph
from uol.compilation.compile_key import Request
from uol.ir.errors import ResourceError
from uol.ir.program.nodes import Program


@dataclass(frozen=True, slots=True)
class Dump:
    """The folder of one request; without a folder nothing is written."""

    folder: Path | None

    @staticmethod
    def is_on() -> bool:
        return bool(os.environ.get("UOL_DUMP"))

    @staticmethod
    def of(request: Request) -> Dump:
        if not Dump.is_on():
            return Dump(None)
        name = f"{request.instance.op.name}-{request.target.name.replace(':', '-')}-{request.key('module').digest[:8]}"
        return Dump(Path(os.environ["UOL_DUMP"]) / name)

    def program(self, program: Program) -> None:
        if self.folder is None:
            return
        from uol.codegen.specs.printer import program_text

        self._write("1-op.uol", program.text + "\n")
        self._write("2-program.txt", program_text(program))

    def graph(self, graph: KernelGraph) -> None:
        if self.folder is None:
            return
        from uol.codegen.specs.printer import graph_text

        self._write("3-kernels.txt", graph_text(graph))

    def module(self, module: Module) -> None:
        lines = [f"{k.name}: {k.schedule.describe()}\n  {k.launch}\n  {k.footprint}\n" for k in module.kernels]
        self._write("4-schedules.txt", "".join(lines))
        for file in (module.device, *module.host):
            self._write(file.name, file.text)

    def log(self, text: str) -> None:
        self._write("build.log", text)

    def _write(self, name: str, text: str) -> None:
        if self.folder is None:
            return
        try:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise ResourceError(
                f"cannot write {str(self.folder)!r}: {error.strerror or error}",
                hint="set UOL_DUMP to a folder that can be written, or unset it",
            ) from error
