"""What the commands do with good input."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from command_line import uol

pytestmark = pytest.mark.usefixtures("toy", "own_cache")

SOFTMAX = ("softmax", "--target", "toy", "--dims", "S=4,C=6")


def test_list_names_every_operator() -> None:
    result = uol("list")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].split() == ["operator", "inputs", "results", "attributes", "types"]
    assert {"softmax", "conv2d", "relu"} <= {line.split()[0] for line in lines[1:] if line}
    assert "concat_2 ... concat_8_at_9" in lines[-3] and lines[-1].startswith("einsum ")


def test_list_as_json() -> None:
    by_name = {op["name"]: op for op in json.loads(uol("list", "--json").out)}
    assert by_name["softmax"]["inputs"] == [{"name": "x", "type": "T", "dims": ["*S", "C"]}]
    assert by_name["rms_norm"]["attributes"] == [{"name": "eps", "type": "float", "default": "1e-06"}]


def test_show_prints_the_text() -> None:
    result = uol("show", "relu")
    assert result.status == 0
    assert result.out.startswith("op relu(x: T[*S]) -> (y: T[*S])")
    assert json.loads(uol("show", "relu", "--json").out)["text"] + "\n" == result.out


def test_show_prints_the_text_of_the_gradient(tmp_path: Path) -> None:
    assert uol("show", "softmax", "--grad").out.startswith("op softmax_grad(y: T[*S, C], dy: T[*S, C]) -> (dx: T[*S, C])")
    file = tmp_path / "shown_square.uol"
    file.write_text("op shown_square(x: f32[N]) -> (y: f32[N]) { y[i] = x[i] * x[i] }\n")
    assert "dx[i] = 2 * dy[i] * x[i]" in uol("show", file, "--grad").out
    refused = uol("show", "argmax", "--grad")
    assert refused.status == 2
    assert "`argmax` has no gradient" in refused.err


def test_show_takes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "shown.uol"
    file.write_text("op shown_twice(x: T[*S]) -> (y: T[*S]) for T in (f64, f32) { y[*s] = x[*s] + x[*s] }\n")
    assert uol("show", file).out.startswith("op shown_twice(x: T[*S])")


def test_compile_prints_the_text() -> None:
    result = uol("compile", *SOFTMAX)
    assert result.status == 0
    assert "def softmax(x, y):" in result.out


def test_compile_as_json() -> None:
    (entry,) = json.loads(uol("compile", *SOFTMAX, "--json").out)
    assert entry["target"] == "toy:host"
    assert "def softmax(x, y):" in entry["text"]
    assert [k["kind"] for k in entry["kernels"]] == ["Reduce"]


def test_compile_writes_a_bundle(tmp_path: Path) -> None:
    result = uol("compile", *SOFTMAX, "-o", tmp_path / "build", "--json")
    (entry,) = json.loads(result.out)
    folder = tmp_path / "build" / "softmax-toy-host"
    assert entry["bundle"] == str(folder)
    assert {f.name for f in folder.iterdir()} == {"softmax.py", "build.sh", "manifest.json", "selftest.py"}


def test_explain_tells_what_fused_and_why() -> None:
    result = uol("explain", *SOFTMAX)
    assert result.status == 0
    for part in ("4 statements in one kernel, lines 2, 3, 4, 5", "schedule  all elements at once", "x: f32[4, 6], strides 6 1"):
        assert part in result.out
    assert "def softmax" not in result.out
    assert "def softmax" in uol("explain", *SOFTMAX, "--source").out


def test_run_compares_with_the_golden_value() -> None:
    result = uol("run", *SOFTMAX, "--seed", "3")
    assert result.status == 0
    assert result.out.startswith("softmax on toy:host, run here, seed 3\n  y: 24 elements")
    assert "within the contract" in result.out


def test_run_as_json() -> None:
    trial = json.loads(uol("run", *SOFTMAX, "--json").out)
    assert trial["passed"] is True
    assert 0 < trial["results"]["y"]["share"] <= 1


def test_run_fails_with_status_1_where_the_result_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FOLDS, "sum", ("np.prod", 1))
    result = uol("run", *SOFTMAX)
    assert result.status == 1
    assert "FAILED: beyond the contract at [0, 0]" in result.out


def test_check_takes_a_bundle(tmp_path: Path) -> None:
    uol("compile", *SOFTMAX, "-o", tmp_path)
    folder = tmp_path / "softmax-toy-host"
    assert uol("check", folder).out == "passed  3 files, 29 fields of the manifest, kernels\n"
    found = json.loads(uol("check", folder, "--json").out)
    assert found["passed"] is True
    assert found["files"][0] == {"name": "build.sh", "state": "ok", "what": "byte by byte what uol writes for the request"}
    assert {field["name"] for field in found["manifest"]} == json.loads((folder / "manifest.json").read_text()).keys()
    assert [each["state"] for each in found["kernels"]] == ["ok"]


def test_check_fails_where_a_kernel_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FOLDS, "sum", ("np.prod", 1))
    uol("compile", *SOFTMAX, "-o", tmp_path)
    result = uol("check", tmp_path / "softmax-toy-host")
    assert result.status == 1
    assert result.out.startswith("FAILED  kernels: y: beyond the contract")


def test_check_fails_where_a_file_was_changed(tmp_path: Path) -> None:
    uol("compile", *SOFTMAX, "-o", tmp_path)
    (tmp_path / "softmax-toy-host" / "build.sh").write_text("rm -rf /\n")
    result = uol("check", tmp_path / "softmax-toy-host")
    assert (result.status, result.out) == (1, "FAILED  build.sh was changed: its hash is not the one in the manifest\n")


def test_doctor_shows_every_target() -> None:
    result = uol("doctor")
    assert result.status == 0
    assert any(line.split()[:3] == ["toy", "numpy", "found"] for line in result.out.splitlines())
    assert json.loads(uol("doctor", "--json").out)["cache"]["writable"] is True


def test_doctor_says_its_limits() -> None:
    """Counted here from the files of the rows."""
    limits = json.loads(uol("doctor", "--json").out)["limits"]
    tables = [tomllib.loads(file.read_text()) for file in files("uol.ops.signatures").iterdir() if file.name.endswith(".toml")]
    rows = [(name, row) for table in tables for key, row in table.items() for name in key.split()]
    forms = [(name, form) for name, row in rows for form in (row if isinstance(row, list) else [row])]
    refused = {(name, argument) for name, form in forms for argument in form.get("only", {})}
    assert (limits["functions"], limits["forms"]) == (len(rows), len(forms))
    assert {(name, argument) for name, each in limits["refused"].items() for argument in each} == refused
    assert set(limits["not_run"]) == {"ascendc", "cuda", "hip"} and "a100" in limits["not_run"]["cuda"]
    shown = uol("doctor").out
    assert f"{len(refused)} arguments of" in shown and "on no card: cuda (a100" in shown
    assert "  huber_loss: weight = None" in shown


def test_doctor_says_why_a_cache_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("UOL_CACHE_DIR", str(tmp_path / "open"))
    state = "not used: other users may write it (mode 777) (set UOL_CACHE_DIR)"
    assert state in " ".join(uol("doctor").out.split())
    said = json.loads(uol("doctor", "--json").out)["cache"]
    assert said == {"folder": str(tmp_path / "open"), "writable": False, "state": state}


def test_dump_keeps_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UOL_DUMP", str(tmp_path / "dump"))
    uol("compile", *SOFTMAX)
    uol("compile", *SOFTMAX)
    (folder,) = (tmp_path / "dump").iterdir()
    assert {f.name for f in folder.iterdir()} == {"1-op.uol", "2-program.txt", "3-kernels.txt", "4-schedules.txt", "softmax.py"}
    assert "hi = max over c of" in (folder / "3-kernels.txt").read_text()


def test_help_is_there_for_every_command() -> None:
    for command in ("list", "show", "explain", "compile", "run", "check", "conform", "doctor"):
        result = uol(command, "--help")
        assert result.status == 0
        assert "Usage" in result.out


def test_functions_are_listed_with_domain_accuracy_and_derivative() -> None:
    by_name = {f["name"]: f for f in json.loads(uol("functions", "--json").out)}
    assert by_name["log"]["domain"] == "x >= 0; log(0) is -inf"
    assert by_name["tanh"]["derivatives"] == ["1 - y * y"]
    assert by_name["pow"]["arguments"] == len(by_name["pow"]["derivatives"]) == 2
    lines = uol("functions").out.splitlines()
    assert len(lines) == len(by_name) + 1
    assert "erf(a)" in lines[12]
