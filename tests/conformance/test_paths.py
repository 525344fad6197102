"""ResNet-50 as layers, on the photograph; layers judged on this machine and in the twins; the report as a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from uol.backends import registry
from uol.compilation.request import resolve_target
from uol.conformance.accuracy.comparison import Comparison
from uol.conformance.accuracy.dual import Dual, dual_benchmark, typical
from uol.conformance.cases.agreement import Run, Subject, agreements
from uol.conformance.cases.twin_check import has_twin
from uol.conformance.paths import require_path
from uol.conformance.paths.record import Check, LayerResult, PathReport
from uol.conformance.paths.resnet50.cpu_network import build_network
from uol.conformance.paths.resnet50.inference import local_target
from uol.conformance.paths.resnet50.layer_checks import LayerCase
from uol.conformance.paths.resnet50.network import Layer, Placed, distinct, place, resnet50
from uol.conformance.paths.resnet50.photograph import photograph
from uol.conformance.paths.resnet50.reference_network import eager_steps
from uol.conformance.paths.resnet50.timing import pass_us
from uol.conformance.paths.resnet50.twin_layers import check_layers
from uol.conformance.report.files import write_report
from uol.conformance.report.page import page_of
from uol.ir.errors import ResourceError, UolError

torch = pytest.importorskip("torch", reason="the path's reference is PyTorch")


def small_block() -> tuple[tuple[Layer, ...], dict[str, np.ndarray]]:
    """The stem, the pooling and the first bottleneck of ResNet-50, with random weights."""
    layers = resnet50()[:6]
    generator = np.random.default_rng(0)
    shapes = {
        **{"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 1, 1), "layer1.0.conv2.weight": (64, 64, 3, 3)},
        **{"layer1.0.downsample.0.weight": (256, 64, 1, 1), "layer1.0.conv3.weight": (256, 64, 1, 1)},
    }
    norms = {"bn1": 64, "layer1.0.bn1": 64, "layer1.0.bn2": 64, "layer1.0.downsample.1": 256, "layer1.0.bn3": 256}
    for norm, channels in norms.items():
        shapes |= {f"{norm}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    state = {name: generator.standard_normal(shape).astype(np.float32) / 8 for name, shape in shapes.items()}
    state |= {name: np.abs(a) + np.float32(0.5) for name, a in state.items() if name.endswith("running_var")}
    return layers, state


@pytest.fixture(scope="module")
def block() -> tuple[tuple[Placed, ...], dict[str, np.ndarray], np.ndarray]:
    layers, state = small_block()
    image = np.random.default_rng(1).standard_normal((1, 3, 30, 34)).astype(np.float32)
    shapes = {name: a.shape for name, a in state.items()} | {"image": image.shape}
    return place(layers, shapes, "f32"), state, image


def test_resnet50_has_its_layers() -> None:
    layers = resnet50()
    assert len(layers) == 56
    assert sum(layer.op.startswith("conv2d_bn") for layer in layers) == 53
    assert [layer.name for layer in layers if layer.op == "conv2d_bn"] == [f"layer{n}.0.downsample" for n in (1, 2, 3, 4)]
    assert len({layer.name for layer in layers}) == 56


def test_its_layers_are_those_of_torchvision() -> None:
    torchvision = pytest.importorskip("torchvision", reason="the reference network is torchvision's")
    state = torchvision.models.resnet50(weights=None).state_dict()
    used = {tensor for layer in resnet50() for tensor in layer.inputs.values()}
    assert {name for name in state if not name.endswith("num_batches_tracked")} <= used
    shapes = {name: tuple(value.shape) for name, value in state.items()} | {"image": (1, 3, 224, 224)}
    placed = place(resnet50(), shapes, "f32")
    assert placed[-1].shapes["y"] == (1, 1000)
    assert placed[-2].shapes == {"x": (1, 2048, 7, 7), "y": (1, 2048)}
    groups = distinct(placed)
    assert len(groups) == 27
    assert sum(len(names) for _, names in groups) == 56
    assert placed[0].description == "1x3x224x224 * 64x3x7x7 -> 1x64x112x112, stride 2, pad 3"


def test_the_photograph_is_real_and_normalised() -> None:
    pytest.importorskip("sklearn", reason="the photograph is scikit-learn's")
    image = photograph()
    assert image.shape == (1, 3, 224, 224)
    assert image.dtype == np.float32
    assert -2.2 < image.min() < -1.0
    assert 1.0 < image.max() < 2.7
    assert image.std() > 0.5


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "not_a_picture.png"
    file.write_text("nothing")
    with pytest.raises(ResourceError, match="cannot be read as a picture"):
        photograph(file)


def test_the_network_on_the_cpu_is_pytorchs(block: tuple[tuple[Placed, ...], dict[str, np.ndarray], np.ndarray]) -> None:
    placed, state, image = block
    network = build_network(placed, state, image, local_target())
    network.run()
    for each in placed:
        step = network.step(each.layer.name)
        case = LayerCase.of(each, (each.layer.name,), "f32", step.inputs)
        verdict = case.judge(step.compiled, step.result)
        assert verdict.ok, f"{each.layer.name}: {verdict.reason}"
        assert verdict.pytorch is not None
        assert verdict.pytorch.ok


def test_a_wrong_layer_is_a_breach(block: tuple[tuple[Placed, ...], dict[str, np.ndarray], np.ndarray]) -> None:
    placed, state, image = block
    network = build_network(placed, state, image, local_target())
    network.run()
    step = network.step("conv1")
    case = LayerCase.of(placed[0], ("conv1",), "f32", step.inputs)
    off = step.result.copy()
    off[0, 5, 3, 2] *= np.float32(1.001)
    off[0, 5, 3, 2] += np.float32(1e-3)
    verdict = case.judge(step.compiled, off)
    assert verdict.status == "breach"
    assert "[0, 5, 3, 2]" in verdict.reason
    assert case.judge(step.compiled, off, ("a finding",)).status == "findings"
    assert case.judge(step.compiled, None).status == "failed"


@pytest.mark.parametrize("target", [n for n in registry.names() if has_twin(n)])
def test_layers_in_a_twin(target: str, block: tuple[tuple[Placed, ...], dict[str, np.ndarray], np.ndarray]) -> None:
    placed, state, image = block
    network = build_network(placed, state, image, local_target())
    network.run()
    cases = [LayerCase.of(p, (p.layer.name,), "f32", network.step(p.layer.name).inputs) for p in (placed[1], placed[5])]
    done: list[int] = []
    verdicts = list(check_layers(cases, resolve_target(target), done.append))
    assert [v.reason for v in verdicts] == ["", ""]
    assert all(v.ok and v.golden is not None and v.kernels for v in verdicts)
    assert done == [1, 2]


def report() -> PathReport:
    good = Comparison(True, "", 10, max_abs=1e-6, max_rel=1e-6, max_ulp=3.0, share=0.25, scale=2.0)
    subject = Subject("relu", "f32", "relu 1x2 -> 1x2")
    runs = [Run("cpu", np.float32([1, 2])), Run("cuda", np.float32([1, 3]))]
    between = tuple(agreements(subject, np.array([1.0, 2.0]), "f32", runs))
    layers = (
        LayerResult("cpu", "relu", ("a", "b"), "1x2 -> 1x2", ("Map",), "pass", "", good, good, (), 12.5, 30.0),
        LayerResult("cuda", "relu", ("a", "b"), "1x2 -> 1x2", ("Map",), "breach", "golden: <NaN> & more", good, good),
        LayerResult("hip", "relu", ("a", "b"), "1x2 -> 1x2", (), "refused", "no such tile"),
    )
    return PathReport("resnet50", (Check("logits", True, "fine"),), layers, {"picture": "a <photograph>"}, 12.0, between)


class Page(HTMLParser):
    """Collects the tags and the references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_page_without_references() -> None:
    text = page_of(report())
    page = Page(text)
    assert page.open == []
    assert page.links == []
    assert not re.search(r"https?://|@import|url\(", text)
    assert "Checks failed." in text
    assert "golden: &lt;NaN&gt; &amp; more" in text
    assert "no such tile" in text
    assert "2.40" in text  # PyTorch's time over ours


