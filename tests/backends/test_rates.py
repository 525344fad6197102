"""The tables of what devices can do: complete, with sources, and in agreement with arithmetic on cores and clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from uol.backends import registry
from uol.codegen.backend import Device
from uol.codegen.rates import read_rates
from uol.conformance.gap.attained import ATTAINED, attained_of

F16_A_CYCLE = {
    "cuda:sm_80": 2048,
    "cuda:sm_86": 1024,
    "cuda:sm_89": 1024,
    "cuda:sm_90": 4096,
    "hip:gfx90a": 1024,
    "hip:gfx942": 2048,
    "ascendc:dav-2201": 8192,
}
"""Operations of f16 that a core's matrix unit does in a cycle: whitepapers of A100 (1024 multiply-adds), GA102 and Ada (512
each) and H100 (2048), AMD's matrix instruction calculator (1024 FLOPs/clock/CU) and CDNA3 whitepaper (2048), asc-devkit's table
of Mmad (16 x 16 x 16 multiply-adds)."""
VENDORS = ("cuda", "hip", "ascendc")
DEVICES = {f"{name}:{d.name}": d for name in VENDORS for d in registry.get(name).devices.values()}


@pytest.mark.parametrize("name", DEVICES)
def test_the_peak_of_the_matrix_units_is_what_cores_and_clock_give(name: str) -> None:
    device = DEVICES[name]
    peak, clock = device.rates["f16-matrix"], device.rates["clock"]
    assert (peak.unit, clock.unit) == ("TFLOP/s", "MHz")
    computed = device.cores * clock.value * 1e6 * F16_A_CYCLE[f"{name.split(':')[0]}:{device.architecture}"] / 1e12
    spread = 0.09 if device.name == "h200" else 0.005  # its data sheet has the H100's peak, logs show a higher clock
    assert abs(computed / peak.value - 1) < spread


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_has_clock_and_bandwidth_with_a_source(name: str) -> None:
    rates = DEVICES[name].rates
    assert {"clock", "bandwidth", "f16-matrix"} <= rates.keys()
    assert rates["bandwidth"].unit == "GB/s"
    for name in ("bandwidth-attained", "bandwidth-streamed"):
        found = rates.get(name)
        in_cache = name == "bandwidth-attained" and found is not None and "writes land in L2" in found.source
        assert found is None or (found.grade != "vendor" and (in_cache or found.value < rates["bandwidth"].value))


@pytest.mark.parametrize("name", DEVICES)
def test_a_best_time_and_a_modelled_time_share_no_published_row(name: str) -> None:
    """T_ref of `uol gap` is made from the rates named `-attained`, T from all others: no row stands behind both."""
    rates = DEVICES[name].rates
    behind_best = {rate.source for rate_name, rate in rates.items() if rate_name.endswith(ATTAINED)}
    behind_model = {rate.source for rate_name, rate in rates.items() if not rate_name.endswith(ATTAINED)}
    assert not behind_best & behind_model
    if behind_best:
        used = set(attained_of(DEVICES[name], "f16").names.values())
        assert {n for n in rates if n.endswith(ATTAINED)} >= used and all(n.endswith(ATTAINED) for n in used)
        assert "bandwidth-streamed" in rates, "without it the model would take the data sheet's"


def test_the_host_has_none() -> None:
    devices: list[Device] = list(registry.get("cpu").devices.values())
    assert all(not d.rates for d in devices)


@pytest.mark.parametrize(
    "fields",
    [
        'value = 1, unit = "", source = "s", grade = "vendor"',
        'value = 1, unit = "GB/s", source = "", grade = "vendor"',
        'value = 1, unit = "GB/s", source = "s", grade = "guessed"',
        'value = 0, unit = "GB/s", source = "s", grade = "vendor"',
    ],
)
def test_a_figure_without_its_source_is_refused(fields: str, tmp_path: Path) -> None:
    file = tmp_path / "rates.toml"
    file.write_text(f"[one]\nbandwidth = {{ {fields} }}\n")
    with pytest.raises(ValueError, match="the rate one.bandwidth is"):
        read_rates(file)
