"""Packs beside the stub driver: what they hold, what their runner says, and what it refuses. No card is here, and no kernel
runs: results that pass are PyTorch's, played back."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from on_the_stub import fields_of, of_pytorch, packed_into, play, resealed, run_pack, subjects, with_small_pauses

from uol.backends.cuda import nvrtc
from uol.compilation.request import resolve_target
from uol.conformance.packs.parts import OWN_BYTES, estimated_bytes, part_of
from uol.conformance.packs.references import torch_call
from uol.conformance.packs.runner.contents import BadInputError, read_pack
from uol.conformance.packs.runner.stored import owed_by
from uol.conformance.packs.runner.torch_times import EventClock, calls_beside
from uol.ir.errors import ResourceError, UolError
from uol.ops.texts import FAMILIES

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed, which builds the packs' kernels")
OPS = "relu,softmax,argmax"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three operators in f32 for an H100."""
    folder = tmp_path_factory.mktemp("packs") / "three"
    written = packed_into(folder, subjects(OPS, "cuda:h100"), "cuda:h100")
    assert (written.cases, written.left) == (3, ())
    with_small_pauses(folder)
    return folder


@pytest.fixture(scope="module")
def answers(pack: Path) -> Path:
    """What PyTorch computes, as the stub plays it back."""
    return play(pack, of_pytorch(subjects(OPS, "cuda:h100")), pack.parent / "answers")


