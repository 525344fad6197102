"""The transposed convolution in three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uol.ops.references.conv_transpose import transposed

REFERENCES: Mapping[str, Callable[..., object]] = {"conv_transpose3d": transposed(3)}
