"""PyTorch's own samples (OpInfo), called on `uol.ops` as they are called on PyTorch: what share gives PyTorch's results.

    python -m uol.conformance.torch_samples.signatures [--op softmax,conv2d] [--dtype f32,i64] [--least 97]
    python -m uol.conformance.torch_samples.signatures --forms examples
    python -m uol.conformance.torch_samples.signatures --forms schemas

Every function of OpInfo whose name `uol.ops` has takes part. Each sample is called as OpInfo has it, and once more with all
its arguments by the names that PyTorch gives them, where it takes them so. A call agrees where values, types, shapes and
gradients do; it is refused where `uol.ops` raises a `UolError`; anything else differs. A function counts as the share of its
calls that agree.
With `--forms examples` the calls are those of PyTorch's documentation: values, types and shapes are compared, and what PyTorch
itself refuses of its examples is printed and not counted.
With `--forms schemas` each form in which `torch` declares a function is called by the names of its arguments, on samples that
it takes; a function counts as the mean of its forms.
Exit status 1 where the mean of the shares is less than `--least` percent, or a call differs.
"""

from __future__ import annotations

import argparse
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import SimpleNamespace
from typing import Any

import torch

from uol import ops
from uol.conformance import opinfo
from uol.conformance.command import run_command
from uol.conformance.torch_samples import examples, schemas
from uol.ir.errors import UolError
from uol.operators.registry import is_known
from uol.ops import signatures
from uol.ops.other_names import ALIASES
from uol.pytorch.schema import TORCH_TYPES

MOST = 40
"""Samples of one function in one type; OpInfo has hundreds of some."""
DRAWN = ("dropout", "uniform", "normal", "bernoulli")
"""Functions of PyTorch's generator, whose numbers are others here."""
DRAWN_WITH = "dropout_p"
"""The argument with which another function is one of these, too; `tests/pytorch/test_drawn_numbers.py` has its values."""
NOT_COUNTED: Mapping[str, str] = {
    "unfold": "the method of a tensor; the function of that name is nn.functional's",
    **{
        f"nn.functional.max_unpool{n}d": "places repeat, where PyTorch's result is not determined; its gradient goes to each "
        "of them, that of the text to the last. `/grad` has the others"
        for n in (1, 2, 3)
    },
}
"""Samples of another function, or without one right result."""
OTHERWISE: Mapping[str, Callable[..., Any]] = {
    "where": lambda function: lambda x, condition, other, **more: function(condition, x, other, **more),
    "nn.functional.embedding": lambda function: lambda weight, at, **more: function(at, weight, **more),
    "nn.functional.embedding_bag": lambda function: lambda weight, at, **more: function(at, weight, **more),
    "einsum": lambda function: lambda operands, equation: function(equation, *operands),
}
"""OpInfo's samples begin with what is differentiated, which is not always the first argument."""

Sample = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(slots=True)
class Counted:
    """What became of the calls of a function."""

    agree: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    differ: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """All of them."""
        return self.agree + self.refused.total() + len(self.differ)

    def add(self, other: Counted) -> None:
        """Those of another type beside these."""
        self.agree += other.agree
        self.refused += other.refused
        self.differ += other.differ

    @property
    def share(self) -> float:
        """The part of the calls that agree."""
        return self.agree / self.calls


def shared_names() -> tuple[str, ...]:
    """The names of OpInfo whose function `uol.ops` has, too."""
    found = {own_name(name) for name in opinfo.infos()}
    apart = (
        "masked.",
        "sparse.",
        "linalg.norm",
        "linalg.diagonal",
        "slice",
        "bmm/triton",
    )  # other functions that end in such a name
    ours = {name for name in found if signatures.forms_of(name) or name in ALIASES or is_known(name)} | {"stack", "einsum"}
    known = [name for name in opinfo.infos() if own_name(name) in ours and own_name(name) not in DRAWN]
    return tuple(name for name in known if not name.startswith(apart) and name not in NOT_COUNTED)


def own_name(name: str) -> str:
    """`conv2d` of `nn.functional.conv2d`, `max` of `max/reduction_with_dim`."""
    return name.partition("/")[0].rpartition(".")[2]


def count(name: str, dtypes: Sequence[str], most: int = MOST) -> Counted:
    """The samples of an OpInfo, called on `uol.ops`."""
    info, found = opinfo.infos()[name], Counted()
    function = _function(info, name)
    for dtype in (TORCH_TYPES[each] for each in dtypes):
        if dtype not in info.supported_dtypes("cpu"):
            continue
        differentiated = dtype in opinfo.DIFFERENTIATED and info.supports_autograd
        torch.manual_seed(0)
        for number, sample in enumerate(_samples(info, dtype, most, differentiated)):
            _call(found, info, function, sample, differentiated, f"{name} {dtype} sample {number}")
            named = _by_name(info, sample) if name not in OTHERWISE else None
            if named is not None:
                _call(
                    found, info, _NamedCall(function, named), sample, differentiated, f"{name} {dtype} sample {number} by name"
                )
    return found


