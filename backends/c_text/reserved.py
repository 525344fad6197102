"""Words that an emitted name must not be: C++ keywords, the built-in names of CUDA and HIP, and common macros."""

from __future__ import annotations

_CPP = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
co_return co_yield compl concept const consteval constexpr constinit const_cast continue decltype default delete do
double dynamic_cast else enum explicit export extern false final float for friend goto if import inline int int8_t
int16_t int32_t int64_t long module mutable namespace new noexcept not not_eq nullptr operator or or_eq override private
protected public register reinterpret_cast requires restrict return short signed size_t sizeof static static_assert
static_cast struct switch template this thread_local throw true try typedef typeid typename typeof uint8_t uint16_t
uint32_t uint64_t union unsigned using virtual void volatile wchar_t while xor xor_eq
"""

_DEVICE = """
threadIdx blockIdx blockDim gridDim warpSize uol half half2 bfloat16 dim3 uint2 uint3 uint4 int2 int3 int4 float2 float3
float4 double2 long2 uchar uint ushort ulong hipThreadIdx_x hipBlockIdx_x hipBlockDim_x hipGridDim_x
"""

_MACROS = """
NULL EOF INFINITY NAN HUGE_VAL assert errno linux unix stdin stdout stderr major minor makedev signbit isnan isinf main
"""

RESERVED = frozenset((_CPP + _DEVICE + _MACROS).split())
