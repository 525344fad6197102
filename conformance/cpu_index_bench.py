"""Scans, orders and scatters on the CPU, against PyTorch in the same process.

    python -m uol.conformance.cpu_index_bench [--one-core] [FILTER ...]

Each line is one operator: medians and 10th percentiles in ms, the contenders taking turns, and how many times as fast as
PyTorch uol is. `--one-core` measures CPU time of one thread, which a busy machine disturbs least. A FILTER such as cumsum or
sort picks lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uol.conformance.bench_options import bench_options
from uol.conformance.cpu_conv_bench import Run, alternate

if TYPE_CHECKING:
    import torch

TEXTS = {
    "cumsum": "op cumsum_rows(x: f32[N, M]) -> (y: f32[N, M]) { y[n, i] = sum[j <= i](x[n, j]) }",
    "topk": """op topk_rows(x: f32[N, M]; K: int) -> (v: f32[N, K], at: i64[N, K]) where K >= 0, M >= K {
      (v[n, k], at[n, k]) = topk[e](x[n, e], K)
    }""",
    "sort": "op sort_rows(x: f32[N, M]) -> (v: f32[N, M], at: i64[N, M]) { (v[n, i], at[n, i]) = sort[e](x[n, e]) }",
    "scatter_add": """op scatter_rows(x: f32[N, M], at: i64[N]; S: int) -> (y: f32[S, M]) where S > 0 {
      y[at[n], d] += x[n, d]
    }""",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One of the texts at a size."""

    kind: str
    rows: int
    cols: int
    attrs: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        attrs = "".join(f" {n}={v}" for n, v in self.attrs.items())
        return f"{self.kind} {self.rows}x{self.cols}{attrs}"


CASES = (
    Case("cumsum", 1, 1 << 20),
    Case("cumsum", 256, 4096),
    Case("topk", 4096, 128, {"K": 4}),
    Case("sort", 64, 4096),
    Case("scatter_add", 65536, 64, {"S": 1024}),
)


def contenders(case: Case) -> dict[str, Run]:
    """PyTorch's operator and ours, checked against each other."""
    import torch

    from uol.compiler import compile as compile_operator
    from uol.ir import parse

    torch.manual_seed(0)
    x = torch.randn(case.rows, case.cols)
    at = torch.randint(0, case.attrs.get("S", 1), (case.rows,))
    dims = {"N": case.rows, "M": case.cols}
    kernel = compile_operator(parse(TEXTS[case.kind])[0], "cpu", {}, dims, case.attrs).loaded
    theirs = _pytorch(case, x, at)
    expected = theirs()
    results = [torch.empty_like(e) for e in expected]
    inputs = (x, at) if case.kind == "scatter_add" else (x,)

    def uol() -> None:
        kernel(*inputs, *results)

    uol()
    for found, wanted in zip(results, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-2)
    return {"torch": theirs, "uol": uol}


def _pytorch(case: Case, x: torch.Tensor, at: torch.Tensor) -> Callable[[], tuple[torch.Tensor, ...]]:
    import torch

    match case.kind:
        case "cumsum":
            return lambda: (torch.cumsum(x, 1),)
        case "topk":
            return lambda: tuple(torch.topk(x, case.attrs["K"], 1))
        case "sort":
            return lambda: tuple(torch.sort(x, dim=1, stable=True))
    return lambda: (torch.zeros(case.attrs["S"], case.cols).index_add_(0, at, x),)


def main() -> None:
    options = bench_options(__doc__ or "", "cumsum, topk, sort, scatter_add: only these")
    import torch

    with torch.inference_mode():
        for case in CASES:
            if options.filters and case.kind not in options.filters:
                continue
            measured = alternate(contenders(case), options.clock)
            shown = "  ".join(f"{name} {median:8.3f} / {low:8.3f}" for name, (median, low) in measured.items())
            ratio, low = (measured["torch"][i] / measured["uol"][i] for i in (0, 1))
            print(f"{case!s:28s} {shown} ms  {ratio:5.2f}x (least times {low:5.2f}x)", flush=True)


if __name__ == "__main__":
    main()
