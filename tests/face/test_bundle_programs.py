"""Programs that use bundles: the example that lies in each, two shapes in one, and PyTorch without uol."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import uol
from uol.ir.errors import UolError

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler to build a bundle with")
STRICT = ("-Wall", "-Wextra", "-Werror", "-std=c++17")


def built(folder: Path) -> Path:
    done = subprocess.run(["sh", "build.sh"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def ran(folder: Path, op: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The example, built as its first lines say, without a warning."""
    command = ["c++", *STRICT, "-pedantic", "-o", "example", "example.cpp", "-L.", f"-luol_{op}", "-Wl,-rpath,$ORIGIN"]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run(["./example", *map(str, arguments)], cwd=folder, capture_output=True, text=True)


def filled(*shape: int) -> np.ndarray:
    """What the example fills its inputs with."""
    return np.resize([0.5, 1.0, -0.5, 2.0], shape)


def test_the_example_runs(tmp_path: Path) -> None:
    folder = built(uol.compile("linear", dims={"S": 3, "K": 6, "N": 5}).bundle(tmp_path))
    done = ran(folder, "linear")
    assert done.returncode == 0, done.stderr
    expected = (filled(3, 6) @ filled(5, 6).T + filled(5)).sum()
    assert done.stdout == f"y: 60 bytes, sum {expected:.9g}\n"


