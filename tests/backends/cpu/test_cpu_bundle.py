"""A bundle's files, built by the system's compiler and called through the C interface."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_interface import Attribute, Tensor
from cpu_cases import channels_last, graph_of, inputs_of, module_of, program_of, require_close, weights_last

from uol.codegen.backend import Module
from uol.ir import interpret

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to build a bundle with")
F32, FLOAT = 1, 0
BAD_WORKSPACE, BAD_SHAPE_OF_X, BAD_STRIDES_OF_X = 4, 16 + 3, 16 + 4


def built(module: Module, folder: Path) -> ctypes.CDLL:
    for file in (module.device, *module.host):
        (folder / file.name).write_text(file.text)
    done = subprocess.run(module.build, shell=True, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / f"libuol_{module.graph.name}.so"))


def tensors(arrays: list[np.ndarray]) -> Any:
    rows = []
    for array in arrays:
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        strides = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
        rows.append(Tensor(array.ctypes.data, shape, strides, array.ndim, F32))
    return (Tensor * len(rows))(*rows)


def test_a_bundle_runs_a_convolution_through_the_c_interface(tmp_path: Path) -> None:
    dims = {"N": 1, "C": 8, "H": 16, "W": 16, "O": 32, "R": 3, "S": 3}
    program = program_of("conv2d_bn_relu", dims=dims, attrs={"stride": 1, "pad": 1})
    layouts = {"x": channels_last(1, 8, 16, 16), "w": weights_last(32, 8, 3, 3), "y": channels_last(1, 32, 16, 16)}
    module = module_of(graph_of(program, layouts))
    library = built(module, tmp_path)
    inputs = inputs_of(program)
    x = np.ascontiguousarray(inputs["x"].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    w = np.ascontiguousarray(inputs["w"].transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)
    y = np.empty((1, 16, 16, 32), np.float32).transpose(0, 3, 1, 2)
    vectors = [inputs[n] for n in ("gamma", "beta", "mean", "var")]
    given = tensors([x, w, *vectors, y])
    attributes = (Attribute * 1)(Attribute(FLOAT, 1e-5))
    library.uol_conv2d_bn_relu_workspace.restype = ctypes.c_int64
    needed = library.uol_conv2d_bn_relu_workspace(given, 7, attributes, 1)
    assert needed > 0
    memory = np.empty(needed + 256, np.uint8)
    place = ctypes.c_void_p(-(-memory.ctypes.data // 256) * 256)
    call = library.uol_conv2d_bn_relu
    assert call(None, place, ctypes.c_int64(needed), given, 7, attributes, 1) == 0
    require_close(y, interpret(program, inputs, {"eps": 1e-5})["y"], "f32", 90, 40)
    assert call(None, None, ctypes.c_int64(0), given, 7, attributes, 1) == BAD_WORKSPACE
    assert call(None, place, ctypes.c_int64(needed), tensors([x[:, :, :8], w, *vectors, y]), 7, attributes, 1) == BAD_SHAPE_OF_X
    wrong = tensors([inputs["x"], w, *vectors, y])
    assert call(None, place, ctypes.c_int64(needed), wrong, 7, attributes, 1) == BAD_STRIDES_OF_X
    library.uol_conv2d_bn_relu_message.restype = ctypes.c_char_p
    assert library.uol_conv2d_bn_relu_message(BAD_STRIDES_OF_X) == b"x must have the strides [2048, 1, 128, 8]"


def test_a_bundle_without_parallel_loops_links_as_well(tmp_path: Path) -> None:
    module = module_of(graph_of(program_of("add", ranks={"S": 1}, dims={"S": 9})))
    library = built(module, tmp_path)
    a, b, y = (np.arange(9, dtype=np.float32) * f for f in (1, 2, 0))
    assert library.uol_add(None, None, ctypes.c_int64(0), tensors([a, b, y]), 3, None, 0) == 0
    np.testing.assert_array_equal(y, a + b)


def test_the_emitted_files_name_no_path_and_hold_the_op() -> None:
    module = module_of(graph_of(program_of("softmax", ranks={"S": 1}, dims={"S": 9, "C": 40})))
    assert module.device.name == "softmax.tir.py"
    assert module.device.text.startswith("# op softmax")
    assert "@T.prim_func\ndef softmax_kernel" in module.device.text
    names = ["softmax.s", "softmax_host.cpp", "uol_softmax.h", "uol_abi.h", "example.cpp", "uol_threads.c"]
    assert [f.name for f in module.host] == names
    here = str(Path(__file__).parents[3])
    assert not any(here in f.text for f in (module.device, *module.host))