@needs_nvrtc
def test_no_numpy_is_said(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError")
    command = [sys.executable, "-S", str(pack / "run.py")]  # without the packages of this environment
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2 and done.stderr.startswith("run.py: numpy is not installed") and done.stderr.count("\n") == 1


@pytest.fixture
def copy(pack: Path, tmp_path: Path) -> Path:
    """A pack that a test may spoil."""
    return Path(shutil.copytree(pack, tmp_path / "copy"))


@needs_nvrtc
def test_what_is_right_passes_and_is_timed(pack: Path, answers: Path, tmp_path: Path) -> None:
    done, record = run_pack(pack, tmp_path, answers=answers)
    assert (done.returncode, record is not None and record["ok"]) == (0, True), done.stderr
    assert record is not None and [c["status"] for c in record["cases"]] == ["passed"] * 3
    assert record["card"]["name"] == "stub sm_90" and record["card"]["architecture"] == "sm_90"
    for case in record["cases"]:
        time = case["time_us"]
        assert 0 < time["least"] <= time["lower"] <= time["median"] <= time["upper"] and time["samples"] >= 7
        assert case["binary"] == "native" and case["repeatable"]
        assert case["pytorch_us"] is None and "no such device" in case["pytorch_reason"]  # of this machine's PyTorch
        assert case["roofline_us"] > 0 and case["roofline_bound"] == "bandwidth"
    assert "measured on stub sm_90: 3 passed, 0 failed" in done.stdout


@needs_nvrtc
def test_what_is_wrong_not_written_or_too_long_fails(pack: Path, answers: Path, tmp_path: Path) -> None:
    wrong = Path(shutil.copytree(answers, tmp_path / "wrong"))
    for file in wrong.glob("*-relu_kernel-*"):
        values = np.frombuffer(file.read_bytes(), np.float32).copy()
        values[7] += np.float32(0.5)
        file.write_bytes(values.tobytes())
    for file in wrong.glob("*-softmax_kernel-*"):
        file.unlink()
    for file in wrong.glob("*-argmax_kernel-*"):
        file.write_bytes(file.read_bytes() + bytes(8))
    done, record = run_pack(pack, tmp_path, "--no-times", answers=wrong)
    assert done.returncode == 1 and record is not None and not record["ok"]
    reasons = {case["op"]: (case["status"], case["reason"].partition(":")[0]) for case in record["cases"]}
    assert reasons["relu"] == ("failed", "beyond the contract at y[0, 7]")
    assert reasons["softmax"] == ("failed", "NaN at y[0, 0]")
    assert reasons["argmax"] == ("failed", "written beyond the end of y")
    assert "FAILED  f32 relu[S=64x256] on random inputs: beyond the contract at y[0, 7]" in done.stdout


@needs_nvrtc
def test_what_is_left_unwritten_fails_though_memory_held_the_right_value(tmp_path: Path) -> None:
    """Half of a result of bools, where what memory is filled with counts as true."""
    packed_into(tmp_path / "ne", subjects("ne", "cuda:h100"), "cuda:h100")
    played = play(tmp_path / "ne", of_pytorch(subjects("ne", "cuda:h100")), tmp_path / "answers")
    for file in played.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    done, record = run_pack(tmp_path / "ne", tmp_path, "--no-times", answers=played)
    assert done.returncode == 1 and record is not None
    reason = "a second run, on memory that held something else, gave other bits"
    assert [(c["reason"], c["repeatable"]) for c in record["cases"]] == [(reason, False)]


@needs_nvrtc
def test_a_failed_call_is_its_case_s(pack: Path, answers: Path, tmp_path: Path) -> None:
    """Each process fails once, at its first case; the next goes on with a new context."""
    chosen = ("--no-times", "--op", "relu,argmax")
    done, record = run_pack(pack, tmp_path, *chosen, answers=answers, failures="cuLaunchKernel:719")
    assert done.returncode == 1 and record is not None
    assert [c["reason"] for c in record["cases"]] == ["cuLaunchKernel failed: unspecified launch failure (status 719)"] * 2
    assert "Traceback" not in done.stderr + done.stdout


@needs_nvrtc
def test_ptx_runs_where_the_cubin_does_not(pack: Path, answers: Path, tmp_path: Path) -> None:
    done, record = run_pack(pack, tmp_path, "--no-times", "--op", "relu", devices="sm_100", answers=answers)
    assert done.returncode == 0 and record is not None and record["cases"][0]["binary"] == "portable"


@needs_nvrtc
@pytest.mark.parametrize(
    ("devices", "options", "said"),
    [
        ("gfx90a", ("--device", "3"), "found no card"),
        ("sm_80", (), "stub sm_80 (sm_80), the pack is for sm_90"),
        ("sm_90", ("--op", "tanh"), "the pack has no operator tanh: it has argmax, relu, softmax"),
    ],
)
def test_bad_input_is_one_line(pack: Path, tmp_path: Path, devices: str, options: tuple[str, ...], said: str) -> None:
    done, record = run_pack(pack, tmp_path, *options, devices=devices)
    assert (done.returncode, record, done.stdout) == (2, None, "")
    assert said in done.stderr and done.stderr.startswith("run.py: ") and done.stderr.count("\n") == 1


@needs_nvrtc
@pytest.mark.parametrize("spoilt", ["arrays", "binary", "runner", "pack", "seal", "missing", "no pack"])
def test_a_file_that_is_not_as_it_was_packed_is_named(copy: Path, spoilt: str) -> None:
    case = fields_of(copy)["cases"][1]
    place = {"arrays": case["arrays"], "missing": case["arrays"], "binary": case["binaries"]["native"]}
    file = copy / place.get(spoilt, "pack_runner/judge.py" if spoilt == "runner" else "pack.json")
    if spoilt in ("missing", "no pack"):
        file.unlink()
    elif spoilt == "seal":
        file.write_text(file.read_text().replace('"bandwidth"', '"bandwidth "', 1))
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
    with pytest.raises(BadInputError) as error:
        read_pack(copy)
    assert str(file) in str(error.value) and "uol pack" in str(error.value) and "\n" not in str(error.value)
    if spoilt == "binary":
        done, record = run_pack(copy, copy.parent)
        assert (done.returncode, record, done.stderr) == (2, None, f"run.py: {error.value}\n")


@needs_nvrtc
def test_nothing_in_a_pack_imports_uol(pack: Path) -> None:
    files = sorted(pack.rglob("*.py"))
    assert {"run.py", "device.py", "card.py", "judge.py", "activation.py"} <= {file.name for file in files}
    for file in files:
        named = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        names = {(n.module or "") if isinstance(n, ast.ImportFrom) else n.names[0].name for n in named}
        assert not {name for name in names if name.split(".")[0] == "uol"}, file


def test_references_import_pytorch_and_each_other_alone() -> None:
    for family in FAMILIES:
        module = import_module(f"uol.ops.references.{family}")
        assert module.__file__ is not None
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("uol"):
                assert (node.module or "").startswith("uol.ops.references."), f"{family} imports {node.module}"


@pytest.mark.parametrize(
    ("op", "dtype", "gradients"),
    [
        *(("softmax", "f32", False), ("conv2d", "f32", False), ("embedding", "f32", False), ("topk", "f16", False)),
        *(("layer_norm", "bf16", False), ("softmax", "f32", True), ("batch_norm_mixed", "f16", True)),
    ],
)
def test_what_pytorch_is_timed_on_is_the_operator(op: str, dtype: str, gradients: bool) -> None:
    """On the CPU: the call, from the arrays of the pack, gives the golden values."""
    from uol.conformance.packs.contents import packed

    case = packed(subjects(op, "cuda:h100", dtype, gradients=gradients)[0])
    for name, text in case.files.items():
        assert name.startswith("references/") and "uol.ops.references" not in text
    entry = json.loads(json.dumps(case.entry))
    entry["torch"]["module"] = entry["torch"]["module"].replace("references.", "uol.ops.references.", 1)
    if entry["torch"]["table"] == "EAGER":
        entry["torch"]["module"] = "uol.conformance.bench.eager"
    found = [call() for call in calls_beside(entry, case.arrays, "cpu")]
    results = found[0] if isinstance(found[0], tuple | list) else [found[0]]
    golden = [each.golden for each in owed_by(entry["tensors"], case.arrays)]
    given = [result for result in results if result is not None]
    assert len(given) == len(golden)
    for result, owed in zip(given, golden, strict=True):
        assert np.allclose(result.double().numpy(), owed, rtol=0.02, atol=0.02)


def test_what_is_a_view_in_pytorch_is_copied_and_what_is_an_input_is_not_timed() -> None:
    from uol.conformance.packs.contents import packed

    entries = {}
    for op in ("slice", "cast"):
        case = packed(subjects(op, "cuda:h100")[0])
        entries[op] = json.loads(json.dumps(case.entry).replace('"references.', '"uol.ops.references.')), case.arrays
    call, _ = calls_beside(*entries["slice"], "cpu")
    (first,), (second,) = (cast(tuple[object], call()) for _ in range(2))
    assert first.is_contiguous() and first.data_ptr() != second.data_ptr()
    with pytest.raises(LookupError, match="there is nothing to time"):
        calls_beside(*entries["cast"], "cpu")


def test_pytorch_is_timed_between_its_own_events_after_the_caches_are_written_over() -> None:
    import torch

    said: list[str] = []

    class Event:
        def record(self) -> None:
            said.append("record")

        def elapsed_time(self, end: object) -> float:
            return 0.002

    class Module:
        def synchronize(self) -> None:
            said.append("synchronize")

    class Scratch(torch.Tensor):
        def zero_(self) -> torch.Tensor:
            said.append("zero")
            return self

    clock = EventClock(Module(), Scratch(), [(Event(), Event()) for _ in range(3)])
    assert clock([lambda: said.append("first"), lambda: said.append("second")], 2) == [2.0, 2.0]
    turn = ["zero", "record", "first", "record"]
    assert said == [*turn, *turn[:2], "second", "record", "synchronize"]


def misbehave(pack: Path, deeds: str, module: str = "case_run", before: str = "    kind = card.kind_for(") -> None:
    """A pack whose runner's own text does something else before one of its lines."""
    text = (pack / "pack_runner" / f"{module}.py").read_text()
    assert before in text
    resealed(pack, f"pack_runner/{module}.py", text.replace(before, f"    import os, time\n{deeds}{before}", 1))


@needs_nvrtc
def test_a_process_that_hangs_or_dies_fails_its_case_alone(copy: Path, answers: Path, tmp_path: Path) -> None:
    deeds = '    if entry["op"] == "softmax": os.kill(os.getpid(), 9)\n    if entry["op"] == "argmax": time.sleep(60)\n'
    misbehave(copy, deeds)
    done, record = run_pack(copy, tmp_path, "--no-times", "--timeout", "5", answers=answers)
    assert done.returncode == 1 and record is not None
    reasons = {c["op"]: c["reason"] for c in record["cases"]}
    assert reasons["relu"] == "" and "signal SIGKILL" in reasons["softmax"] and reasons["argmax"] == "it took more than 5 s"


@needs_nvrtc
def test_a_card_that_is_lost_on_the_way_keeps_what_was_found(copy: Path, answers: Path, tmp_path: Path) -> None:
    misbehave(copy, '    if entry["op"] == "softmax": open("lost", "w").close(), os.abort()\n')
    lost = '    if os.path.exists("lost"): raise NoCardError("the card is gone")\n'
    misbehave(copy, lost, "device", '    library = opened(LIBRARIES')
    done, record = run_pack(copy, tmp_path, "--no-times", answers=answers)
    assert done.returncode == 1 and record is not None
    reasons = {c["op"]: c["reason"] for c in record["cases"]}
    assert reasons["relu"] == "" and "signal SIGABRT" in reasons["softmax"] and reasons["argmax"] == "not run: the card is gone"


@needs_nvrtc
def test_parts_are_the_whole(tmp_path: Path) -> None:
    from uol.conformance.packs.write import Selection, write_pack

    cases = subjects("relu,neg,exp", "cuda:h100")
    names = []
    for number in (1, 2):
        selection = Selection("a test", (number, 2))
        write_pack(cases, resolve_target("cuda:h100"), selection, tmp_path / "part", lambda *a: None)  # replaced by the second
        names.append([case["op"] for case in fields_of(tmp_path / "part")["cases"]])
    assert sorted(names[0] + names[1]) == ["exp", "neg", "relu"] and min(map(len, names)) == 1


def test_parts_are_of_about_one_size() -> None:
    """They are no further apart than by one case."""
    cases = subjects("matmul,layer_norm,relu,neg,exp,conv2d,sum,argmax,embedding", "cuda:h100")
    estimates = {case.name: estimated_bytes(case) for case in cases}
    for count in (2, 3):
        parts = [part_of(cases, number, count) for number in range(1, count + 1)]
        assert sorted(case.name for part in parts for case in part) == sorted(estimates)
        sizes = [sum(estimates[case.name] for case in part) for part in parts]
        assert max(sizes) - min(sizes) <= max(estimates.values()) < sum(sizes) / count


@needs_nvrtc
def test_the_estimate_is_near_what_is_written(tmp_path: Path) -> None:
    """Of cases whose tensors are most of it."""
    cases = subjects("matmul,conv2d,layer_norm", "cuda:h100") + subjects("matmul", "cuda:h100", "f16")
    for number, case in enumerate(cases):
        written = packed_into(tmp_path / str(number), [case], "cuda:h100")
        estimate = estimated_bytes(case) - OWN_BYTES
        assert 0.5 * written.bytes < estimate + 2 * OWN_BYTES < 3 * written.bytes, (case.name, written.bytes, estimate)


@needs_nvrtc
def test_a_pack_that_is_too_large_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="a pack may have") as error:
        packed_into(tmp_path / "large", subjects("relu,neg", "cuda:h100"), "cuda:h100", most_bytes=10_000)
    assert "--part 1/" in (error.value.hint or "") and not list(tmp_path.iterdir())


