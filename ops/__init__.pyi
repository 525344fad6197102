"""The operators of `uol.ops` as a type checker sees them. Generated: `python -m uol.pytorch.stubs > ops/__init__.pyi`."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from uol.pytorch import foreach as foreach
from uol.pytorch.variadic import concat as concat
from uol.pytorch.variadic import einsum as einsum
from uol.pytorch.variadic import stack as stack

_Input = Tensor | float
"""A number stands for a tensor of no dims; one input at least is a tensor."""
_Sizes = int | Sequence[int] | None
"""One number for all axes, or one for each."""

def provide(callable_of: Callable[[str], object]) -> None: ...
def relu(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def relu_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def relu6(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def relu6_grad(x: _Input, y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def leaky_relu(x: _Input, *, negative_slope: float = 0.01, out: Tensor | None = None) -> Tensor: ...
def leaky_relu_grad(x: _Input, dy: _Input, *, negative_slope: float = 0.01, out: Tensor | None = None) -> Tensor: ...
def elu(x: _Input, *, alpha: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def elu_grad(x: _Input, dy: _Input, *, alpha: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def celu(x: _Input, *, alpha: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def celu_grad(x: _Input, dy: _Input, *, alpha: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def selu(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def selu_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gelu(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gelu_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gelu_tanh(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gelu_tanh_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def silu(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def silu_grad(x: _Input, y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def mish(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def mish_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def softplus(x: _Input, *, beta: float = 1.0, threshold: float = 20.0, out: Tensor | None = None) -> Tensor: ...
def softplus_grad(
    x: _Input, dy: _Input, *, beta: float = 1.0, threshold: float = 20.0, out: Tensor | None = None
) -> Tensor: ...
def softsign(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def softsign_grad(x: _Input, y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sigmoid(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sigmoid_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log_sigmoid(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log_sigmoid_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hardsigmoid(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hardsigmoid_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hardswish(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hardswish_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hardtanh(x: _Input, *, min_val: float = -1.0, max_val: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def hardtanh_grad(
    x: _Input, y: _Input, dy: _Input, *, min_val: float = -1.0, max_val: float = 1.0, out: Tensor | None = None
) -> Tensor: ...
def hardshrink(x: _Input, *, lambd: float = 0.5, out: Tensor | None = None) -> Tensor: ...
def hardshrink_grad(x: _Input, dy: _Input, *, lambd: float = 0.5, out: Tensor | None = None) -> Tensor: ...
def softshrink(x: _Input, *, lambd: float = 0.5, out: Tensor | None = None) -> Tensor: ...
def softshrink_grad(x: _Input, dy: _Input, *, lambd: float = 0.5, out: Tensor | None = None) -> Tensor: ...
def tanhshrink(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def tanhshrink_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def threshold(x: _Input, *, at_most: float, value: float, out: Tensor | None = None) -> Tensor: ...
def threshold_grad(x: _Input, dy: _Input, *, at_most: float, out: Tensor | None = None) -> Tensor: ...
def prelu(x: _Input, slope: _Input, *, out: Tensor | None = None) -> Tensor: ...
def prelu_grad(x: _Input, slope: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def abs(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def abs_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def neg(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def neg_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sign(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sign_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def square(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def square_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sqrt(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sqrt_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def rsqrt(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def rsqrt_grad(x: _Input, y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def reciprocal(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def reciprocal_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def exp(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def exp_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def exp2(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def exp2_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def expm1(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def expm1_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log2(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log2_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log10(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log10_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log1p(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def log1p_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sin(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sin_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def cos(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def cos_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def tan(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def tan_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def tanh(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def tanh_grad(y: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def erf(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def erf_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def cast(x: _Input, *, dtype: torch.dtype, out: Tensor | None = None) -> Tensor: ...
def cast_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def floor(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def floor_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def ceil(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def ceil_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def round(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def round_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def trunc(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def trunc_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def frac(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def frac_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def floor_divide(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def remainder(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def fmod(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def add(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def add_grad(dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def sub(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sub_grad(dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def mul(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def mul_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def div(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def div_grad(b: _Input, y: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def pow(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def pow_grad(a: _Input, b: _Input, y: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def maximum(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def maximum_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def minimum(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def minimum_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def hypot(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def hypot_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def lerp(a: _Input, b: _Input, weight: _Input, *, out: Tensor | None = None) -> Tensor: ...
def lerp_grad(
    a: _Input, b: _Input, weight: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def fma(a: _Input, b: _Input, c: _Input, *, out: Tensor | None = None) -> Tensor: ...
def fma_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]: ...
def addcmul(x: _Input, a: _Input, b: _Input, *, value: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def addcmul_grad(
    a: _Input, b: _Input, dy: _Input, *, value: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def addcdiv(x: _Input, a: _Input, b: _Input, *, value: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def addcdiv_grad(
    a: _Input, b: _Input, dy: _Input, *, value: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def clamp(x: _Input, low: _Input, high: _Input, *, out: Tensor | None = None) -> Tensor: ...
def clamp_grad(
    x: _Input, low: _Input, high: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def eq(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def ne(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def lt(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def le(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gt(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def ge(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def isnan(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def isinf(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def isfinite(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def logical_and(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def logical_or(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def logical_xor(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def logical_not(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def choose(c: _Input, a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def choose_grad(c: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def masked_fill(x: _Input, mask: _Input, *, value: float, out: Tensor | None = None) -> Tensor: ...
def masked_fill_grad(mask: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def sum(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def sum_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def mean(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def mean_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def prod(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def prod_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def amax(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def amax_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def amin(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def amin_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def argmax(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def argmin(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def any(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def all(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def count_nonzero(
    x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def max_with_index(
    x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def max_with_index_grad(x: _Input, at: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def min_with_index(
    x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def min_with_index_grad(x: _Input, at: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def var(
    x: _Input, *, correction: int = 1, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def var_grad(x: _Input, dy: _Input, *, correction: int = 1, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def std(
    x: _Input, *, correction: int = 1, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def std_grad(x: _Input, y: _Input, dy: _Input, *, correction: int = 1, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def var_mean(
    x: _Input,
    *,
    correction: int = 1,
    dim: int | Sequence[int] | None = -1,
    keepdim: bool = False,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def var_mean_grad(
    x: _Input, dy: _Input, dmean: _Input, *, correction: int = 1, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def l1_norm(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def l1_norm_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def l2_norm(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def l2_norm_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def max_norm(
    x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def max_norm_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def vector_norm(
    x: _Input, *, p: float = 2.0, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def vector_norm_grad(x: _Input, dy: _Input, *, p: float = 2.0, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def normalize(x: _Input, *, eps: float = 1e-12, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def normalize_grad(
    x: _Input, y: _Input, dy: _Input, *, eps: float = 1e-12, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def cosine_similarity(
    a: _Input,
    b: _Input,
    *,
    eps: float = 1e-08,
    dim: int | Sequence[int] | None = -1,
    keepdim: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def cosine_similarity_grad(
    a: _Input, b: _Input, y: _Input, dy: _Input, *, eps: float = 1e-08, dim: int = -1, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def pairwise_distance(
    a: _Input,
    b: _Input,
    *,
    eps: float = 1e-06,
    dim: int | Sequence[int] | None = -1,
    keepdim: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def pairwise_distance_grad(
    a: _Input, b: _Input, y: _Input, dy: _Input, *, eps: float = 1e-06, dim: int = -1, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def softmax(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def softmax_grad(y: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def softmin(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def softmin_grad(y: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def log_softmax(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def log_softmax_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def logsumexp(
    x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def logsumexp_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def masked_softmax(x: _Input, mask: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def masked_softmax_grad(x: _Input, mask: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def batch_norm(
    x: _Input, gamma: _Input, beta: _Input, mean: _Input, var: _Input, *, eps: float = 1e-05, out: Tensor | None = None
) -> Tensor: ...
def batch_norm_grad(
    x: _Input, gamma: _Input, mean: _Input, var: _Input, dy: _Input, *, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def batch_norm_stats(x: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def batch_norm_stats_grad(x: _Input, dmean: _Input, dvar: _Input, *, out: Tensor | None = None) -> Tensor: ...
def batch_norm_train(
    x: _Input, gamma: _Input, beta: _Input, *, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def batch_norm_train_grad(
    x: _Input,
    gamma: _Input,
    dy: _Input,
    dmean: _Input,
    dvar: _Input,
    *,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def layer_norm(
    x: _Input, gamma: _Input, beta: _Input, *, eps: float = 1e-05, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def layer_norm_grad(
    x: _Input, gamma: _Input, dy: _Input, *, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def rms_norm(x: _Input, gamma: _Input, *, eps: float = 1e-06, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def rms_norm_grad(
    x: _Input, gamma: _Input, y: _Input, dy: _Input, *, eps: float = 1e-06, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def rms_norm_residual(
    x: _Input, residual: _Input, gamma: _Input, *, eps: float = 1e-06, dim: int = -1, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def rms_norm_residual_grad(
    x: _Input,
    residual: _Input,
    gamma: _Input,
    y: _Input,
    dy: _Input,
    dtotal: _Input,
    *,
    eps: float = 1e-06,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def instance_norm(x: _Input, gamma: _Input, beta: _Input, *, eps: float = 1e-05, out: Tensor | None = None) -> Tensor: ...
def instance_norm_grad(
    x: _Input, gamma: _Input, dy: _Input, *, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def group_mean(x: _Input, *, groups: int, out: Tensor | None = None) -> Tensor: ...
def group_mean_grad(x: _Input, dy: _Input, *, groups: int, out: Tensor | None = None) -> Tensor: ...
def group_norm(
    x: _Input, gamma: _Input, beta: _Input, *, groups: int, eps: float = 1e-05, out: Tensor | None = None
) -> Tensor: ...
def group_norm_grad(
    x: _Input, gamma: _Input, dy: _Input, *, groups: int, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def linear(x: _Input, w: _Input, b: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def linear_grad(x: _Input, w: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]: ...
def linear_relu(x: _Input, w: _Input, b: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def linear_relu_grad(
    x: _Input, w: _Input, y: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def linear_gelu(x: _Input, w: _Input, b: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def linear_gelu_grad(
    x: _Input, w: _Input, a: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def matmul(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def matmul_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def batched_matmul(x: _Input, z: _Input, *, out: Tensor | None = None) -> Tensor: ...
def batched_matmul_grad(x: _Input, z: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def matmul_add(
    c: _Input, a: _Input, b: _Input, *, alpha: float = 1.0, beta: float = 1.0, out: Tensor | None = None
) -> Tensor: ...
def matmul_add_grad(
    a: _Input, b: _Input, dy: _Input, *, alpha: float = 1.0, beta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def matmul_transposed(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def matmul_transposed_grad(
    a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def bilinear(x: _Input, z: _Input, w: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def bilinear_grad(
    x: _Input, z: _Input, w: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def outer(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def outer_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def dot(
    a: _Input, b: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None
) -> Tensor: ...
def dot_grad(
    a: _Input, b: _Input, dy: _Input, *, dim: int = -1, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def matrix_vector(a: _Input, b: _Input, *, out: Tensor | None = None) -> Tensor: ...
def matrix_vector_grad(a: _Input, b: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def conv1d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv1d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def conv1d_bias(
    x: _Input,
    w: _Input,
    b: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv1d_bias_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def conv2d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv2d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def conv2d_bias(
    x: _Input,
    w: _Input,
    b: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv2d_bias_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def conv3d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv3d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def conv3d_bias(
    x: _Input,
    w: _Input,
    b: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv3d_bias_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def conv2d_bn(
    x: _Input,
    w: _Input,
    gamma: _Input,
    beta: _Input,
    mean: _Input,
    var: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Tensor | None = None,
) -> Tensor: ...
def conv2d_bn_grad(
    x: _Input,
    w: _Input,
    gamma: _Input,
    mean: _Input,
    var: _Input,
    dy: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def conv2d_bn_relu(
    x: _Input,
    w: _Input,
    gamma: _Input,
    beta: _Input,
    mean: _Input,
    var: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Tensor | None = None,
) -> Tensor: ...
def conv2d_bn_relu_grad(
    x: _Input,
    w: _Input,
    gamma: _Input,
    mean: _Input,
    var: _Input,
    y: _Input,
    dy: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def conv2d_bn_add_relu(
    x: _Input,
    w: _Input,
    gamma: _Input,
    beta: _Input,
    mean: _Input,
    var: _Input,
    z: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Tensor | None = None,
) -> Tensor: ...
def conv2d_bn_add_relu_grad(
    x: _Input,
    w: _Input,
    gamma: _Input,
    mean: _Input,
    var: _Input,
    y: _Input,
    dy: _Input,
    *,
    stride: int = 1,
    pad: int = 0,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def conv_transpose1d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose1d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def conv_transpose2d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    output_pad_h: int | None = None,
    output_pad_w: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose2d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    output_pad_h: int | None = None,
    output_pad_w: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def conv_transpose3d(
    x: _Input,
    w: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    output_pad_d: int | None = None,
    output_pad_h: int | None = None,
    output_pad_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Tensor | None = None,
) -> Tensor: ...
def conv_transpose3d_grad(
    x: _Input,
    w: _Input,
    dy: _Input,
    *,
    stride: _Sizes = 1,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    output_pad: _Sizes = 0,
    output_padding: _Sizes = None,
    dilation: _Sizes = 1,
    groups: int = 1,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    output_pad_d: int | None = None,
    output_pad_h: int | None = None,
    output_pad_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def max_pool2d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def max_pool2d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool2d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool2d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def global_avg_pool2d(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def global_avg_pool2d_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def max_pool1d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def max_pool1d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool1d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool1d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def max_pool3d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def max_pool3d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    dilation: _Sizes = 1,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    dilation_d: int | None = None,
    dilation_h: int | None = None,
    dilation_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool3d(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool3d_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def global_avg_pool3d(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def global_avg_pool3d_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def window_count(
    like: _Input,
    *,
    size: int,
    length: int,
    kernel: int,
    stride: int,
    before: int,
    low: int,
    high: int,
    out: Tensor | None = None,
) -> Tensor: ...
def window_count_grad(like: _Input, *, out: Tensor | None = None) -> Tensor: ...
def avg_pool1d_counted(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: _Sizes = 0,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    rim_left: _Sizes = None,
    rim_right: _Sizes = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool1d_counted_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: _Sizes = 0,
    pad_left: _Sizes = None,
    pad_right: _Sizes = None,
    rim_left: _Sizes = None,
    rim_right: _Sizes = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool2d_counted(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: int = 0,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    rim_top: int | None = None,
    rim_left: int | None = None,
    rim_bottom: int | None = None,
    rim_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool2d_counted_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: int = 0,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    rim_top: int | None = None,
    rim_left: int | None = None,
    rim_bottom: int | None = None,
    rim_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool3d_counted(
    x: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: int = 0,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    rim_front: int | None = None,
    rim_top: int | None = None,
    rim_left: int | None = None,
    rim_back: int | None = None,
    rim_bottom: int | None = None,
    rim_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def avg_pool3d_counted_grad(
    x: _Input,
    dy: _Input,
    *,
    kernel: _Sizes = None,
    kernel_size: _Sizes = None,
    stride: _Sizes = None,
    pad: _Sizes = 0,
    padding: _Sizes = None,
    rim: int = 0,
    kernel_d: int | None = None,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride_d: int | None = None,
    stride_h: int | None = None,
    stride_w: int | None = None,
    pad_front: int | None = None,
    pad_top: int | None = None,
    pad_left: int | None = None,
    pad_back: int | None = None,
    pad_bottom: int | None = None,
    pad_right: int | None = None,
    rim_front: int | None = None,
    rim_top: int | None = None,
    rim_left: int | None = None,
    rim_back: int | None = None,
    rim_bottom: int | None = None,
    rim_right: int | None = None,
    ceil_mode: bool = False,
    out: Tensor | None = None,
) -> Tensor: ...
def adaptive_avg_pool1d(x: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_avg_pool1d_grad(x: _Input, dy: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_max_pool1d(x: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_max_pool1d_grad(x: _Input, dy: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_avg_pool2d(x: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_avg_pool2d_grad(x: _Input, dy: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_max_pool2d(x: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_max_pool2d_grad(x: _Input, dy: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_avg_pool3d(x: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_avg_pool3d_grad(
    x: _Input, dy: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None
) -> Tensor: ...
def adaptive_max_pool3d(x: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def adaptive_max_pool3d_grad(
    x: _Input, dy: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None
) -> Tensor: ...
def upsample_nearest1d(x: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_nearest1d_grad(x: _Input, dy: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_nearest2d(x: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_nearest2d_grad(x: _Input, dy: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_nearest3d(x: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_nearest3d_grad(
    x: _Input, dy: _Input, *, out_d: int, out_h: int, out_w: int, out: Tensor | None = None
) -> Tensor: ...
def upsample_fraction(like: _Input, *, size: int, length: int, out: Tensor | None = None) -> Tensor: ...
def upsample_fraction_grad(like: _Input, *, out: Tensor | None = None) -> Tensor: ...
def upsample_linear1d(x: _Input, *, out_w: int, align_corners: bool | None = None, out: Tensor | None = None) -> Tensor: ...
def upsample_linear1d_grad(x: _Input, dy: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_bilinear2d(
    x: _Input, *, out_h: int, out_w: int, align_corners: bool | None = None, out: Tensor | None = None
) -> Tensor: ...
def upsample_bilinear2d_grad(x: _Input, dy: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_corner_fraction(like: _Input, *, size: int, length: int, out: Tensor | None = None) -> Tensor: ...
def upsample_corner_fraction_grad(like: _Input, *, out: Tensor | None = None) -> Tensor: ...
def upsample_linear1d_corners(x: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_linear1d_corners_grad(x: _Input, dy: _Input, *, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_bilinear2d_corners(x: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def upsample_bilinear2d_corners_grad(x: _Input, dy: _Input, *, out_h: int, out_w: int, out: Tensor | None = None) -> Tensor: ...
def pad1d(x: _Input, *, left: int, right: int, value: float = 0.0, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def pad1d_grad(x: _Input, dy: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def pad2d(
    x: _Input, *, left: int, right: int, top: int, bottom: int, value: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def pad2d_grad(x: _Input, dy: _Input, *, left: int, right: int, top: int, bottom: int, out: Tensor | None = None) -> Tensor: ...
def pad3d(
    x: _Input,
    *,
    left: int,
    right: int,
    top: int,
    bottom: int,
    front: int,
    back: int,
    value: float = 0.0,
    out: Tensor | None = None,
) -> Tensor: ...
def pad3d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, top: int, bottom: int, front: int, back: int, out: Tensor | None = None
) -> Tensor: ...
def reflection_pad1d(x: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def reflection_pad1d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def reflection_pad2d(x: _Input, *, left: int, right: int, top: int, bottom: int, out: Tensor | None = None) -> Tensor: ...
def reflection_pad2d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, top: int, bottom: int, out: Tensor | None = None
) -> Tensor: ...
def replication_pad1d(x: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def replication_pad1d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def replication_pad2d(x: _Input, *, left: int, right: int, top: int, bottom: int, out: Tensor | None = None) -> Tensor: ...
def replication_pad2d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, top: int, bottom: int, out: Tensor | None = None
) -> Tensor: ...
def circular_pad1d(x: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def circular_pad1d_grad(
    x: _Input, dy: _Input, *, left: int, right: int, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def slice(x: _Input, *, start: int, stop: int, step: int = 1, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def slice_grad(
    x: _Input, dy: _Input, *, start: int, stop: int, step: int = 1, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def transpose(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def transpose_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def flip(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def flip_grad(dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def roll(x: _Input, *, shift: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def roll_grad(dy: _Input, *, shift: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def repeat(x: _Input, *, times: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def repeat_grad(x: _Input, dy: _Input, *, times: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def repeat_interleave(x: _Input, *, times: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def repeat_interleave_grad(x: _Input, dy: _Input, *, times: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def tril(x: _Input, *, diagonal: int = 0, out: Tensor | None = None) -> Tensor: ...
def tril_grad(dy: _Input, *, diagonal: int = 0, out: Tensor | None = None) -> Tensor: ...
def triu(x: _Input, *, diagonal: int = 0, out: Tensor | None = None) -> Tensor: ...
def triu_grad(dy: _Input, *, diagonal: int = 0, out: Tensor | None = None) -> Tensor: ...
def diagonal(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def diagonal_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def pixel_shuffle(x: _Input, *, factor: int, out: Tensor | None = None) -> Tensor: ...
def pixel_shuffle_grad(x: _Input, dy: _Input, *, factor: int, out: Tensor | None = None) -> Tensor: ...
def pixel_unshuffle(x: _Input, *, factor: int, out: Tensor | None = None) -> Tensor: ...
def pixel_unshuffle_grad(x: _Input, dy: _Input, *, factor: int, out: Tensor | None = None) -> Tensor: ...
def channel_shuffle(x: _Input, *, groups: int, out: Tensor | None = None) -> Tensor: ...
def channel_shuffle_grad(dy: _Input, *, groups: int, out: Tensor | None = None) -> Tensor: ...
def embedding(w: _Input, at: _Input, *, out: Tensor | None = None) -> Tensor: ...
def embedding_grad(w: _Input, at: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def embedding_bag(w: _Input, at: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def embedding_bag_grad(w: _Input, at: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def index_select(x: _Input, at: _Input, *, out: Tensor | None = None) -> Tensor: ...
def index_select_grad(x: _Input, at: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gather(x: _Input, at: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def gather_grad(x: _Input, at: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def gather_rows(x: _Input, at: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gather_rows_grad(x: _Input, at: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def take(x: _Input, at: _Input, *, out: Tensor | None = None) -> Tensor: ...
def take_grad(x: _Input, at: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def one_hot(at: _Input, *, classes: int, out: Tensor | None = None) -> Tensor: ...
def index_fill(x: _Input, at: _Input, *, value: float, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def index_fill_grad(at: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def segment_mean(x: _Input, at: _Input, *, segments: int, out: Tensor | None = None) -> Tensor: ...
def segment_mean_grad(at: _Input, dy: _Input, *, segments: int, out: Tensor | None = None) -> Tensor: ...
def cumsum(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cumsum_grad(dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cumprod(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cumprod_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cummax(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cummax_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cummin(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def cummin_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def logcumsumexp(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def logcumsumexp_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moving_average(x: _Input, *, window: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def moving_average_grad(dy: _Input, *, window: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def diff(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def diff_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def attention(q: _Input, k: _Input, v: _Input, *, out: Tensor | None = None) -> Tensor: ...
def attention_grad(
    q: _Input, k: _Input, v: _Input, y: _Input, lse: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def causal_attention(q: _Input, k: _Input, v: _Input, *, out: Tensor | None = None) -> Tensor: ...
def causal_attention_grad(
    q: _Input, k: _Input, v: _Input, y: _Input, lse: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def masked_attention(q: _Input, k: _Input, v: _Input, mask: _Input, *, out: Tensor | None = None) -> Tensor: ...
def masked_attention_grad(
    q: _Input, k: _Input, v: _Input, mask: _Input, y: _Input, lse: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def biased_attention(q: _Input, k: _Input, v: _Input, bias: _Input, *, out: Tensor | None = None) -> Tensor: ...
def biased_attention_grad(
    q: _Input, k: _Input, v: _Input, bias: _Input, y: _Input, lse: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def attention_scores(q: _Input, k: _Input, *, out: Tensor | None = None) -> Tensor: ...
def attention_scores_grad(
    q: _Input, k: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def attention_pool(q: _Input, k: _Input, v: _Input, *, out: Tensor | None = None) -> Tensor: ...
def attention_pool_grad(
    q: _Input, k: _Input, v: _Input, y: _Input, lse: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def rotary_embedding(x: _Input, cosine: _Input, sine: _Input, *, out: Tensor | None = None) -> Tensor: ...
def rotary_embedding_grad(
    x: _Input, cosine: _Input, sine: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def rotary_embedding_pairs(x: _Input, cosine: _Input, sine: _Input, *, out: Tensor | None = None) -> Tensor: ...
def rotary_embedding_pairs_grad(
    x: _Input, cosine: _Input, sine: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def swiglu(gate: _Input, up: _Input, *, out: Tensor | None = None) -> Tensor: ...
def swiglu_grad(
    gate: _Input, up: _Input, y: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def geglu(gate: _Input, up: _Input, *, out: Tensor | None = None) -> Tensor: ...
def geglu_grad(gate: _Input, up: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def reglu(gate: _Input, up: _Input, *, out: Tensor | None = None) -> Tensor: ...
def reglu_grad(gate: _Input, up: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def glu(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def glu_grad(x: _Input, y: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def split_heads(x: _Input, *, heads: int, out: Tensor | None = None) -> Tensor: ...
def split_heads_grad(x: _Input, dy: _Input, *, heads: int, out: Tensor | None = None) -> Tensor: ...
def merge_heads(x: _Input, *, out: Tensor | None = None) -> Tensor: ...
def merge_heads_grad(x: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def masked_mean(x: _Input, mask: _Input, *, out: Tensor | None = None) -> Tensor: ...
def masked_mean_grad(mask: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def add_layer_norm(
    x: _Input, residual: _Input, gamma: _Input, beta: _Input, *, eps: float = 1e-05, dim: int = -1, out: Tensor | None = None
) -> Tensor: ...
def add_layer_norm_grad(
    x: _Input, residual: _Input, gamma: _Input, dy: _Input, *, eps: float = 1e-05, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def l1_loss(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def l1_loss_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def mse_loss(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def mse_loss_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def huber_loss(
    x: _Input, t: _Input, *, delta: float = 1.0, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def huber_loss_grad(
    x: _Input, t: _Input, dy: _Input, *, delta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def smooth_l1_loss(
    x: _Input, t: _Input, *, beta: float = 1.0, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def smooth_l1_loss_grad(
    x: _Input, t: _Input, dy: _Input, *, beta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def binary_cross_entropy_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy_with_logits(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def binary_cross_entropy_with_logits_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def kl_div(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none", "batchmean"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def kl_div_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def poisson_nll_loss(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def poisson_nll_loss_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def soft_margin_loss(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def soft_margin_loss_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def hinge_embedding_loss(
    x: _Input, t: _Input, *, margin: float = 1.0, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def hinge_embedding_loss_grad(
    x: _Input, t: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def l1_loss_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def l1_loss_each_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def l1_loss_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def l1_loss_sum_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def mse_loss_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def mse_loss_each_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def mse_loss_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def mse_loss_sum_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def huber_loss_each(x: _Input, t: _Input, *, delta: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def huber_loss_each_grad(
    x: _Input, t: _Input, dy: _Input, *, delta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def huber_loss_sum(x: _Input, t: _Input, *, delta: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def huber_loss_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, delta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def smooth_l1_loss_each(x: _Input, t: _Input, *, beta: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def smooth_l1_loss_each_grad(
    x: _Input, t: _Input, dy: _Input, *, beta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def smooth_l1_loss_sum(x: _Input, t: _Input, *, beta: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def smooth_l1_loss_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, beta: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def binary_cross_entropy_each_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def binary_cross_entropy_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy_with_logits_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def binary_cross_entropy_with_logits_each_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def binary_cross_entropy_with_logits_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def binary_cross_entropy_with_logits_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def kl_div_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def kl_div_each_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def kl_div_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def kl_div_sum_grad(x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def poisson_nll_loss_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def poisson_nll_loss_each_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def poisson_nll_loss_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def poisson_nll_loss_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def soft_margin_loss_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def soft_margin_loss_each_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def soft_margin_loss_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def soft_margin_loss_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def hinge_embedding_loss_each(x: _Input, t: _Input, *, margin: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def hinge_embedding_loss_each_grad(
    x: _Input, t: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def hinge_embedding_loss_sum(x: _Input, t: _Input, *, margin: float = 1.0, out: Tensor | None = None) -> Tensor: ...
def hinge_embedding_loss_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def nll_loss(
    x: _Input,
    t: _Input,
    *,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def nll_loss_grad(x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, out: Tensor | None = None) -> Tensor: ...
def weighted_nll_loss(
    x: _Input,
    t: _Input,
    w: _Input,
    *,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def weighted_nll_loss_grad(
    x: _Input, t: _Input, w: _Input, y: _Input, dy: _Input, *, ignore_index: int = -100, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def cross_entropy(
    x: _Input,
    t: _Input,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def cross_entropy_grad(
    x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def weighted_cross_entropy(
    x: _Input,
    t: _Input,
    w: _Input,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def weighted_cross_entropy_grad(
    x: _Input,
    t: _Input,
    w: _Input,
    y: _Input,
    dy: _Input,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def soft_cross_entropy(
    x: _Input, t: _Input, *, reduction: Literal["mean", "sum", "none"] = "mean", out: Tensor | None = None
) -> Tensor: ...
def soft_cross_entropy_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def cross_entropy_rows(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def cross_entropy_rows_grad(x: _Input, t: _Input, dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def margin_ranking_loss(
    a: _Input,
    b: _Input,
    t: _Input,
    *,
    margin: float = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def margin_ranking_loss_grad(
    a: _Input, b: _Input, t: _Input, dy: _Input, *, margin: float = 0.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def triplet_margin_loss(
    anchor: _Input,
    near: _Input,
    far: _Input,
    *,
    margin: float = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    out: Tensor | None = None,
) -> Tensor: ...
def triplet_margin_loss_grad(
    anchor: _Input, near: _Input, far: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def nll_loss_each(x: _Input, t: _Input, *, ignore_index: int = -100, out: Tensor | None = None) -> Tensor: ...
def nll_loss_each_grad(x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, out: Tensor | None = None) -> Tensor: ...
def nll_loss_sum(x: _Input, t: _Input, *, ignore_index: int = -100, out: Tensor | None = None) -> Tensor: ...
def nll_loss_sum_grad(x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, out: Tensor | None = None) -> Tensor: ...
def weighted_nll_loss_each(
    x: _Input, t: _Input, w: _Input, *, ignore_index: int = -100, out: Tensor | None = None
) -> Tensor: ...
def weighted_nll_loss_each_grad(
    x: _Input, t: _Input, w: _Input, dy: _Input, *, ignore_index: int = -100, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def weighted_nll_loss_sum(
    x: _Input, t: _Input, w: _Input, *, ignore_index: int = -100, out: Tensor | None = None
) -> Tensor: ...
def weighted_nll_loss_sum_grad(
    x: _Input, t: _Input, w: _Input, dy: _Input, *, ignore_index: int = -100, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def cross_entropy_each(
    x: _Input, t: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def cross_entropy_each_grad(
    x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def cross_entropy_sum(
    x: _Input, t: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def cross_entropy_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def weighted_cross_entropy_each(
    x: _Input, t: _Input, w: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def weighted_cross_entropy_each_grad(
    x: _Input,
    t: _Input,
    w: _Input,
    dy: _Input,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def weighted_cross_entropy_sum(
    x: _Input, t: _Input, w: _Input, *, ignore_index: int = -100, label_smoothing: float = 0.0, out: Tensor | None = None
) -> Tensor: ...
def weighted_cross_entropy_sum_grad(
    x: _Input,
    t: _Input,
    w: _Input,
    dy: _Input,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def soft_cross_entropy_each(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def soft_cross_entropy_each_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def soft_cross_entropy_sum(x: _Input, t: _Input, *, out: Tensor | None = None) -> Tensor: ...
def soft_cross_entropy_sum_grad(
    x: _Input, t: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def margin_ranking_loss_each(a: _Input, b: _Input, t: _Input, *, margin: float = 0.0, out: Tensor | None = None) -> Tensor: ...
def margin_ranking_loss_each_grad(
    a: _Input, b: _Input, t: _Input, dy: _Input, *, margin: float = 0.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def margin_ranking_loss_sum(a: _Input, b: _Input, t: _Input, *, margin: float = 0.0, out: Tensor | None = None) -> Tensor: ...
def margin_ranking_loss_sum_grad(
    a: _Input, b: _Input, t: _Input, dy: _Input, *, margin: float = 0.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def triplet_margin_loss_each(
    anchor: _Input, near: _Input, far: _Input, *, margin: float = 1.0, out: Tensor | None = None
) -> Tensor: ...
def triplet_margin_loss_each_grad(
    anchor: _Input, near: _Input, far: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def triplet_margin_loss_sum(
    anchor: _Input, near: _Input, far: _Input, *, margin: float = 1.0, out: Tensor | None = None
) -> Tensor: ...
def triplet_margin_loss_sum_grad(
    anchor: _Input, near: _Input, far: _Input, dy: _Input, *, margin: float = 1.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]: ...
def sgd(p: _Input, g: _Input, *, lr: float, weight_decay: float = 0.0, out: Tensor | None = None) -> Tensor: ...
def sgd_grad(
    dnew_p: _Input, *, lr: float, weight_decay: float = 0.0, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def sgd_(p: Tensor, g: _Input, /, *, lr: float, weight_decay: float = 0.0) -> None: ...
def sgd_momentum(
    p: _Input,
    g: _Input,
    buf: _Input,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nesterov: int = 0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]: ...
def sgd_momentum_grad(
    dnew_p: _Input,
    dnew_buf: _Input,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nesterov: int = 0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def sgd_momentum_(
    p: Tensor, g: _Input, buf: Tensor, /, *, lr: float, momentum: float = 0.9, weight_decay: float = 0.0, nesterov: int = 0
) -> None: ...
def adamw(
    p: _Input,
    g: _Input,
    m: _Input,
    v: _Input,
    *,
    lr: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    bias1: float = 1.0,
    bias2: float = 1.0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def adamw_grad(
    g: _Input,
    m: _Input,
    v: _Input,
    dnew_p: _Input,
    dnew_m: _Input,
    dnew_v: _Input,
    *,
    lr: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    bias1: float = 1.0,
    bias2: float = 1.0,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def adamw_(
    p: Tensor,
    g: _Input,
    m: Tensor,
    v: Tensor,
    /,
    *,
    lr: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    bias1: float = 1.0,
    bias2: float = 1.0,
) -> None: ...
def gradient_norm(g: _Input, *, out: Tensor | None = None) -> Tensor: ...
def gradient_norm_grad(g: _Input, n: _Input, dn: _Input, *, out: Tensor | None = None) -> Tensor: ...
def clip_gradient(g: _Input, *, scale: float, out: Tensor | None = None) -> Tensor: ...
def clip_gradient_grad(dnew_g: _Input, *, scale: float, out: Tensor | None = None) -> Tensor: ...
def clip_gradient_(g: Tensor, /, *, scale: float) -> None: ...
def batch_norm_training(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: _Input,
    running_var: _Input,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def batch_norm_training_grad(
    x: _Input,
    gamma: _Input,
    dy: _Input,
    dnew_mean: _Input,
    dnew_var: _Input,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def batch_norm_training_(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: Tensor,
    running_var: Tensor,
    /,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor: ...
def batch_norm_mixed(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: _Input,
    running_var: _Input,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def batch_norm_mixed_grad(
    x: _Input,
    gamma: _Input,
    mu: _Input,
    r: _Input,
    dy: _Input,
    dnew_mean: _Input,
    dnew_var: _Input,
    *,
    momentum: float = 0.1,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def batch_norm_mixed_(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: Tensor,
    running_var: Tensor,
    /,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor: ...
def batch_norm_relu_mixed(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: _Input,
    running_var: _Input,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def batch_norm_relu_mixed_grad(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    mu: _Input,
    r: _Input,
    dy: _Input,
    dnew_mean: _Input,
    dnew_var: _Input,
    *,
    momentum: float = 0.1,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def batch_norm_relu_mixed_(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: Tensor,
    running_var: Tensor,
    /,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor: ...
def batch_norm_add_relu_mixed(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: _Input,
    running_var: _Input,
    z: _Input,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def batch_norm_add_relu_mixed_grad(
    x: _Input,
    gamma: _Input,
    y: _Input,
    mu: _Input,
    r: _Input,
    dy: _Input,
    dnew_mean: _Input,
    dnew_var: _Input,
    *,
    momentum: float = 0.1,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]: ...
def batch_norm_add_relu_mixed_(
    x: _Input,
    gamma: _Input,
    beta: _Input,
    running_mean: Tensor,
    running_var: Tensor,
    z: _Input,
    /,
    *,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor: ...
def sort(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def sort_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def argsort(x: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def topk(x: _Input, *, top: int, dim: int = -1, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def topk_grad(x: _Input, at: _Input, dy: _Input, *, top: int, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def median(x: _Input, *, dim: int | Sequence[int] | None = -1, keepdim: bool = False, out: Tensor | None = None) -> Tensor: ...
def median_grad(x: _Input, dy: _Input, *, dim: int = -1, out: Tensor | None = None) -> Tensor: ...
def unique(x: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]: ...
def scatter_add(x: _Input, at: _Input, *, places: int, out: Tensor | None = None) -> Tensor: ...
def scatter_add_grad(at: _Input, dy: _Input, *, places: int, out: Tensor | None = None) -> Tensor: ...
def index_add(x: _Input, at: _Input, z: _Input, *, out: Tensor | None = None) -> Tensor: ...
def index_add_grad(at: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def segment_sum(x: _Input, at: _Input, *, segments: int, out: Tensor | None = None) -> Tensor: ...
def segment_sum_grad(at: _Input, dy: _Input, *, segments: int, out: Tensor | None = None) -> Tensor: ...
def bincount(at: _Input, *, bins: int, out: Tensor | None = None) -> Tensor: ...
def weighted_bincount(at: _Input, w: _Input, *, bins: int, out: Tensor | None = None) -> Tensor: ...
def weighted_bincount_grad(at: _Input, dy: _Input, *, bins: int, out: Tensor | None = None) -> Tensor: ...
def histogram(x: _Input, edges: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moe_route(x: _Input, w: _Input, *, top: int = 4, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def moe_route_grad(
    x: _Input, w: _Input, p: _Input, expert: _Input, dp: _Input, *, top: int = 4, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def moe_scores(x: _Input, w: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moe_scores_grad(x: _Input, w: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]: ...
def moe_gate(score: _Input, *, top: int = 4, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def moe_gate_grad(
    score: _Input,
    p: _Input,
    expert: _Input,
    dp: _Input,
    dbalance: _Input,
    dz: _Input,
    *,
    top: int = 4,
    out: Tensor | None = None,
) -> Tensor: ...
def moe_permute(expert: _Input, *, experts: int, out: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]: ...
def moe_dispatch(
    expert: _Input, *, experts: int, top: int, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
def moe_capacity(
    p: _Input, expert: _Input, place: _Input, counts: _Input, *, capacity: int, out: Tensor | None = None
) -> Tensor: ...
def moe_capacity_grad(
    expert: _Input, place: _Input, counts: _Input, dy: _Input, *, capacity: int, out: Tensor | None = None
) -> Tensor: ...
def grouped_matmul(x: _Input, expert: _Input, w: _Input, *, out: Tensor | None = None) -> Tensor: ...
def grouped_matmul_grad(
    x: _Input, expert: _Input, w: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def moe_expert(x: _Input, src: _Input, expert: _Input, w: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moe_expert_grad(
    x: _Input, src: _Input, expert: _Input, w: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def moe_swiglu(x: _Input, src: _Input, expert: _Input, gate: _Input, up: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moe_swiglu_grad(
    x: _Input,
    src: _Input,
    expert: _Input,
    gate: _Input,
    up: _Input,
    a: _Input,
    b: _Input,
    dy: _Input,
    *,
    out: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]: ...
def moe_combine(x: _Input, at: _Input, p: _Input, *, out: Tensor | None = None) -> Tensor: ...
def moe_combine_grad(
    x: _Input, at: _Input, p: _Input, dy: _Input, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]: ...
def uniform(like: _Input, *, seed: int, out: Tensor | None = None) -> Tensor: ...
def uniform_grad(dy: _Input, *, out: Tensor | None = None) -> Tensor: ...
def dropout(x: _Input, *, seed: int, p: float = 0.5, out: Tensor | None = None) -> Tensor: ...
def dropout_grad(dy: _Input, *, seed: int, p: float = 0.5, out: Tensor | None = None) -> Tensor: ...

cat = concat
scaled_dot_product_attention = attention
where = choose
