"""Tensors on other devices: which backend is theirs, and a clear refusal where it cannot run. (`test_on_card.py` runs some.)"""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import uol
from uol.backends import registry
from uol.pytorch import devices

pytestmark = pytest.mark.usefixtures("own_cache")

NO_BACKEND = "relu: no backend is for tensors on mps"


class Elsewhere(torch.Tensor):
    """A tensor that says it is on a device which is not there."""

    @classmethod
    def __torch_dispatch__(cls, *_: object) -> object:
        raise AssertionError("the test is of what lies below")


def on(device: str) -> torch.Tensor:
    return torch.Tensor._make_wrapper_subclass(Elsewhere, (3,), dtype=torch.float32, device=device)


@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("way", ["uol.ops", "torch.ops", "with a gradient", "out="])
def test_a_tensor_elsewhere_is_refused(way: str, device: str) -> None:
    """This PyTorch has none of these devices."""
    x = on(device)
    calls = {
        "uol.ops": lambda: uol.ops.relu(x),
        "torch.ops": lambda: torch.ops.uol.relu(x),
        "with a gradient": lambda: uol.ops.relu(x.requires_grad_()),
        "out=": lambda: uol.ops.relu(x, out=on(device)),
    }
    uol.ops.relu(torch.ones(3))  # a kernel for the same shape on the CPU is not the one
    with torch._C._DisableTorchDispatch(), pytest.raises(uol.UolError) as raised:
        calls[way]()
    assert raised.value.message.startswith("relu: ") and f"on {device}" in raised.value.message
    assert device == "cuda" or raised.value.message == NO_BACKEND
    assert "; or let PyTorch compute it: `with uol.fallback():`" in (raised.value.hint or "")


def test_every_device_type_has_one_backend() -> None:
    named = [device for name in registry.names() for device in registry.get(name).torch_devices()]
    assert len(named) == len(set(named))
    assert {"cpu", "cuda", "npu"} <= set(named)
    for device in named:
        assert device in registry.get(devices.backend_for(device) or "").torch_devices()
    assert devices.backend_for("npu") == "ascendc"
    assert devices.backend_for("mps") is None


@pytest.mark.parametrize(("hip", "backend"), [(None, "cuda"), ("6.2", "hip")])
def test_a_build_for_rocm_calls_its_devices_by_anothers_name(
    hip: str | None, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)
    assert devices.backend_for("cuda") == backend
    assert devices.backend_for("hip") == "hip"


def test_tensors_without_data_go_through_the_fake() -> None:
    meta = uol.ops.add(torch.empty(2, 3, device="meta"), 2.0)
    assert (meta.device.type, meta.shape) == ("meta", (2, 3))
    out = torch.empty(3, device="meta")
    assert uol.ops.relu(torch.empty(3, device="meta"), out=out) is out
    with FakeTensorMode():
        fake = uol.ops.text.softmax(torch.empty(2, 3, device="cuda"))
    assert (fake.device.type, fake.shape) == ("cuda", (2, 3))
