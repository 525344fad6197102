"""Attention and products by expert on the CPU: one kernel, the several kernels that it stands for, and PyTorch.

    python -m uol.conformance.attention_bench [--one-core] [FILTER ...]

Each line is one operator or gradient in f32: medians and 10th percentiles in ms, the three taking turns. "several" is the same
text on a CPU that takes neither Attention nor segments of Contract. A FILTER such as causal or grad picks lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from uol.backends.cpu.backend import BACKEND
from uol.binding.named_binding import bind_names
from uol.codegen.lowering import lower
from uol.codegen.pipeline import compile_graph
from uol.conformance.bench_options import bench_options
from uol.conformance.cpu_conv_bench import Run, alternate
from uol.ir import instantiate
from uol.operators.registry import catalogue, find_operator

if TYPE_CHECKING:
    from torch import Tensor

HEADS = {"B": 2, "H": 8, "G": 8, "L": 256, "M": 256, "D": 64, "E": 64}
TOKENS = {"M": 512, "E": 16, "D": 128, "F": 256}


@dataclass(frozen=True, slots=True)
class Case:
    """An operator, its inputs in the order of its text, and PyTorch's run, whose results are those of ours."""

    title: str
    op: str
    dims: Mapping[str, int]
    inputs: Sequence[Tensor]
    pytorch: Callable[[], Sequence[Tensor]]

    def runs(self) -> dict[str, Run]:
        """The three, checked against each other."""
        import torch

        expected = self.pytorch()
        plain = replace(BACKEND, capability=replace(BACKEND.capability, kinds=frozenset(), segments=frozenset()))
        found: dict[str, Run] = {"PyTorch": self.pytorch}
        machines: dict[str, Any] = {"one": BACKEND, "several": plain}
        for name, backend in machines.items():
            instance = bind_names(find_operator(self.op), "f32", self.dims, {})
            program = instantiate(instance.op, catalogue(), types=instance.types, dims=instance.flat_dims, attrs={})
            module = compile_graph(lower(program, backend, {}), backend, backend.devices[backend.default_device])
            kernel = backend.load(backend.build(module))
            results = [torch.empty(e.shape) for e in expected]
            found[name] = _run(kernel, [*self.inputs, *results])
            found[name]()
            torch.testing.assert_close(results, list(expected), rtol=1e-3, atol=1e-3)
        return found


def _run(kernel: Callable[..., None], buffers: Sequence[Tensor]) -> Run:
    return lambda: kernel(*buffers)


def attention(queries_a_key: int, *, causal: bool) -> tuple[Case, Case]:
    """Attention and its gradient, of so many query heads to each head of keys."""
    import torch

    dims = {**HEADS, "G": HEADS["H"] // queries_a_key}
    shapes = {"q": "BHLD", "k": "BGMD", "v": "BGME", "dy": "BHLE"}
    q, k, v, dy = (torch.randn([dims[d] for d in shape]) for shape in shapes.values())
    attend: Callable[..., Tensor] = partial(
        torch.nn.functional.scaled_dot_product_attention, is_causal=causal, enable_gqa=queries_a_key > 1
    )
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    with torch.enable_grad():
        y = attend(*leaves)
    scores = q @ k.repeat_interleave(queries_a_key, 1).transpose(2, 3) / HEADS["D"] ** 0.5
    lse = (scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -torch.inf) if causal else scores).logsumexp(-1)
    name = "causal_attention" if causal else "attention"
    title = f"{name}{f', {queries_a_key} queries a key' if queries_a_key > 1 else ''}"
    return (
        Case(title, name, dims, (q, k, v), lambda: [attend(q, k, v)]),
        Case(
            f"{title}, grad", f"{name}_grad", dims, (q, k, v, y.detach(), lse, dy),
            lambda: torch.autograd.grad(y, leaves, dy, retain_graph=True),
        ),
    )  # fmt: skip


def grouped_product() -> tuple[Case, Case]:
    """Tokens in the order of their experts, each times the weights of its own, and the gradient."""
    import torch

    x, w = torch.randn(TOKENS["M"], TOKENS["D"]), torch.randn(TOKENS["E"], TOKENS["F"], TOKENS["D"])
    expert, dy = torch.randint(0, TOKENS["E"], (TOKENS["M"],)).sort().values, torch.randn(TOKENS["M"], TOKENS["F"])
    counts = expert.bincount(minlength=TOKENS["E"]).tolist()

    def forward() -> list[Tensor]:
        return [torch.cat([part @ weights.T for part, weights in zip(x.split(counts), w, strict=True)])]

    def backward() -> list[Tensor]:
        parts = list(zip(x.split(counts), dy.split(counts), w, strict=True))
        return [torch.cat([d @ weights for _, d, weights in parts]), torch.stack([d.T @ part for part, d, _ in parts])]

    return (
        Case("grouped_matmul", "grouped_matmul", TOKENS, (x, expert, w), forward),
        Case("grouped_matmul, grad", "grouped_matmul_grad", TOKENS, (x, expert, w, dy), backward),
    )


def main() -> None:
    """The command."""
    options = bench_options(__doc__ or "", "lines")
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        cases = [c for n, causal in ((1, False), (1, True), (4, False)) for c in attention(n, causal=causal)]
        for case in (*cases, *grouped_product()):
            if not options.filters or any(f in case.title for f in options.filters):
                times = alternate(case.runs(), options.clock)
                line = "   ".join(f"{who} {median:7.3f} / {low:7.3f}" for who, (median, low) in times.items())
                print(f"{case.title:34} {line} ms", flush=True)


if __name__ == "__main__":
    main()
