"""Cross-modal attention pooling by `uol`'s operators alone.

    f = relu(norm(conv(relu(norm(conv(video))))))     the stem, in three dimensions
    t = f as tokens, projected to the width of the model
    a = norm(t + attention(t, text))                  each token of the video asks the words that are there
    y = norm(q + attention(q, a))                     one learned query asks the tokens

The two attentions with their norms are the attention blocks of the Set Transformer (Lee et al. 2019) without the feed-forward
part; the second is its pooling by attention with one seed.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn, randn

from uol.conformance.paths.cmap.sizes import Sizes
from uol.ir.errors import ShapeError
from uol.ops import text as ops
from uol.pytorch.layers.convolution_layers import Conv3d
from uol.pytorch.layers.parameter_layers import Linear
from uol.pytorch.layers.row_norm_layers import LayerNorm

SEED_STD = 0.02
"""So small that what the seed has read decides the result, as tokens that are learned are in vision transformers."""


class Stem(nn.Module):
    """Video [N, C, T, H, W] -> features [N, D, T/2, H/4, W/4], sizes rounded up."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        first, second = sizes.stem
        self.conv1 = Conv3d(sizes.channels, first, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(sizes.groups, first)
        self.conv2 = Conv3d(first, second, 3, stride=(1, 2, 2), padding=1, bias=False)
        self.norm2 = nn.GroupNorm(sizes.groups, second)

    def forward(self, video: Tensor) -> Any:
        for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2)):
            video = ops.group_norm_relu(conv(video), norm.weight, norm.bias, groups=norm.num_groups, eps=norm.eps)
        return video


def initialise(attention: nn.Module) -> None:
    """The projections as in PyTorch's MultiheadAttention: a result is as large as what it is made of."""
    for layer in attention.children():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)


def heads(x: Tensor, count: int) -> Tensor:
    """[N, L, D] -> [N, count, L, D/count], a view."""
    split: Tensor = x.unflatten(-1, (count, -1))
    return split.transpose(1, 2)


class Alignment(nn.Module):
    """Tokens [N, P, D] and text [N, L, E] -> tokens [N, P, D]: norm(tokens + what they read from the words that are there).
    Where no word is, attention gives 0, and `out`, which has no bias, too."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.query = Linear(sizes.model, sizes.model)
        self.key = Linear(sizes.text_width, sizes.model, bias=False)
        self.value = Linear(sizes.text_width, sizes.model)
        self.out = Linear(sizes.model, sizes.model, bias=False)
        self.norm = nn.LayerNorm(sizes.model)
        initialise(self)

    def forward(self, tokens: Tensor, text: Tensor, there: Tensor) -> Any:
        q, k, v = (heads(x, self.heads) for x in (self.query(tokens), self.key(text), self.value(text)))
        seen = there[:, None, None]  # alike for each head and query
        read = ops.masked_attention(q, k, v, seen).transpose(1, 2).flatten(2)
        return ops.add_layer_norm(self.out(read), tokens, self.norm.weight, self.norm.bias, eps=self.norm.eps)


class Pooling(nn.Module):
    """Tokens [N, P, D] -> vectors [N, D]: norm(seed + what the seed reads from the tokens). The seed, which all of a batch
    share, is added as the bias of `out`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.seed = nn.Parameter(randn(sizes.model) * SEED_STD)
        self.query = Linear(sizes.model, sizes.model)
        self.key = Linear(sizes.model, sizes.model, bias=False)
        self.value = Linear(sizes.model, sizes.model)
        self.out = Linear(sizes.model, sizes.model, bias=False)
        self.norm = LayerNorm(sizes.model)
        initialise(self)

    def forward(self, tokens: Tensor) -> Any:
        q = self.query(self.seed[None]).reshape(self.heads, -1)
        k, v = (heads(x, self.heads) for x in (self.key(tokens), self.value(tokens)))
        read = ops.attention_pool(q, k, v).flatten(1)
        return self.norm(ops.linear(read, self.out.weight, self.seed))


class CrossModalPooling(nn.Module):
    """Video [N, C, T, H, W], text [N, L, E] and which of its words are there, bool [N, L] -> vectors [N, D].

    N is the batch of `sizes`. Raises ShapeError for another one.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.stem = Stem(sizes)
        self.project = Linear(sizes.stem[1], sizes.model)
        self.align = Alignment(sizes)
        self.pool = Pooling(sizes)

    def forward(self, video: Tensor, text: Tensor, there: Tensor) -> Any:
        if video.shape != self.sizes.video or text.shape != self.sizes.text:
            found = f"video {tuple(video.shape)} and text {tuple(text.shape)}"
            raise ShapeError(f"{found}, expected {self.sizes.video} and {self.sizes.text}", hint="give the sizes of the path")
        tokens = self.project(self.stem(video).flatten(2).transpose(1, 2))
        return self.pool(self.align(tokens, text, there))


class Answerer(nn.Module):
    """Video [N, C, T, H, W], tokens i64 [N, L] and which of them are there -> scores [N, answers]. What is
    trained."""

    def __init__(self, sizes: Sizes, tokens: int, answers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, sizes.text_width)
        self.core = CrossModalPooling(sizes)
        self.hidden = Linear(sizes.model, 2 * sizes.model)
        self.head = Linear(2 * sizes.model, answers)

    def forward(self, video: Tensor, tokens: Tensor, there: Tensor) -> Any:
        y = self.core(video, ops.embedding(self.embed.weight, tokens), there)
        return self.head(ops.linear_relu(y, self.hidden.weight, self.hidden.bias))

    def loss(self, video: Tensor, tokens: Tensor, there: Tensor, answer: Tensor) -> Any:
        """The cross entropy of the scores."""
        return ops.cross_entropy(self(video, tokens, there), answer)
