"""C names of a kernel: the op's, kept clear of Ascend C's identifiers and of what the generator declares itself."""

from __future__ import annotations

from dataclasses import dataclass

from uol.backends.ascendc.vector.tile import start_of
from uol.backends.c_text.names import kernel_symbol, legalise
from uol.codegen.specs.nodes import KernelSpec

_DECLARED = """
task slot group lanes rows elements padded i j m_size n_size k_size mmad fixpipe pipe ub l1 l0a l0b l0c a_l1 b_l1 a_l0 b_l0 c_l0
greater lesser ceil_div floor_div floor_mod threefry_key two_over_pi place INFINITE NOT_A_NUMBER
"""

_ASCEND_C = """
half bfloat16_t AscendC GM_ADDR TPipe TBuf TPosition LocalTensor GlobalTensor SetFlag WaitFlag PipeBarrier HardEvent Add Sub
Mul Div Max Min Adds Muls Maxs Mins Exp Ln Sqrt Rsqrt Reciprocal Abs Relu And Or Not Duplicate Copy Brcb Gather Cast Compare
CompareScalar Select Mmad Fixpipe LoadData DataCopy DataCopyPad InitConstValue GetBlockIdx GetBlockNum RoundMode CMPMODE SELMODE
WholeReduceSum WholeReduceMax WholeReduceMin CreateVecIndex ShiftLeft ShiftRight ToBfloat16 ToFloat Nd2NzParams MmadParams
"""

OWN = frozenset((_DECLARED + _ASCEND_C).split())
"""What the op's names must not be."""


@dataclass(frozen=True, slots=True)
class KernelNames:
    """symbol     the kernel's function
    parameters  C names of the GM_ADDR parameters, by arg
    tensors     C names of the GlobalTensors, by arg
    variables   C names of axes, tile starts, scalars and steps
    """

    symbol: str
    parameters: dict[str, str]
    tensors: dict[str, str]
    variables: dict[str, str]

    def all(self) -> frozenset[str]:
        """Every C name of the op in the kernel."""
        return frozenset({self.symbol, *self.parameters.values(), *self.tensors.values(), *self.variables.values()})


def kernel_names(spec: KernelSpec) -> KernelNames:
    """Legal, distinct names for everything that a spec names."""
    names = legalise(spec, OWN)
    starts = [start_of(a.name) for a in spec.axes]
    tensors = [f"{names.tensor(a.name)}.gm" for a in spec.args]
    full = names.with_locals([*starts, *tensors])
    return KernelNames(
        symbol=kernel_symbol(spec),
        parameters={a.name: names.tensor(a.name) for a in spec.args},
        tensors={a.name: full.variables[t] for a, t in zip(spec.args, tensors, strict=True)},
        variables=dict(full.variables),
    )
