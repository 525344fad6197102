"""Tools that are run: what they make, what they refuse, and those that do not come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from uol.backends.toolchain.running import compiled, folder_of, run_tool, said_of_version
from uol.compilation.pipeline import module_of
from uol.compilation.request import Request, resolve_target
from uol.conformance.cases.verdict import Case
from uol.conformance.gradients.cases import fitting
from uol.ir.errors import ToolchainError
from uol.operators.registry import find_operator
from uol.ops.workloads import workloads_of


def test_a_compiler_sees_the_texts_and_its_file_comes_back() -> None:
    case = Case("relu", "cuda", "f32", workloads_of("relu")[0])
    module = module_of(Request(fitting(find_operator("relu"), case), resolve_target("cuda")))
    with folder_of(module) as folder:
        made, log = compiled("cat", ["sh", "-c", f"cat {module.device.name} > out; echo well"], module, folder, "out")
        assert (made.decode(), log) == (module.device.text, "well")
        with pytest.raises(ToolchainError, match="cat failed") as refused:
            compiled("cat", ["sh", "-c", "echo no such thing >&2; exit 3"], module, folder, "out")
        assert refused.value.hint == "no such thing"
        with pytest.raises(ToolchainError, match="failed"):
            compiled("true", ["true"], module, folder, "nothing")
    assert not folder.exists()


def test_a_tool_that_does_not_end_is_a_state_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="sleep did not finish in 0.1 s"):
        run_tool("sleep", ["sleep", "60"], tmp_path, timeout_s=0.1)


def test_a_version_is_what_a_tool_says_on_either_channel(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\necho "tool 1.2 $COLOUR"\necho "copyright" >&2\n')
    tool.chmod(0o755)
    assert said_of_version(str(tool), {"COLOUR": "green"}) == "tool 1.2 green\ncopyright\n"
