"""Convolutions in three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uol.ops.references.conv import convolution

REFERENCES: Mapping[str, Callable[..., object]] = {"conv3d": convolution(3), "conv3d_bias": convolution(3)}