def _samples(info: Any, dtype: torch.dtype, most: int, differentiated: bool = False) -> Iterator[Any]:
    """The first of them whose values are not drawn."""
    samples = info.sample_inputs("cpu", dtype, requires_grad=differentiated)
    return islice((s for s in samples if not s.kwargs.get(DRAWN_WITH)), most)


def count_schemas(name: str, dtype: torch.dtype, most: int = MOST) -> dict[str, Counted]:
    """The forms of a function, called by the names of their arguments on samples of all OpInfos of the name."""
    found = {str(form): Counted() for form in schemas.schemas_of(name)}
    for known in shared_names():
        info = opinfo.infos()[known]
        if own_name(known) != name or known in OTHERWISE or dtype not in info.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        for sample in _samples(info, dtype, most):
            for form in schemas.schemas_of(name):
                named = schemas.by_name(form, sample)
                if named is not None:
                    _call(found[str(form)], info, _Always(getattr(ops, name), named), sample, False, str(form))
    return found


class _Always:
    """A function on these arguments, whatever it is called with."""

    def __init__(self, function: Callable[..., Any], named: dict[str, Any]) -> None:
        self.function, self.named = function, named

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self.function(**self.named)


def count_examples(name: str) -> tuple[Counted, list[str]]:
    """The calls of a function in PyTorch's documentation, and what of it PyTorch refuses."""
    found, failed = Counted(), []

    def called(theirs: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> None:
        function, info = _on_copies(getattr(ops, name)), SimpleNamespace(op=_on_copies(theirs))
        shown = ", ".join([*map(_brief, given), *(f"{n}={_brief(v)}" for n, v in named.items())])
        sample = SimpleNamespace(input=None, args=_copies(given), kwargs=_copies(named), summary=lambda: shown)
        try:
            info.op(None, *sample.args, **sample.kwargs)
        except Exception:
            return  # which the line itself raises
        _call(found, info, function, sample, False, name)

    for text in examples.documented(name):
        failed += examples.run(name, text, called)
    return found, failed


def _on_copies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind an argument that is none, on copies of all others. Where equal elements have no order, what stands at
    the places of a result is compared in their place."""

    def call(_: Any, *given: Any, **named: Any) -> Any:
        given, named = _copies(given), _copies(named)
        found = function(*given, **named)
        if function.__name__ == "sort" and not named.get("stable"):
            return found[0], given[0].gather(named.get("dim", -1), found[1])
        return found

    return call


def _copies(tree: Any) -> Any:
    def copy(x: Any) -> Any:
        return x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x

    return torch.utils._pytree.tree_map(copy, tree)


def _brief(x: Any) -> str:
    return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}" if isinstance(x, torch.Tensor) else repr(x)[:60]


def _function(info: Any, name: str) -> Callable[..., Any]:
    plain: Callable[..., Any] = getattr(ops, own_name(name))
    changed: Callable[..., Any] = OTHERWISE[name](plain) if name in OTHERWISE else plain
    return changed


class _NamedCall:
    """A call whose arguments all have names, whatever they are called with."""

    def __init__(self, function: Callable[..., Any], names: Sequence[str]) -> None:
        self.function, self.names = function, names

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self.function(**dict(zip(self.names, given, strict=True)), **named)


def _call(found: Counted, info: Any, function: Callable[..., Any], sample: Any, differentiated: bool, where: str) -> None:
    try:
        given = opinfo.tensors_of(function(sample.input, *sample.args, **sample.kwargs))
        wanted = opinfo.tensors_of(info.op(sample.input, *sample.args, **sample.kwargs))
        forms = [[(x.dtype, x.shape) for x in results] for results in (given, wanted)]
        if forms[0] != forms[1]:
            raise AssertionError(f"{forms[0]} is not {forms[1]}")
        opinfo.compare(info, function, sample, differentiated)
        found.agree += 1
    except UolError as refusal:
        found.refused[refusal.message] += 1
    except Exception as error:
        found.differ.append(f"{where}: {sample.summary()}\n    {type(error).__name__}: {str(error).strip()[:300]}")


def _by_name(info: Any, sample: Any) -> Sequence[str] | None:
    """The names of a sample's arguments, where PyTorch takes them by names."""
    given = (sample.input, *sample.args)
    for names in _orders(info):
        chosen = names[: len(given)]
        if len(chosen) < len(given) or {*chosen} & {*sample.kwargs}:
            continue
        try:
            _theirs_by_name(info, dict(zip(chosen, given, strict=True)) | sample.kwargs)
        except Exception:
            continue
        return chosen
    return None


def _theirs_by_name(info: Any, named: dict[str, Any]) -> None:
    """PyTorch's function, or the method where it is one: then OpInfo's function has arguments of its own."""
    if info.op.__name__ != "<lambda>":
        info.op(**named)
    else:
        getattr(torch.Tensor, own_name(info.name))(named.pop("input"), **named)


def _orders(info: Any) -> Iterator[tuple[str, ...]]:
    """The arguments' names in PyTorch's order, for each of a function's schemas."""
    if info.op.__name__ != "<lambda>":
        try:
            yield tuple(inspect.signature(info.op).parameters)
            return
        except (TypeError, ValueError):
            pass
    name = own_name(info.name) if info.op.__name__ == "<lambda>" else info.op.__name__
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        if schema.arguments:
            yield tuple("input" if a.name == "self" else a.name for a in schema.arguments)


def _print(name: str, each: Counted) -> None:
    refused = each.refused.total()
    print(f"{name:45} {each.agree:4} of {each.calls:4} agree, {refused:3} refused, {len(each.differ):3} differ", flush=True)
    for reason, times in each.refused.most_common(4):
        print(f"    refused, {times}: {reason}", flush=True)
    for difference in each.differ[:2]:
        print(f"    differs: {difference}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.torch_samples.signatures", description=__doc__)
    parser.add_argument("--op", help="functions by the last part of their names, by commas; all else")
    parser.add_argument("--dtype", default="f32,i64", help="types, by commas")
    parser.add_argument("--samples", type=int, default=MOST, help="of one function in one type, at most")
    parser.add_argument("--least", type=float, default=97.0, help="percent of the calls, by function, that must agree")
    parser.add_argument("--forms", choices=("samples", "examples", "schemas"), default="samples", help="whose calls")
    options = parser.parse_args(arguments)
    chosen = None if options.op is None else options.op.split(",")
    if options.forms == "examples":
        return _examples(chosen, options.least)
    if options.forms == "schemas":
        return _schemas(chosen, options.dtype.split(","), options.samples, options.least)
    names = [name for name in shared_names() if chosen is None or own_name(name) in chosen or name in chosen]
    if not names:
        raise UolError(f"no function is called {options.op}", hint="write the last part of PyTorch's name")
    counted = []
    for name in names:
        each = count(name, options.dtype.split(","), options.samples)
        if each.calls:
            counted.append(each)
            _print(name, each)
    for name in NOT_COUNTED if chosen is None else ():
        print(f"not counted: {name}: {NOT_COUNTED[name]}")
    print(f"not counted: samples with {DRAWN_WITH}, whose numbers PyTorch's generator draws")
    return _judged(counted, options.least)


def _examples(chosen: Sequence[str] | None, least: float) -> int:
    counted = []
    names = dict.fromkeys(own_name(name) for name in shared_names())
    for name in names if chosen is None else chosen:
        each, failed = count_examples(name)
        for line in failed:
            print(f"not counted: {name}: PyTorch refuses {line}")
        if each.calls:
            counted.append(each)
            _print(name, each)
        else:
            print(f"not counted: {name}: no example calls it")
    if not counted:
        raise UolError(f"no example calls {', '.join(chosen or names)}", hint="write the last part of PyTorch's name")
    return _judged(counted, least)


def _schemas(chosen: Sequence[str] | None, dtypes: Sequence[str], most: int, least: float) -> int:
    shares, differing = [], 0
    for name in dict.fromkeys(own_name(name) for name in shared_names()) if chosen is None else chosen:
        forms: dict[str, Counted] = {}
        for dtype in dtypes:
            for form, each in count_schemas(name, TORCH_TYPES[dtype], most).items():
                forms.setdefault(form, Counted()).add(each)
        for form, each in forms.items():
            if each.calls:
                _print(form, each)
            else:
                print(f"not counted: {form}: no sample is of this form")
        taken = [each for each in forms.values() if each.calls]
        differing += sum(len(each.differ) for each in taken)
        shares += [sum(each.share for each in taken) / len(taken)] if taken else []
    if not shares:
        raise UolError("none of the functions has a schema that a sample is of", hint="write the last part of PyTorch's name")
    mean = 100 * sum(shares) / len(shares)
    print(f"{len(shares)} functions: {mean:.1f} % of their forms' calls agree; {differing} calls differ")
    return 0 if mean >= least and not differing else 1


def _judged(counted: Sequence[Counted], least: float) -> int:
    differing = sum(len(each.differ) for each in counted)
    mean = 100 * sum(each.share for each in counted) / len(counted)
    print(f"{len(counted)} functions: {mean:.1f} % of their calls agree; {differing} calls differ")
    return 0 if mean >= least and not differing else 1


if __name__ == "__main__":
    run_command(main)