def test_every_table_of_the_report_scrolls_by_itself() -> None:
    text = page_of(report())
    assert text.count("<table") == text.count('<div class="wide"><table') == 5


def test_what_a_result_has_is_shown_and_no_more() -> None:
    text = page_of(report())
    assert text.count('<span class="share">') == 2  # the refused one was never compared
    assert text.count("25.0%") == 4  # and once a target that was judged
    assert "1x2 \N{RIGHTWARDS ARROW} 1x2" in text
    assert "->" not in text


def test_the_page_says_what_ran_where_and_how_targets_agree() -> None:
    text = page_of(report())
    top = text[: text.index("The whole network")]
    assert "<li>cpu: run here, on this CPU</li>" in top
    assert "<li>cuda: emulated, no silicon: the emitted text in the twin on this CPU</li>" in top
    assert "<td>cpu, cuda</td><td>f32</td>" in text
    assert '<td class="number">0.5</td>' in text  # 3 and 2, of 2


def test_the_times_of_the_page_add_up() -> None:
    """Rows of several layers are sums; the last row is the sum of the rows."""
    text = page_of(report())
    assert "all 2 layers" in text
    assert report().total_us == 12.5
    assert text.count('<td class="number">0.013</td>') == 2 == text.count('<td class="number">0.030</td>')


