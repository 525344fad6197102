"""From a manifest to the bundle that uol writes for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from uol.bundle.contents import texts_of
from uol.bundle.manifest import environment_of
from uol.codegen.extensions import HostBackend
from uol.compilation.explain import Json
from uol.compilation.request import resolve_target
from uol.compilation.tuning import VARIABLE as TUNE
from uol.compiler import Compiled, compile
from uol.ir.errors import UolError
from uol.ir.syntax.parser import parse
from uol.ir.syntax.surface import Op
from uol.operators.registry import substituted
from uol.ops.texts import library

NOT_OF_THIS_FORM = (KeyError, ValueError, AttributeError, TypeError, RecursionError, OverflowError)
"""What reading fields of another form raises."""

HINT = "no bundle has such a manifest; write it anew with `uol compile -o`"


@dataclass(frozen=True, slots=True)
class Regenerated:
    """The request of a manifest, compiled here, with the texts of its bundle. `strangers` are operators of the manifest that
    the library has in another form; `elsewhere` says why its kernels do not run here, and is empty where they may."""

    compiled: Compiled
    texts: Mapping[str, bytes]
    strangers: tuple[str, ...]
    elsewhere: str = ""


@contextmanager
def regenerated(record: Json) -> Iterator[Regenerated]:
    """Within, the operators of the manifest are known by their names, and its environment holds.

    Raises UolError for fields that no bundle has.
    """
    try:
        ops = [op for text in [*cast(Any, record["callees"]), record["text"]] for op in _parsed(text)]
        environment = _environment(record)
    except NOT_OF_THIS_FORM as error:
        raise not_of_this_form(error) from error
    target = resolve_target(cast(str, record["target"]))
    elsewhere = target.backend.refusal(target.device, environment) if isinstance(target.backend, HostBackend) else ""
    strangers = tuple(op.name for op in ops if (own := library().get(op.name)) is not None and own != op)
    with _set({**environment, TUNE: ""}), substituted(ops):
        try:
            compiled = _compiled(ops[-1], record)
            texts = texts_of(compiled)
        except NOT_OF_THIS_FORM as error:
            raise not_of_this_form(error) from error
        yield Regenerated(compiled, texts, strangers, elsewhere)


def _parsed(text: object) -> tuple[Op, ...]:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text of an operator")
    ops = parse(text, "manifest.json")
    if not ops:
        raise ValueError("a text without an operator")
    return ops


def _compiled(op: Op, record: Mapping[str, Any]) -> Compiled:
    packs = {name: None if sizes is None else tuple(sizes) for name, sizes in record["packs"].items()}
    strides = {name: tuple(each) for name, each in record["layouts"].items()}
    attributes = {name: float(value) if isinstance(value, str) else value for name, value in record["attributes"].items()}
    dims = {**record["dims"], **packs}
    schedule = [str(text) for text in record["schedule"]]
    symbol = "" if record["symbol"] == op.name else record["symbol"]
    return compile(
        op,
        record["target"],
        record["types"],
        dims,
        attributes,
        strides=strides,
        schedule=schedule,
        symbol=symbol,
        deterministic=bool(record["deterministic"]),
        tf32=bool(record["tf32"]),
    )


def _environment(record: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the manifest that the target asks for; none where they say what holds here anyway. One that says the
    same as here may still be needed: what it is without one may hang on another."""
    target = resolve_target(record["target"])
    if not isinstance(target.backend, HostBackend):
        return {}
    here = environment_of(target)
    given = {name: str(record["environment"][name]) for name in here}
    return {} if given == here else given


@contextmanager
def _set(environment: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def not_of_this_form(error: Exception) -> UolError:
    """The error of a manifest whose fields cannot be read."""
    what = "it is nested too deeply" if isinstance(error, RecursionError) else f"{type(error).__name__}: {error}"
    return UolError(f"a field has a form that it never has: {what}", hint=HINT)
