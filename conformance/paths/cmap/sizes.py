"""The sizes of the path."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uol.ir.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of video [batch, channels, frames, height, width] and text [batch, words, text_width].

    `stem`: the channels of the two convolutions; each halves the lines and columns, the first the frames, too. `model`: the
    width of the tokens and of the result; `heads` share it, and so do the heads of both attentions. `groups`: of channels, in
    the norms of the stem. Raises ShapeError where heads or groups do not divide evenly.
    """

    batch: int
    heads: int
    channels: int
    frames: int
    height: int
    width: int
    words: int
    text_width: int
    stem: tuple[int, int]
    model: int
    groups: int

    def __post_init__(self) -> None:
        if self.heads < 1 or self.model % self.heads:
            raise ShapeError(f"{self.heads} heads do not share {self.model} channels evenly", hint="choose a divisor")
        if self.groups < 1 or any(channels % self.groups for channels in self.stem):
            raise ShapeError(f"{self.groups} groups do not share {self.stem} channels evenly", hint="choose a divisor")

    @property
    def video(self) -> tuple[int, int, int, int, int]:
        """The shape of the video features."""
        return self.batch, self.channels, self.frames, self.height, self.width

    @property
    def text(self) -> tuple[int, int, int]:
        """The shape of the text features."""
        return self.batch, self.words, self.text_width


REAL = Sizes(
    batch=64,
    heads=8,
    channels=64,
    frames=8,
    height=28,
    width=28,
    words=32,
    text_width=256,
    stem=(128, 256),
    model=256,
    groups=8,
)
CHECK = replace(REAL, batch=2)
NARROW = Sizes(batch=2, heads=2, channels=3, frames=4, height=6, width=7, words=5, text_width=6, stem=(4, 6), model=8, groups=2)
TRAINED = Sizes(
    batch=32, heads=4, channels=1, frames=6, height=16, width=16, words=4, text_width=64, stem=(16, 32), model=64, groups=4
)
