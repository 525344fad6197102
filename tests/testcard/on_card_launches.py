"""Where kernels are launched: streams, cards, workspaces; and what is an error there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch

import uol
from testcard import device
from testcard.backend import RECORD, Launched
from testcard.device import NAME, counts, only
from uol.pytorch import bridge

ROWS, INNER, COLS = 48, 64, 80
RESULT_BYTES, WORKSPACE_BYTES = ROWS * COLS * 4, INNER * COLS * 4


def layer(card: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a linear layer takes, whose kernels need a workspace: the weights are packed into it."""
    return tuple(torch.ones(size, device=f"{NAME}:{card}") for size in ((ROWS, INNER), (COLS, INNER), (COLS,)))


def test_a_kernel_is_launched_on_pytorchs_current_stream(launches: list[Launched]) -> None:
    x = torch.ones(3, device=NAME)
    stream = torch.Stream(device=f"{NAME}:0")
    with stream:
        uol.ops.exp(x)
    uol.ops.exp(x)
    assert [each.stream for each in launches] == [stream.stream_id, 0]


def test_a_gradient_runs_on_its_forwards_stream(launches: list[Launched]) -> None:
    x = torch.ones(3, device=NAME, requires_grad=True)
    stream = torch.Stream(device=f"{NAME}:0")
    with stream:
        y = uol.ops.exp(x)
    y.sum().backward()
    assert [(each.op, each.stream) for each in launches] == [("exp", stream.stream_id), ("exp_grad", stream.stream_id)]


def test_two_streams_share_no_workspace(launches: list[Launched]) -> None:
    given = layer()
    streams = [torch.Stream(device=f"{NAME}:0") for _ in range(2)]
    for stream in (*streams, *streams):
        with stream:
            y = uol.ops.text.linear(*given)
    assert torch.equal(y.cpu(), torch.full((ROWS, COLS), INNER + 1.0))
    first, second, again, once_more = [each.workspace for each in launches]
    assert first == again and second == once_more and 0 not in (first, second)
    assert first != second


def test_a_workspace_is_pytorchs_and_lives_as_long_as_the_call() -> None:
    given = layer()
    uol.ops.text.linear(*given)
    before = counts()
    y = uol.ops.text.linear(*given)
    after = counts()
    assert after.allocations == before.allocations + 2  # the result, and the workspace
    assert after.bytes_in_use == before.bytes_in_use + y.untyped_storage().nbytes()


def test_each_card_has_its_own_kernels_and_stays_the_callers(launches: list[Launched]) -> None:
    found = [uol.ops.text.linear(*layer(card)) for card in (0, 1, 0)]
    assert [y.device.index for y in found] == [0, 1, 0]
    assert [(each.card, each.current) for each in launches] == [(0, 0), (1, 1), (0, 0)]
    assert device.current_card() == 0
    targets = {compiled.request.target.name for compiled in bridge.defined()["linear"].fixed.values()}
    assert targets == {f"{NAME}:small", f"{NAME}:large"}
    torch.accelerator.set_device_index(1)
    try:
        uol.ops.text.linear(*layer(0))
        assert launches[-1].current == 0 and device.current_card() == 1
    finally:
        torch.accelerator.set_device_index(0)


Call = Callable[[torch.Tensor, torch.Tensor], object]
CALLS: dict[str, Call] = {
    "uol.ops": lambda x, y: uol.ops.add(x, y),
    "torch.ops": lambda x, y: torch.ops.uol.add(x, y),
    "out=": lambda x, y: uol.ops.exp(x, out=y),
    "torch.ops, out=": lambda x, y: torch.ops.uol.exp.out(x, out=y),
    "in place": lambda x, y: uol.ops.sgd_(x, y, lr=0.1),
    "torch.ops, in place": lambda x, y: torch.ops.uol.sgd_(x, y, lr=0.1),
    "foreach": lambda x, y: uol.ops.foreach.sgd_([x], [y], lr=0.1),
    "with a gradient": lambda x, y: uol.ops.add(x.requires_grad_(), y),
}


@pytest.mark.parametrize("others", ["cpu", f"{NAME}:1"])
@pytest.mark.parametrize("way", list(CALLS))
def test_tensors_of_two_devices_are_refused(way: str, others: str, launches: list[Launched]) -> None:
    with torch.set_grad_enabled(way == "with a gradient"):
        CALLS[way](torch.ones(3, device=NAME), torch.ones(3, device=NAME))  # a kernel for such shapes is there
        launches.clear()
        for pair in ((NAME, others), (others, NAME)):
            x, y = (torch.ones(3, device=each) for each in pair)
            with pytest.raises(uol.TypeCheckError, match="is on .* but .* is on"):
                CALLS[way](x, y)
    assert not launches


def test_a_number_in_a_tensor_of_the_host_is_refused_with_what_to_write() -> None:
    with pytest.raises(uol.TypeCheckError) as raised:
        uol.ops.mul(torch.ones(3, device=NAME), torch.tensor(2.0))
    assert "x.item()" in (raised.value.hint or "")


@pytest.mark.parametrize("room", [0, RESULT_BYTES + WORKSPACE_BYTES - 1], ids=["no result", "no workspace"])
def test_memory_that_runs_out_is_pytorchs_error_and_the_next_call_works(room: int, launches: list[Launched]) -> None:
    given = layer()
    uol.ops.text.linear(*given)
    before = counts().bytes_in_use
    with only(room), pytest.raises(torch.OutOfMemoryError, match="testcard out of memory. Tried to allocate"):
        uol.ops.text.linear(*given)
    assert counts().bytes_in_use == before and len(launches) == 1
    assert uol.ops.text.linear(*given).shape == (ROWS, COLS)


def test_a_failed_launch_says_what_the_driver_said_and_the_next_call_works() -> None:
    x = torch.ones(3, device=f"{NAME}:1")
    uol.ops.exp(x)
    for taken_over in (nullcontext(), uol.fallback()):  # which is for a missing kernel, not for this
        RECORD.failure = "unspecified launch failure"
        with taken_over, pytest.raises(uol.DeviceError, match="unspecified launch failure"):
            uol.ops.exp(x)
        assert device.current_card() == 0
    torch.testing.assert_close(uol.ops.exp(x).cpu(), torch.ones(3).exp())


def test_another_thread_has_its_own_card_and_stream(launches: list[Launched]) -> None:
    from threading import Thread

    x = torch.ones(3, device=f"{NAME}:1")

    def work() -> None:
        with torch.Stream(device=f"{NAME}:1"):
            uol.ops.exp(x)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    uol.ops.exp(x)
    assert launches[0].stream != 0 and launches[1].stream == 0
    assert [each.current for each in launches] == [1, 1]
