"""uol.replace and uol.freeze: whole modules give what they gave, and what was left alone is named."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import uol
from uol.pytorch.layers.replace import restore

EIGHT = torch.linspace(-2, 2, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8).sin()


def require_equal(module: nn.Module, x: torch.Tensor, *, train: bool = True) -> Any:
    """The module, swapped, gives the same results and gradients. Returns what was done."""
    module.train(train)
    own = copy.deepcopy(module)
    done = uol.replace(own)
    assert list(own.state_dict()) == list(module.state_dict())
    wanted, found = module(x), own(x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    cotangent = torch.linspace(-1, 1, wanted.numel()).reshape(wanted.shape)
    wanted.backward(cotangent)
    found.backward(cotangent)
    for (name, a), b in zip(own.named_parameters(), module.parameters(), strict=True):
        assert a.grad is not None and b.grad is not None, name
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3 * max(float(b.grad.abs().max()), 1e-2))
    for a, b in zip(own.buffers(), module.buffers(), strict=True):
        torch.testing.assert_close(a, b)
    return done


def encoder() -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


def test_a_transformer_encoder() -> None:
    x = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8).sin()
    done = require_equal(encoder(), x)
    assert set(done.swapped.values()) == {"MultiheadAttention", "Linear", "LayerNorm", "Dropout"}
    assert not done.left
    swapped = encoder().eval()
    uol.replace(swapped)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(swapped(x, mask=mask), encoder().eval()(x, mask=mask), rtol=1e-4, atol=1e-5)


def test_hooks_of_an_encoder_see_what_its_layers_see() -> None:
    """A norm takes a sum by one operator, but where a hook is to be told of it, or an autocast adds in the wider type."""
    x = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8).sin()
    ours, theirs = encoder(), encoder()
    uol.replace(ours)
    seen: dict[nn.Module, list[torch.Tensor]] = {}

    def see(norm: nn.Module, given: tuple[torch.Tensor], y: torch.Tensor) -> None:
        seen.setdefault(norm, [*given, y])

    for module in (ours, theirs):
        module.get_submodule("layers.0.norm1").register_forward_hook(see)
        module(x)
    own, wanted = seen.values()
    torch.testing.assert_close(own, wanted, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(ours(x), theirs(x), rtol=3e-2, atol=3e-2)


@pytest.mark.parametrize("train", [True, False])
def test_layers_of_images(train: bool) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1), nn.GroupNorm(1, 2), nn.GELU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(8, 5), nn.LogSoftmax(1)),
    )
    assert not require_equal(module, EIGHT, train=train).left


def test_the_blocks_of_a_resnet() -> None:
    """One that keeps its size and one that halves it."""
    torchvision = pytest.importorskip("torchvision", reason="the reference network is torchvision's")
    torch.manual_seed(0)
    module = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1] * 4)
    module.layer3, module.layer4, module.fc = nn.Sequential(), nn.Sequential(), nn.Linear(128, 5)
    done = require_equal(module, torch.randn(2, 3, 32, 32))
    assert not done.left and len(done.swapped) == 18


@pytest.mark.soak
def test_resnet18() -> None:
    torchvision = pytest.importorskip("torchvision", reason="the reference network is torchvision's")
    torch.manual_seed(0)
    done = require_equal(torchvision.models.resnet18(num_classes=5), torch.randn(2, 3, 64, 64))
    assert not done.left and len(done.swapped) == 52


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), torch.relu, nn.functional.gelu])
def test_an_encoder_is_saved_and_restored(activation: Any) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation, batch_first=True)
    module = nn.TransformerEncoder(layer, 2).eval()
    x = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8).sin()
    padded = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    types = [type(m) for m in module.modules()]
    states = [{k: v for k, v in vars(m).items() if not k.startswith("_")} for m in module.modules()]
    wanted, masked = module(x), module(x, src_key_padding_mask=padded)
    uol.replace(module)
    assert not module.use_nested_tensor
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for own in (module, torch.load(file, weights_only=False), copy.deepcopy(module)):
        torch.testing.assert_close(own(x), wanted, rtol=1e-4, atol=1e-5)
        own(x, src_key_padding_mask=padded)
        restore(own)
        assert [type(m) for m in own.modules()] == types
        torch.testing.assert_close(own(x, src_key_padding_mask=padded), masked)
    assert [{k: v for k, v in vars(m).items() if not k.startswith("_")} for m in module.modules()] == states


LEFT = {
    "pads with 'reflect'": nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
    "gives indices": nn.MaxPool2d(2, return_indices=True),
    "has a divisor of its own": nn.AvgPool2d(3, divisor_override=2),
    "upsamples by 'bicubic'": nn.Upsample(4, mode="bicubic"),
    "scales by no whole number": nn.Upsample(scale_factor=1.5),
    "writes over its input": nn.Dropout(inplace=True),
    "draws from PyTorch's random numbers": nn.Dropout2d(),
    "has padding_idx": nn.Embedding(4, 2, padding_idx=0),
    "has a target in logarithms": nn.KLDivLoss(log_target=True),
    "uol has no layer in the place of LSTM": nn.LSTM(2, 2),
}


@pytest.mark.parametrize("reason", LEFT)
def test_what_is_left_alone_is_said_with_the_reason(reason: str) -> None:
    kind = type(LEFT[reason])
    done = uol.replace(nn.ModuleDict({"inner": LEFT[reason]}))
    assert done.left == {"inner": reason} and not done.swapped
    assert type(LEFT[reason]) is kind
    assert f"inner: {reason}" in str(done)


def test_dropout_draws_its_seed_from_pytorch() -> None:
    layer, x = nn.ModuleList([nn.Dropout(0.25)]), torch.ones(10000, requires_grad=True)
    assert not uol.replace(layer).left
    torch.manual_seed(0)
    first, second = layer[0](x), layer[0](x)
    torch.manual_seed(0)
    torch.testing.assert_close(layer[0](x), first, rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert {round(float(v), 5) for v in first.unique()} == {0.0, round(1 / 0.75, 5)}
    assert abs(float((first == 0).float().mean()) - 0.25) < 0.02
    first.sum().backward()
    torch.testing.assert_close(x.grad, first.detach())
    assert torch.equal(layer.eval()[0](x), x)


def test_a_subclass_is_left_alone_and_a_swapped_layer_is_not_swapped_again() -> None:
    class Own(nn.Linear):
        pass

    module = nn.Sequential(Own(2, 2), nn.ReLU())
    assert "may compute something else" in uol.replace(module).left["0"]
    assert uol.replace(module).left["1"] == "computes with uol already"


def test_a_swapped_module_is_copied_pickled_and_compiled() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.LayerNorm(3))
    x = torch.linspace(-1, 1, 8).reshape(2, 4)
    wanted = module(x)
    uol.replace(module)
    assert isinstance(module[0], nn.Linear)
    torch.testing.assert_close(pickle.loads(pickle.dumps(module))(x), wanted)
    torch.testing.assert_close(torch.compile(module, backend="aot_eager", fullgraph=True)(x), wanted)


def test_no_module() -> None:
    for function in (uol.replace, uol.freeze):
        with pytest.raises(uol.UolError, match=r"takes a torch\.nn\.Module"):
            function(torch.relu)  # type: ignore[arg-type]


class Block(nn.Module):
    """Every form that is fused, and one that is folded."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.second_norm = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.third, self.third_norm = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)
        self.grouped, self.grouped_norm = nn.Conv2d(4, 4, 3, groups=2), nn.BatchNorm2d(4)
        self.head = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first_norm(self.first(x)))
        x = torch.relu(self.second_norm(self.second(x)) + x)
        x = self.third_norm(self.third(x))
        y: torch.Tensor = self.head(self.grouped_norm(self.grouped(x)).mean((2, 3)))
        return y


