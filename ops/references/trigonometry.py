"""Inverses of trigonometric functions, hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

_BY_NAME = ("atan", "asin", "acos", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh")

REFERENCES: Mapping[str, Callable[..., object]] = {name: getattr(torch, name) for name in _BY_NAME}
