"""`import uol.ir`, and work on constant shapes, load neither TVM nor torch."""

import subprocess
import sys
from pathlib import Path

import pytest

import uol.ir

CORE = Path(__file__).parent / "texts" / "core.uol"

STATIC_WORK = f"""
import sys
import uol.ir as ir
library = ir.Library(ir.parse(open({str(CORE)!r}).read()))
op = library.get("conv2d")
dims = dict(N=1, C=3, H=224, W=224, O=64, D=3, R=7, S=7)
ir.instantiate(op, library, types={{"T": "f16"}}, dims=dims, attrs=dict(stride=2, pad=3))
"""


def loaded_after(code: str) -> set[str]:
    code += "\nimport sys; print(*(m for m in ('tvm', 'tvm_ffi', 'torch', 'lark', 'numpy') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light() -> None:
    assert loaded_after("import uol.ir") == set()


def test_parsing_and_constant_shapes_need_no_analyzer() -> None:
    assert loaded_after(STATIC_WORK) == {"lark"}


def test_a_symbolic_question_loads_the_analyzer() -> None:
    code = """
import uol.ir as ir
from uol.ir.program.nodes import Call, Var, Const
p, i = Var("p"), Var("i")
distance = Call("max", (Call("-", (i, p), "idx"), Call("-", (p, i), "idx")), "idx")
assert ir.Facts().prove(Call(">=", (distance, Const(0)), "bool"))
"""
    assert "tvm" in loaded_after(code)


def test_every_module_can_be_the_first_one() -> None:
    """The rooms of the checker know each other; none may need another to have been imported before it."""
    root = Path(uol.ir.__file__).parent
    files = (p for p in sorted(root.rglob("*.py")) if p.stem not in ("__init__", "analyzer"))
    modules = [".".join(p.relative_to(root).with_suffix("").parts) for p in files]
    code = f"""
import importlib, sys
for module in {modules!r}:
    for name in [m for m in sys.modules if m.startswith("uol")]:
        del sys.modules[name]
    importlib.import_module(f"uol.ir.{{module}}")
"""
    assert loaded_after(code) == {"lark", "numpy"}


def test_one_module_talks_to_tvm() -> None:
    sources = {p.stem: p.read_text() for p in Path(uol.ir.__file__).parent.rglob("*.py")}
    talkers = {name for name, text in sources.items() if "import tvm" in text or "from tvm" in text}
    assert talkers == {"analyzer", "without_torch"}, "the second one loads it"
    askers = [n for n, text in sources.items() if "from uol.ir.integers.analyzer" in text or "import analyzer" in text]
    assert askers == ["facts"]


@pytest.mark.parametrize("name", uol.ir.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(uol.ir, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'uol.ir' has no attribute 'parsing'"):
        uol.ir.parsing  # noqa: B018