def block() -> Block:
    torch.manual_seed(0)
    module = Block()
    for _ in range(2):
        module(EIGHT)  # so that running statistics are some
    return module.eval()


def test_what_is_frozen_gives_the_same() -> None:
    module = block()
    frozen = uol.freeze(module)
    forms = {"conv2d_bn": 1, "conv2d_bn_relu": 1, "conv2d_bn_add_relu": 1, "conv_bn in the weights": 1}
    assert frozen.fused == {**forms, "linear_gelu": 1, "linear_relu": 1}
    torch.testing.assert_close(frozen(EIGHT), module(EIGHT), rtol=1e-4, atol=1e-5)
    assert all(p.requires_grad for p in module.parameters())
    assert not frozen.replacement.left
    uol.replace(module)
    assert uol.freeze(module).fused == frozen.fused


class Overwriting(nn.Module):
    """Activations that write over what is read again: by the sum, and by the convolution that a residual would put off."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)
        self.second, self.second_norm = nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 1
        y = self.first_norm(self.first(x))
        z = self.relu(x)
        y = self.relu(y + z) + x
        kept = y * 1
        total = kept
        total += self.second_norm(self.second(y))
        return self.relu(total) + 2 * kept


def test_what_is_written_over_is_frozen_as_it_was() -> None:
    torch.manual_seed(0)
    module = Overwriting().eval()
    frozen = uol.freeze(module)
    assert frozen.fused == {"conv2d_bn": 2}
    torch.testing.assert_close(frozen(EIGHT), module(EIGHT), rtol=1e-4, atol=1e-5)


def test_a_frozen_resnet_is_fused_throughout() -> None:
    torchvision = pytest.importorskip("torchvision", reason="the reference network is torchvision's")
    frozen = uol.freeze(torchvision.models.resnet18(num_classes=5))
    assert frozen.fused == {"conv2d_bn_relu": 9, "conv2d_bn_add_relu": 8, "conv2d_bn": 3}


def test_a_frozen_module_is_not_trained_and_does_not_change() -> None:
    frozen = uol.freeze(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    frozen(torch.ones(1, 2))
    frozen.eval()
    with pytest.raises(uol.UolError, match="a frozen module is not trained"):
        frozen.train()
    with pytest.raises(uol.UolError, match="settled"):
        frozen.load_state_dict({})
    with torch.no_grad():
        next(frozen.parameters()).mul_(2)
    with pytest.raises(uol.UolError, match="was changed after the module was frozen"):
        frozen(torch.ones(1, 2))


def test_what_is_not_traced_is_said() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.layer(x) if x.sum() > 0 else x
            return y

    frozen = uol.freeze(Branching())
    assert frozen.unfused is not None and "torch.fx" in str(frozen)
    assert frozen.replacement.swapped == {"layer": "Linear"}
