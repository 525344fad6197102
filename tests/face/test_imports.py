"""What importing costs: neither torch nor TVM before they are needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROBE = """
import sys
before = set(sys.modules)
{code}
loaded = set(sys.modules) - before
import json
print(json.dumps(sorted(m for m in {names} if m in loaded)))
"""
HEAVY = ("torch", "tvm", "tvm_ffi", "numpy", "lark", "jinja2")
MILLISECONDS = (
    *("argparse", "ast", "concurrent", "dataclasses", "decimal", "enum", "importlib.resources", "inspect", "json", "logging"),
    *("multiprocessing", "pathlib", "random", "re", "shutil", "statistics", "subprocess", "tempfile", "tomllib", "traceback"),
)
"""Modules of Python that take as long to import as all of what `import uol` does, or nearly so."""


def loaded_after(code: str, tmp_path: Path, names: Sequence[str] = HEAVY, **environment: str) -> list[str]:
    """Which modules of these names `code` loads in a fresh process."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE.format(code=code, names=tuple(names))],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    modules: list[str] = json.loads(run.stdout.splitlines()[-1])
    return modules


@pytest.mark.parametrize("code", ["import uol", "import uol.ir", "import uol.ops", "import uol; uol.UolError; uol.__version__"])
def test_the_packages_are_light(code: str, tmp_path: Path) -> None:
    assert loaded_after(code, tmp_path) == []


def test_importing_loads_little_of_python(tmp_path: Path) -> None:
    """A program that imports uol may call it later, or not at all."""
    assert loaded_after("import uol", tmp_path, MILLISECONDS) == []


def test_parsing_and_printing_take_neither_torch_nor_tvm(tmp_path: Path) -> None:
    code = "import uol.ir; uol.ir.print_op(uol.ir.parse('op f(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] }')[0])"
    assert not {"torch", "tvm", "tvm_ffi"} & set(loaded_after(code, tmp_path))


def test_tvm_comes_without_torch(tmp_path: Path) -> None:
    code = "from uol.ir.without_torch import import_tvm; import_tvm()"
    assert "torch" not in loaded_after(code, tmp_path)


@pytest.mark.soak  # it loads PyTorch, too
def test_relax_comes_when_it_is_asked_for(tmp_path: Path) -> None:
    code = "from uol.ir.without_torch import import_tvm; import_tvm(); import tvm; assert not hasattr(tvm, 'relax'); "
    code += "assert 'tvm.relax' not in sys.modules; from tvm import relax; assert relax.BlockBuilder and tvm.relax is relax"
    assert "tvm" in loaded_after(code, tmp_path)


def test_torch_is_refused_to_tvm_alone(tmp_path: Path) -> None:
    code = "from uol.ir.without_torch import import_tvm; import_tvm(); import torch"
    loaded = loaded_after(code, tmp_path)
    assert "tvm" in loaded
    assert "torch" in loaded


def test_a_text_for_a_gpu_takes_neither_tvm_nor_torch_and_from_the_cache_nothing(tmp_path: Path) -> None:
    code = "import uol; uol.compile('conv2d', 'cuda', 'f16', dict(N=1, C=4, H=5, W=5, O=2, D=4, R=3, S=3), {'pad': 1}).source"
    cache = str(tmp_path / "cache")
    assert loaded_after(code, tmp_path, UOL_CACHE_DIR=cache) == ["jinja2", "lark"]
    assert loaded_after(code, tmp_path, UOL_CACHE_DIR=cache) == []


@pytest.mark.parametrize("op", ["softmax", "attention"])
def test_a_kernel_for_the_cpu_takes_tvm_without_torch(op: str, tmp_path: Path) -> None:
    loaded = loaded_after(f"import uol; uol.compile({op!r})", tmp_path, UOL_CACHE_DIR=str(tmp_path / "cache"))
    assert "tvm" in loaded
    assert "torch" not in loaded


def test_operators_on_tensors_take_nothing_of_pytorchs_compiler(tmp_path: Path) -> None:
    """And where an operator is only named, nothing of the passes that make kernels."""
    code = "import torch, uol; uol.ops.relu; assert 'uol.codegen.lowering' not in sys.modules; "
    code += "assert 'uol.codegen.specs.rewrites' not in sys.modules; "
    code += "uol.ops.relu(torch.ones(3)); uol.ops.sgd_; assert 'torch._dynamo' not in sys.modules"
    assert "torch" in loaded_after(code, tmp_path)


def test_checking_a_name_does_not_load_torch(tmp_path: Path) -> None:
    code = "import uol; assert not hasattr(uol.ops, 'no_such_operator')"
    assert not {"torch", "tvm"} & set(loaded_after(code, tmp_path))


def test_dir_names_the_operators() -> None:
    import uol

    assert {"compile", "op", "ops", "UolError"} <= set(dir(uol))
    assert {"softmax", "conv2d", "relu"} <= set(dir(uol.ops))
