"""`--json`: standard output is one JSON value and nothing else, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import uol

from uol.json_text import json_text

pytestmark = pytest.mark.usefixtures("toy", "own_cache")

SOFTMAX = "softmax --target toy --dims S=4,C=6"
GOOD = (
    "list",
    "show softmax",
    f"compile {SOFTMAX}",
    f"compile {SOFTMAX} --check",
    f"compile {SOFTMAX} --check -o build",
    f"explain {SOFTMAX} --source",
    f"run {SOFTMAX}",
    "check relu-toy-host",
    "conform --op relu --target toy",
    "doctor",
)
BAD = {  # command -> type and message of the error
    "show softmx": ("UolError", "unknown operator 'softmx'"),
    "compile softmx": ("UolError", "unknown operator 'softmx'"),
    "compile relu --target tpu": ("UolError", "unknown target 'tpu'"),
    "compile relu --target toy --dims S=4 -o file": ("ResourceError", "cannot write bundles to 'file': File exists"),
    "explain relu --dims S=x": ("ShapeError", "the size of S is 'x', not a whole number"),
    "run softmax --target toy --dims S=4": ("ShapeError", "softmax needs a size for C"),
    "check nowhere": ("ResourceError", "'nowhere' holds no manifest.json"),
    "conform": ("UolError", "say what to check"),
    "conform --op softmx": ("UolError", "unknown operator 'softmx'"),
    "conform --op absent.uol": ("ResourceError", "cannot read 'absent.uol': No such file or directory"),
    "conform --path resnet51": ("UolError", "unknown path 'resnet51'"),
    "conform --path resnet50 --weights file": ("TypeCheckError", "file is of another format than torch.save's"),
    "list extra": ("UsageError", "Got unexpected extra argument"),
    "list --no-such-option": ("UsageError", "No such option: --no-such-option"),
    "doctor --no-such-option": ("UsageError", "No such option: --no-such-option"),
    "compile": ("UsageError", "Missing argument 'OP'"),
    "run relu --seed many": ("UsageError", "Invalid value for '--seed'"),
    "frobnicate": ("UsageError", "No such command 'frobnicate'"),
    "": ("UsageError", ""),
}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")


def strict(text: str) -> object:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("command", GOOD)
def test_what_a_command_found(command: str) -> None:
    uol("compile", "relu", "--target", "toy", "--dims", "S=4", "-o", ".")
    result = uol(*command.split(), "--json")
    assert result.status == 0, result.err
    assert strict(result.out)


@pytest.mark.parametrize("command", BAD)
def test_an_error_of_the_input(command: str) -> None:
    result = uol(*command.split(), "--json")
    assert result.status == 2, result.err
    value = strict(result.out)
    assert isinstance(value, dict)
    kind, message = BAD[command]
    assert value["error"]["type"] == kind
    assert message in value["error"]["message"]
    assert value["error"]["hint"]
    assert "Traceback" not in result.err
    assert result.err


def test_an_error_in_a_text_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "outside.uol"
    file.write_text("op outside_json(x: f32[N]) -> (y: f32[N]) {\n  y[i] = x[i + 1]\n}\n")
    error = json.loads(uol("compile", file, "--dims", "N=4", "--json").out)["error"]
    assert error["type"] == "BoundsError"
    assert error["place"] == {"file": str(file), "line": 2, "column": 12}


def test_a_failed_check_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import toy_backend

    monkeypatch.setitem(toy_backend.FUNCTIONS, "exp", "np.nan * np.ones_like")
    result = uol("run", *SOFTMAX.split(), "--json")
    assert result.status == 1
    value = strict(result.out)
    assert isinstance(value, dict)
    assert value["passed"] is False
    report = strict(uol("conform", "--op", "softmax", "--target", "toy", "--first", "--json").out)
    assert isinstance(report, dict)
    assert report["ok"] is False
    assert {case["status"] for case in report["cases"]} == {"breach"}


def test_a_defect_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_backend import ToyBackend

    def render(self: ToyBackend, spec: object, schedule: object, device: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(ToyBackend, "render", render)
    result = uol("compile", *SOFTMAX.split(), "--json")
    assert result.status == 70
    assert json.loads(result.out)["error"] == {
        "type": "Defect",
        "message": "KeyError: 'x'",
        "hint": "this is a defect; UOL_DEBUG=1 shows where",
        "place": None,
    }


def test_a_process_prints_nothing_else() -> None:
    """What libraries write to the descriptor would show here."""
    command = [sys.executable, "-m", "uol.cli", "run", "relu", "--dims", "S=4", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["passed"] is True


def test_numbers_that_json_has_not_are_texts() -> None:
    value = {"a": [float("inf"), (-float("inf"), float("nan"))], "b": 1.5, "c": None, "d": Path("x")}
    assert strict(json_text(value)) == {"a": ["inf", ["-inf", "nan"]], "b": 1.5, "c": None, "d": "x"}