def test_a_folder_that_is_no_pack_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(ResourceError, match="is there and is no pack"):
        packed_into(tmp_path / "mine", subjects("relu", "cuda:h100"), "cuda:h100")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("target", ["cpu", "ascendc"])
def test_a_target_without_a_runner_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(UolError, match="packs have no runner for its cards"):
        packed_into(tmp_path / "p", subjects("relu", target), target)


@needs_nvrtc
def test_what_does_not_compile_is_left_out_by_name(tmp_path: Path) -> None:
    from dataclasses import replace

    def fails() -> None:
        raise UolError("a defect")

    (good,) = subjects("relu", "cuda:h100")
    bad = replace(good, name="bad", prepared=fails)  # type: ignore[arg-type]
    written = packed_into(tmp_path / "p", [bad, good], "cuda:h100")
    assert (written.cases, written.failed) == (1, 1)
    assert fields_of(tmp_path / "p")["left_out"] == [{"name": "bad", "state": "failed", "reason": "a defect"}]


@pytest.fixture(scope="module")
def amd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("hipcc") is None:
        pytest.skip("hipcc is not installed, which builds this pack's kernels")
    folder = tmp_path_factory.mktemp("packs") / "amd"
    packed_into(folder, subjects("relu", "hip:mi250x"), "hip:mi250x")
    return folder


def test_hip_has_the_same_runner(amd: Path, tmp_path: Path) -> None:
    played = play(amd, of_pytorch(subjects("relu", "hip:mi250x")), tmp_path / "answers")
    done, record = run_pack(amd, tmp_path, "--no-times", devices="gfx90a", answers=played)
    assert done.returncode == 0 and record is not None, done.stderr
    assert record["card"]["architecture"] == "gfx90a" and record["cases"][0]["status"] == "passed"


def test_torch_calls_are_left_out_with_a_reason() -> None:
    (case,) = subjects("relu", "cuda:h100")
    prepared = case.prepared()
    from dataclasses import replace

    other = torch_call(replace(case, operator="my_own"), prepared)
    assert other.form == {"reason": "my_own has no reference whose text travels with a pack"} and not other.files
