"""A frozen module keeps the types of its weights, and their memory, and adds what PyTorch's sum adds."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

import uol


class Residual(nn.Module):
    def __init__(self, *, in_place: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.in_place = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), in_place

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.conv(x))
        if self.in_place:
            y += z
            return y.relu()
        return (y + z).relu()


def magnitudes(module: nn.Module) -> nn.Module:
    """The module with the absolute values of its weights, in f64: what its terms add up to where no sign cancels any."""
    absolute = copy.deepcopy(module).double()
    with torch.no_grad():
        for weight in absolute.parameters():
            weight.abs_()
    return absolute


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_what_a_layer_lacks_is_of_the_type_of_its_weights(dtype: torch.dtype) -> None:
    convolution = (nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU())
    linear = (nn.Flatten(), nn.Linear(16, 4, bias=False), nn.ReLU())
    module = nn.Sequential(*convolution, *linear).to(dtype).eval()
    frozen = uol.freeze(module)
    assert frozen.fused == {"conv2d_bn_relu": 1, "linear_relu": 1}
    x = torch.randn(2, 3, 4, 4).to(dtype)
    found, exact, magnitude = frozen(x), copy.deepcopy(module).double()(x.double()), magnitudes(module)(x.abs().double())
    assert found.dtype == dtype
    # A weight that the norm is folded into, an image and a result are rounded, each by half an eps of what it may be.
    assert torch.all((found.double() - exact).abs() <= 2 * torch.finfo(dtype).eps * magnitude)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    "z",
    [torch.randn(2, 4, 5, 5), torch.randn(1, 4, 1, 1), torch.randn(5), torch.tensor(2.0), torch.randn(2, 4, 5, 5).double()],
    ids=["whole", "by channel", "by column", "one", "f64"],
)
def test_a_residual_is_added_as_pytorch_adds_it(z: torch.Tensor, in_place: bool) -> None:
    module = Residual(in_place=in_place).eval()
    frozen = uol.freeze(module)
    assert frozen.fused == {"conv2d_bn_add_relu": 1}
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(frozen(x, z), module(x, z), rtol=1e-5, atol=1e-5)  # convolved in f32, whatever the sum is of


def written_by_an_optimiser(module: nn.Module) -> None:
    module(torch.ones(1, 4)).sum().backward()
    torch.optim.SGD(module.parameters(), lr=0.1).step()


def loaded_into(module: nn.Module) -> None:
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})


@pytest.mark.parametrize("write", [written_by_an_optimiser, loaded_into])
def test_parameters_are_shared_until_they_are_written_to(write: Callable[[nn.Module], None]) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.ReLU()).eval()
    x = torch.linspace(-2, 2, 16).reshape(4, 4)
    frozen, apart = uol.freeze(module), uol.freeze(copy.deepcopy(module))
    memory = {p.data_ptr() for p in module.parameters()}
    assert {p.data_ptr() for p in frozen.parameters()} == memory
    assert memory.isdisjoint(p.data_ptr() for p in apart.parameters())
    assert all(p.requires_grad for p in module.parameters())
    module.train()(x)  # which measures the mean, of which the frozen module has a copy
    module.eval()
    before = frozen(x)
    torch.testing.assert_close(before, apart(x))
    write(module)
    with pytest.raises(uol.UolError, match=r"0\.weight was changed after the module was frozen"):
        frozen(x)
    assert torch.equal(apart(x), before)
    torch.testing.assert_close(uol.freeze(module)(x), module(x))
