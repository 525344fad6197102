"""Windows whose stride, padding, dilation and groups all differ per axis and side: data and weight gradients by autograd."""

from __future__ import annotations

import numpy as np
import pytest
from gradient_runs import by_autograd, derived, setting

from uol.ops.texts import library
from uol.ops.workloads import Workload

PADS = dict(pad_top=0, pad_left=2, pad_bottom=3, pad_right=1)
CASES = [
    ("conv2d", dict(N=2, C=6, H=11, W=13, O=4, D=3, R=3, S=2), dict(groups=2, stride_h=2, stride_w=3, **PADS)),
    ("conv2d", dict(N=1, C=6, H=11, W=13, O=4, D=3, R=3, S=4), dict(groups=2, stride_h=2, stride_w=3, dilation_w=2, **PADS)),
    (
        "conv2d",
        dict(N=1, C=4, H=9, W=12, O=6, D=2, R=2, S=3),
        dict(groups=2, stride_h=3, stride_w=2, dilation_h=3, dilation_w=2),
    ),
    ("conv2d", dict(N=1, C=1, H=1, W=1, O=1, D=1, R=1, S=1), {}),
    ("conv2d", dict(N=0, C=2, H=4, W=4, O=3, D=2, R=2, S=2), {}),
    ("conv2d", dict(N=1, C=2, H=3, W=5, O=2, D=2, R=3, S=1), dict(stride_h=7, stride_w=2)),  # a stride beyond the window
    ("conv1d", dict(N=2, C=6, W=17, O=9, D=2, S=4), dict(groups=3, stride=3, dilation=2, pad_left=4, pad_right=1)),
    ("conv_transpose1d", dict(N=2, C=6, W=5, D=2, S=4), dict(groups=3, stride=3, dilation=2, pad_left=4, pad_right=1)),
    ("conv_transpose1d", dict(N=2, C=6, W=5, D=2, S=4), dict(groups=3, stride=3, pad_left=2, pad_right=1, output_pad=2)),
    ("max_pool2d", dict(N=1, C=2, H=11, W=9), dict(kernel_h=3, kernel_w=2, kernel=3, stride_h=2, stride_w=1, dilation=2)),
    ("max_pool2d", dict(N=1, C=2, H=11, W=9), dict(kernel=4, stride_h=2, stride_w=3, pad_top=1, pad_left=2)),
    ("avg_pool2d", dict(N=1, C=2, H=11, W=9), dict(kernel=4, kernel_w=2, stride_h=3, stride_w=1, pad_top=1)),
]


@pytest.mark.parametrize(("name", "dims", "attrs"), CASES)
def test_windows(name: str, dims: dict[str, int], attrs: dict[str, int]) -> None:
    op = library().get(name)
    assert op is not None
    workload = Workload(name, dims, attrs)
    at = setting(op, workload)
    rng = np.random.default_rng(2)
    shapes = {t.name: tuple(int(d.value) for d in t.shape) for t in at.program(op, library()).by_role("in")}
    inputs = {n: rng.standard_normal(shape) for n, shape in shapes.items()}
    seed = [rng.standard_normal(at.run(op, library(), inputs)["y"].shape)]
    found = derived(op, library(), at, inputs, seed)
    expected = by_autograd(op, attrs, inputs, seed)
    assert found.keys() == expected.keys()
    for tensor, value in expected.items():
        np.testing.assert_allclose(found[tensor], value, 1e-10, 1e-10, err_msg=tensor)


def test_a_window_gives_its_cotangent_to_the_first_of_equal_values() -> None:
    op = library().get("max_pool2d")
    assert op is not None
    at = setting(op, Workload("max_pool2d", dict(N=1, C=1, H=4, W=4), dict(kernel=2)))
    found = derived(op, library(), at, {"x": np.zeros((1, 1, 4, 4))}, [np.ones((1, 1, 2, 2))])["x"]
    np.testing.assert_array_equal(found[0, 0], np.array([[1, 0, 1, 0], [0] * 4, [1, 0, 1, 0], [0] * 4]))
