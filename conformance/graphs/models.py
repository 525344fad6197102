"""What is measured: chains of operators written out, and whole models as people write them, without a word of `uol` in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def gelu(x: Tensor) -> Tensor:
    """GELU by the hyperbolic tangent, written out."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def rms_norm(x: Tensor, w: Tensor) -> Tensor:
    """Over the last dim."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w


def softmax(x: Tensor) -> Tensor:
    """Over the last dim."""
    e = torch.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def swiglu(g: Tensor, u: Tensor) -> Tensor:
    """A gate of SiLU."""
    return g * torch.sigmoid(g) * u


def norm_residual(x: Tensor, r: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Layer norm of a sum."""
    t = x + r
    m = t.mean(-1, keepdim=True)
    v = (t - m).pow(2).mean(-1, keepdim=True)
    return (t - m) * torch.rsqrt(v + 1e-5) * w + b


def cross_entropy(x: Tensor, t: Tensor) -> Tensor:
    """The mean over rows."""
    s = x - x.amax(-1, keepdim=True)
    return -(s - s.exp().sum(-1, keepdim=True).log()).gather(1, t[:, None]).mean()


class Block(nn.Module):
    """As LLaMA's: RMSNorm, grouped queries, rotary, causal, SwiGLU."""

    def __init__(self, width: int, heads: int, groups: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.q, self.o = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k, self.v = (nn.Linear(width, groups * self.size, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)
        self.first, self.second = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        batch, length, width = x.shape
        n = rms_norm(x, self.first)
        q = self.q(n).view(batch, length, self.heads, self.size).transpose(1, 2)
        k = self.k(n).view(batch, length, self.groups, self.size).transpose(1, 2)
        v = self.v(n).view(batch, length, self.groups, self.size).transpose(1, 2)
        q, k = rotary(q, cosine, sine), rotary(k, cosine, sine)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(batch, length, width))
        n = rms_norm(x, self.second)
        found: Tensor = x + self.down(functional.silu(self.gate(n)) * self.up(n))
        return found


def rotary(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Halves that turn."""
    a, b = x.chunk(2, -1)
    return x * cosine + torch.cat([-b, a], -1) * sine


class LanguageModel(nn.Module):
    """As LLaMA, small: `layers` blocks between an embedding and a head."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, layers: int, width: int, heads: int, groups: int, hidden: int, length: int, words: int) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(words, width), nn.Linear(width, words, bias=False)
        self.blocks = nn.ModuleList(Block(width, heads, groups, hidden) for _ in range(layers))
        self.norm, size = nn.Parameter(torch.ones(width)), width // heads
        angle = torch.outer(torch.arange(float(length)), 10000 ** (-torch.arange(0, size, 2) / size)).repeat(1, 2)
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())

    def forward(self, at: Tensor) -> Tensor:
        x = self.words(at)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        found: Tensor = self.head(rms_norm(x, self.norm))
        return found


class StateSpace(nn.Module):
    """As a block of Mamba-2: a causal convolution of each channel, and a state space whose steps are taken as one product of
    decays, which hold over all that lies between."""

    def __init__(self, width: int, heads: int, state: int) -> None:
        super().__init__()
        self.heads, self.state, self.size = heads, state, width // heads
        self.into, self.out = nn.Linear(width, 2 * width + 2 * state + heads), nn.Linear(width, width)
        self.convolution = nn.Conv1d(width, width, 4, padding=3, groups=width)
        self.decay, self.skip = nn.Parameter(torch.zeros(heads)), nn.Parameter(torch.ones(heads))
        self.norm = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.into(rms_norm(x, self.norm)).split([width, width, self.state, self.state, self.heads], -1)
        gate, u, b, c, step = parts
        u = functional.silu(self.convolution(u.transpose(1, 2))[..., :length]).transpose(1, 2)
        step = functional.softplus(step)
        total = torch.cumsum(-step * torch.exp(self.decay), 1).transpose(1, 2)  # by head
        between = (total[..., :, None] - total[..., None, :]).tril()
        passed = torch.exp(between).tril()
        weight = torch.einsum("bis,bjs->bij", c, b)[:, None] * passed
        v = u.view(batch, length, self.heads, self.size).transpose(1, 2)
        y = weight @ (v * step.transpose(1, 2)[..., None]) + v * self.skip[:, None, None]
        y = y.transpose(1, 2).reshape(batch, length, width)
        found: Tensor = x + self.out(y * functional.silu(gate))
        return found


class Mixer(nn.Module):
    """An MLP-mixer: patches, then products over places and over channels in turns."""

    def __init__(self, layers: int, patch: int, places: int, width: int, classes: int) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, width, patch, patch), nn.LayerNorm(width)
        self.over_places = nn.ModuleList(_perceptron(places, places // 2) for _ in range(layers))
        self.over_channels = nn.ModuleList(_perceptron(width, 4 * width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * layers))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        for k, (places, channels) in enumerate(zip(self.over_places, self.over_channels, strict=True)):
            x = x + places(self.norms[2 * k](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * k + 1](x))
        found: Tensor = self.head(self.norm(x).mean(1))
        return found


def _perceptron(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


@dataclass(frozen=True)
class Subject:
    """A model and its inputs; `make` draws both."""

    name: str
    make: Callable[[], tuple[Callable[..., Tensor], tuple[Any, ...]]]
    is_small: bool = False


def _rows(model: Callable[..., Tensor], *kinds: str) -> Subject:
    def make() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        made = {
            "rows": lambda: torch.randn(2048, 1024, requires_grad=True),
            "columns": lambda: torch.randn(1024, requires_grad=True),
            "classes": lambda: torch.randint(0, 1024, (2048,)),
        }
        return model, tuple(made[kind]() for kind in kinds)

    return Subject(model.__name__, make, is_small=True)


def _language_model() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    return LanguageModel(8, 512, 8, 2, 1408, 512, 1000), (torch.randint(0, 1000, (1, 512)),)


def _state_space() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    return StateSpace(512, 8, 64), (torch.randn(2, 512, 512, requires_grad=True),)


def _mixer() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    return Mixer(8, 16, 196, 512, 1000), (torch.randn(4, 3, 224, 224),)


def _resnet50() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    import torchvision

    return torchvision.models.resnet50(), (torch.randn(8, 3, 224, 224),)


def _vit_b_16() -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
    import torchvision

    model = torchvision.models.vit_b_16()
    nn.init.normal_(model.heads.head.weight, std=0.03)  # it starts as zeros, beside which no error shows
    return model, (torch.randn(4, 3, 224, 224),)


SUBJECTS = (
    _rows(gelu, "rows"),
    _rows(rms_norm, "rows", "columns"),
    _rows(softmax, "rows"),
    _rows(swiglu, "rows", "rows"),
    _rows(norm_residual, "rows", "rows", "columns", "columns"),
    _rows(cross_entropy, "rows", "classes"),
    Subject("llama", _language_model),
    Subject("mamba", _state_space),
    Subject("mixer", _mixer),
    Subject("resnet50", _resnet50),
    Subject("vit_b_16", _vit_b_16),
)
