"""The structures of uol_abi.h, written down once more: what a caller of a bundle's library hands over."""

from __future__ import annotations

import ctypes


class Tensor(ctypes.Structure):
    """uol_tensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    )


class Attribute(ctypes.Structure):
    """uol_attr, of a float."""

    _fields_ = (("kind", ctypes.c_int32), ("value", ctypes.c_double))