@pytest.fixture(scope="module")
def group_norm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with open sizes, buffers between its kernels, and a run-time attribute."""
    return built(uol.compile("group_norm", attrs={"groups": 2}).bundle(tmp_path_factory.mktemp("bundle")))


def test_the_example_takes_the_sizes_that_are_open(group_norm: Path) -> None:
    folder = group_norm
    x = torch.from_numpy(filled(2, 4, 5))
    expected = torch.nn.functional.group_norm(x, 2, *(torch.from_numpy(filled(4)) for _ in range(2)), eps=0.5).sum()
    done = ran(folder, "group_norm", 2, 4, 5)
    found = re.fullmatch(r"y: 160 bytes, sum (\S+)\n", done.stdout)
    assert found, done.stderr
    assert float(found[1]) == pytest.approx(float(expected), rel=1e-5)
    refused = subprocess.run(["./example", "2", "3", "5"], cwd=folder, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (1, "group_norm needs C % 2 == 0, C * S > 0\n")


VENDORS = [
    ("cuda", ("nvcc", "-Xcompiler", "-Wall,-Wextra,-Werror")),
    pytest.param("hip", ("hipcc", "-Wall", "-Wextra", "-Werror"), marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("target", "compiler"), VENDORS, ids=["nvcc", "hipcc"])
def test_the_example_is_built_by_the_vendor_s_compiler(
    target: str, compiler: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not run: there is no device."""
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    monkeypatch.setenv("HIP_PLATFORM", "amd")
    folder = built(uol.compile("softmax", target, "f16", {"S": 3, "C": 33}).bundle(tmp_path))
    command = [*compiler, "-std=c++17", "-o", "example", "example.cpp", "-L.", "-luol_softmax"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


TWO = """
#include <cstdio>
#include "uol_softmax_f32_C4_S2.h"
#include "uol_softmax_f32_C8_S3.h"
int main() {
  float x[24], y[24];
  for (int n = 0; n < 24; ++n) x[n] = (float)(n * n % 7);
  const int64_t small[] = {2, 4}, large[] = {3, 8};
  const uol_tensor of_small[] = {{x, small, nullptr, 2, UOL_F32}, {y, small, nullptr, 2, UOL_F32}};
  const uol_tensor of_large[] = {{x, large, nullptr, 2, UOL_F32}, {y, large, nullptr, 2, UOL_F32}};
  if (uol_softmax_f32_C4_S2(nullptr, nullptr, 0, of_small, 2, nullptr, 0) != UOL_OK) return 1;
  for (int n = 0; n < 8; ++n) printf("%.9g ", y[n]);
  if (uol_softmax_f32_C8_S3(nullptr, nullptr, 0, of_large, 2, nullptr, 0) != UOL_OK) return 1;
  for (int n = 0; n < 24; ++n) printf("%.9g ", y[n]);
  puts(uol_softmax_f32_C8_S3_message(uol_softmax_f32_C8_S3(nullptr, nullptr, 0, of_small, 2, nullptr, 0)));
}
"""


def test_two_shapes_of_one_operator_are_one_program(tmp_path: Path) -> None:
    """All objects in one link, which takes no symbol twice."""
    folders = [uol.compile("softmax", dims=d, symbol="auto").bundle(tmp_path) for d in ({"S": 2, "C": 4}, {"S": 3, "C": 8})]
    assert [f.name for f in folders] == ["softmax_f32_C4_S2-cpu-host", "softmax_f32_C8_S3-cpu-host"]
    (tmp_path / "main.cpp").write_text(TWO)
    texts = [str(file) for folder in folders for file in folder.iterdir() if file.name.endswith(("_host.cpp", ".s"))]
    subprocess.run(["cc", "-c", "-o", "threads.o", str(folders[0] / "uol_threads.c")], cwd=tmp_path, check=True)
    include = [f"-I{folder}" for folder in folders]
    command = ["c++", *STRICT, *include, "-o", "two", "main.cpp", *texts, "threads.o", "-pthread"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./two"], cwd=tmp_path, capture_output=True, text=True)
    *numbers, message = done.stdout.split(" ", 32)
    assert message == "x must have the shape [3, 8]\n"
    x = torch.arange(24.0) ** 2 % 7
    expected = torch.cat([x[:8].view(2, 4).softmax(-1).flatten(), x.view(3, 8).softmax(-1).flatten()])
    np.testing.assert_allclose(np.array(numbers, np.float64), expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_the_header_says_how_tensors_are_aligned_and_what_may_overlap(target: str) -> None:
    def result_of(op: str, dtype: str, **sizes: int) -> str:
        host = uol.compile(op, target, dtype, sizes).module.host
        (text,) = (file.text for file in host if file.name == f"uol_{op}.h")
        return next(line for line in text.splitlines() if " out " in line)

    assert result_of("add", "f16", S=6).endswith("y: f16[6], strides [1], aligned to 2 bytes; may lie where a or b lies")
    assert result_of("softmax", "f32", S=2, C=3).endswith("y: f32[2, 3], strides [3, 1], aligned to 4 bytes")


def test_a_symbol_carries_what_its_template_says(tmp_path: Path) -> None:
    def symbol(text: str) -> str:
        sizes = {"N": 1, "C": 4, "H": 5, "W": 5, "O": 2, "D": 4, "R": 3, "S": 3}
        return uol.compile("conv2d", "cuda", "f16", sizes, {"pad": 1}, symbol=text).module.graph.name

    assert symbol("") == "conv2d"
    assert symbol("mine") == "mine"
    assert symbol("{op}_{types}") == "conv2d_f16"
    assert symbol("auto").startswith("conv2d_f16_N1_C4_H5_W5_O2_D4_R3_S3_")
    for wrong in ("{size}", "a-b", "1a", "{", "{op}_" + "x" * 200):
        with pytest.raises(UolError, match="symbol"):
            symbol(wrong)


def test_schedules_go_by_the_kernels_own_names() -> None:
    given = {"target": "cuda", "dims": {"S": 4, "C": 70}, "schedule": "kernel=softmax,threads=128"}
    plain, named = uol.compile("softmax", **given), uol.compile("softmax", **given, symbol="rows")
    assert [k.name for k in named.module.kernels] == ["rows_kernel"]
    assert named.source.replace("rows_kernel", "softmax_kernel").splitlines()[1:] == plain.source.splitlines()[1:]


FROM_PYTORCH = """
import sys
sys.modules["uol"] = None
sys.path.insert(0, {folders[0]!r})
import torch, torch_extension

def refusal(call):
    try:
        call()
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"

norm, softmax = map(torch_extension.load, {folders!r})
x, gamma, beta = torch.randn(2, 4, 5), torch.randn(4), torch.randn(4)
for given in (x, x.repeat(3, 1, 2), torch.randn(5, 4, 2).transpose(0, 2)):
    for options in ({{}}, {{"eps": 0.5}}):
        expected = torch.nn.functional.group_norm(given, 2, gamma, beta, **options)
        torch.testing.assert_close(norm(given, gamma, beta, **options), expected)
torch.library.opcheck(norm, (x, gamma, beta), {{"eps": 0.1}})
y = torch.randn(3, 8).half()
torch.testing.assert_close(softmax(y), y.softmax(-1), atol=1e-3, rtol=1e-3)
compiled = torch.compile(lambda y: softmax(y) * 2, backend="eager", fullgraph=True)
torch.testing.assert_close(compiled(y), softmax(y) * 2)
print(refusal(lambda: softmax(y.float())))
print(refusal(lambda: softmax(y[:2])))
print(refusal(lambda: norm(x[:, :3], gamma[:3], beta[:3])))
print(refusal(lambda: norm(x, gamma.to("meta"), beta)))
print(refusal(lambda: torch_extension.load("/nowhere"))[:17])
print(softmax.default._schema)
"""


def test_pytorch_calls_a_bundle_without_uol(group_norm: Path, tmp_path: Path) -> None:
    softmax = built(uol.compile("softmax", "cpu", "f16", {"S": 3, "C": 8}, symbol="{op}_{types}").bundle(tmp_path))
    text = FROM_PYTORCH.format(folders=[str(group_norm), str(softmax)])
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "TypeError: softmax_f16: x is torch.float32, not torch.float16",
        "ValueError: softmax_f16: x has the shape [2, 8], not [3, 8]",
        "RuntimeError: group_norm: group_norm needs C % 2 == 0, C * S > 0",
        "ValueError: group_norm: its tensors lie on cpu and meta",
        "FileNotFoundError",
        "uol_bundles::softmax_f16(Tensor x) -> Tensor",
    ]