def test_without_times_there_is_no_table_of_times() -> None:
    untimed = replace(report(), layers=tuple(replace(layer, time_us=0.0) for layer in report().layers))
    assert "beside PyTorch eager" in page_of(report())
    assert "beside PyTorch eager" not in page_of(untimed)


def test_the_report_is_written_whole(tmp_path: Path) -> None:
    written = write_report(report(), tmp_path / "deep" / "folder")
    assert written.page.read_text().startswith("<!DOCTYPE html>")
    found = json.loads(written.data.read_text())
    assert found["ok"] is False
    assert [layer["status"] for layer in found["layers"]] == ["pass", "breach", "refused"]
    assert sorted(p.name for p in written.page.parent.iterdir()) == ["junit.xml", "report.html", "report.json"]


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="the report cannot be written"):
        write_report(report(), tmp_path / "file")


def test_an_unknown_path_names_those_there_are() -> None:
    with pytest.raises(UolError, match="unknown path 'vgg'") as caught:
        require_path("vgg")
    assert caught.value.hint == "the paths are moe, cmap, resnet50"


def test_the_dual_benchmark_has_limits() -> None:
    golden = np.linspace(1.0, 2.0, 1000)
    partner = golden * (1 + 1e-6)
    assert dual_benchmark(golden * (1 - 1.4e-6), partner, golden, "f32", "L1").ok
    assert not dual_benchmark(golden * (1 - 1.6e-6), partner, golden, "f32", "L1").ok
    assert dual_benchmark(golden * (1 - 1.6e-6), partner, golden, "f32", "L0").ok
    one = golden.copy()
    one[3] *= 1 + 1.1e-5
    assert not dual_benchmark(one, partner, golden, "f32", "L0").ok
    assert dual_benchmark(golden + 1e-8, golden, golden, "f32", "L2").ok  # a perfect partner counts as half an ulp


def test_of_several_draws_the_median_ratios_are_judged() -> None:
    draws = [Dual(True, 1.0, 1.0, 1.0, ""), Dual(False, 9.0, 1.4, 1.4, ""), Dual(True, 4.0, 1.2, 1.6, "")]
    found = typical(draws, "L1")
    assert (found.ok, found.max_ratio, found.mean_ratio, found.rms_ratio) == (True, 4.0, 1.2, 1.4)
    assert not typical([*draws, *[Dual(False, 1.0, 1.0, 1.6, "")] * 2], "L1").ok
    assert not typical([*draws, Dual(False, np.inf, np.inf, np.inf, "")], "L1").ok
    assert not typical([*draws, Dual(False, np.nan, 1.0, 1.0, "")], "L1").ok


def test_the_dual_benchmark_refuses_what_is_not_finite() -> None:
    golden = np.ones(3)
    bad = np.array([1.0, np.nan, 1.0])
    for arguments in ((bad, golden, golden), (golden, bad, golden), (golden, golden, bad)):
        assert not dual_benchmark(*arguments, "f32", "L0").ok
    assert not dual_benchmark(np.ones(2), golden, golden, "f32", "L0").ok
    assert not dual_benchmark(np.ones(0), np.ones(0), np.ones(0), "f32", "L0").ok
    with pytest.raises(UolError, match="unknown level"):
        dual_benchmark(golden, golden, golden, "f32", "L9")


def test_a_pass_takes_the_steps_in_order_and_the_networks_in_turn() -> None:
    order: list[str] = []
    steps = {name: {step: partial(order.append, f"{name}{step}") for step in ("1", "2")} for name in ("ours", "theirs")}
    times = pass_us(steps, rounds=3, warm_up=1)
    assert order == ["ours1", "ours2", "theirs1", "theirs2"] * 4
    assert [list(found) for found in times.values()] == [["1", "2"], ["1", "2"]]


def test_a_pass_is_one_that_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the totals 30, 6 and 7 the least is 6: its own steps are given, not the least of each."""
    clock = iter([0.0, 10.0, 30.0, *(0.0, 1.0, 6.0), *(0.0, 5.0, 7.0)])
    monkeypatch.setattr("uol.conformance.paths.resnet50.timing.time.perf_counter", lambda: next(clock))
    times = pass_us({"ours": {"a": lambda: None, "b": lambda: None}}, rounds=3, warm_up=0)
    assert times == {"ours": {"a": 1e6, "b": 5e6}}


def test_pytorchs_steps_are_the_network(block: tuple[tuple[Placed, ...], dict[str, np.ndarray], np.ndarray]) -> None:
    placed, state, image = block
    ours = build_network(placed, state, image, local_target())
    ours.run()
    for name, step in eager_steps([p.layer for p in placed], state, image).items():
        torch.testing.assert_close(step(), torch.from_numpy(np.array(ours.step(name).result)), rtol=1e-3, atol=1e-3)
