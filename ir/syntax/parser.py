"""Text to surface tree, by lark's LALR parser and `grammar.lark`."""

from __future__ import annotations

import math
from typing import Literal

import lark
from lark.tree import Meta

from uol.ir.errors import ParseError
from uol.ir.syntax import surface
from uol.ir.syntax.grammar_tables import grammar
from uol.ir.syntax.parse_errors import explain
from uol.ir.syntax.span import Span
from uol.ir.types import accumulator_of

LANGUAGE_VERSION = 1
MAX_DEPTH = 64
"""Operators within operators of one expression; far above what a readable text has, far below Python's stack."""


def parse(text: str, file: str = "<text>") -> tuple[surface.Op, ...]:
    """The operators of a text, in order.

    Raises ParseError, with position, cause and what would be right, where the text is not of the grammar.

    >>> parse("op relu(x: f32[*S]) -> (y: f32[*S]) { y[*s] = max(x[*s], 0) }")[0].name
    'relu'
    """
    try:
        tree = grammar().parse(text)
    except lark.UnexpectedInput as error:
        raise explain(error, text, file, grammar()) from None
    return _Builder(text, file).ops(tree)


class _Builder:
    """One method a rule of the grammar; children arrive as trees, tokens or None."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.depth = 0

    def ops(self, tree: lark.Tree[lark.Token]) -> tuple[surface.Op, ...]:
        out: list[surface.Op] = []
        for child in _trees(tree):
            if child.data == "version":
                self.version(child)
                continue
            op = self.op(child)
            if any(earlier.name == op.name for earlier in out):
                raise ParseError(f"the text defines `{op.name}` twice", span=op.span, text=self.text, hint="rename one of them")
            out.append(op)
        return tuple(out)

    def version(self, tree: lark.Tree[lark.Token]) -> None:
        token = _tokens(tree)[-1]
        if str(token) != str(LANGUAGE_VERSION):
            raise ParseError(
                f"this text is of language version {token}; this compiler knows version {LANGUAGE_VERSION}",
                span=self.token_span(token),
                text=self.text,
                hint=f"write `uol {LANGUAGE_VERSION}`, or use a newer compiler",
            )

    def span(self, tree: lark.Tree[lark.Token]) -> Span:
        meta: Meta = tree.meta
        if meta.empty:  # a rule that matched nothing, such as an empty signature
            return surface.NOWHERE
        return Span(self.file, meta.line, meta.column, meta.end_line, meta.end_column)

    def token_span(self, token: lark.Token) -> Span:
        line, column = token.line or 1, token.column or 1
        return Span(self.file, line, column, token.end_line or line, token.end_column or column + 1)

    def op(self, tree: lark.Tree[lark.Token]) -> surface.Op:
        name = _tokens(tree)[0]
        parts = {part.data: part for part in _trees(tree) if part.data not in _STATEMENTS}
        signature, domain, constraint = parts["signature"], parts.get("domain"), parts.get("constraint")
        return surface.Op(
            str(name),
            params=tuple(self.param(t) for t in _trees(signature) if t.data == "param"),
            attributes=tuple(self.attribute(t) for t in _trees(signature) if t.data == "attribute"),
            results=tuple(self.param(t) for t in _trees(parts["results"])),
            domain=tuple(self.type_set(t) for t in _trees(domain)) if domain is not None else (),
            where=tuple(self.expr(t) for t in _trees(constraint)) if constraint is not None else (),
            body=tuple(self.statement(t) for t in _trees(tree) if t.data in _STATEMENTS),
            source=self.text,
            span=self.token_span(name),
        )

    def param(self, tree: lark.Tree[lark.Token]) -> surface.Param:
        kind, *dims = _trees(tree)
        *wide, dtype = map(str, _tokens(kind))
        written = accumulator_of(dtype) if wide else dtype
        return surface.Param(str(_tokens(tree)[0]), written, self.dims(dims), span=self.span(tree))

    def attribute(self, tree: lark.Tree[lark.Token]) -> surface.Attribute:
        name, kind = _tokens(tree)
        default = next((self.expr(t) for t in _trees(tree)), None)
        return surface.Attribute(str(name), str(kind), default, span=self.span(tree))

    def type_set(self, tree: lark.Tree[lark.Token]) -> surface.TypeSet:
        variable, *types = _tokens(tree)
        return surface.TypeSet(str(variable), tuple(map(str, types)), span=self.span(tree))

    def statement(self, tree: lark.Tree[lark.Token]) -> surface.Statement:
        *targets, value = _trees(tree)
        op: Literal["=", "+="] = "+=" if tree.data == "accumulate" else "="
        return surface.Statement(tuple(self.target(t) for t in targets), op, self.expr(value), span=self.span(tree))

    def target(self, tree: lark.Tree[lark.Token]) -> surface.Target:
        return surface.Target(str(_tokens(tree)[0]), self.dims(_trees(tree)), span=self.span(tree))

    def dims(self, trees: list[lark.Tree[lark.Token]]) -> tuple[surface.Expr | surface.Pack, ...]:
        return tuple(self.dim(t) for t in trees)

    def dim(self, tree: lark.Tree[lark.Token]) -> surface.Expr | surface.Pack:
        if tree.data == "pack":
            return surface.Pack(str(_tokens(tree)[0]), span=self.span(tree))
        return self.expr(tree)

    def expr(self, tree: lark.Tree[lark.Token]) -> surface.Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError(
                f"expressions are nested more than {MAX_DEPTH} deep here",
                span=self.span(tree),
                text=self.text,
                hint="give parts of it a name of their own, in statements before this one",
            )
        found = self.operator(tree)
        self.depth -= 1
        return found

    def operator(self, tree: lark.Tree[lark.Token]) -> surface.Expr:
        span = self.span(tree)
        if tree.data in _BINARY:
            left, right = (self.expr(t) for t in _trees(tree))
            return surface.Binary(_BINARY[tree.data], left, right, span=span)
        match tree.data:
            case "number":
                return surface.Number(_number(str(_tokens(tree)[0])), span=span)
            case "name":
                return _name(str(_tokens(tree)[0]), span)
            case "compare":
                left, right = (self.expr(t) for t in _trees(tree))
                return surface.Binary(str(_tokens(tree)[0]), left, right, span=span)
            case "neg":
                return surface.Unary("neg", self.expr(_trees(tree)[0]), span=span)
            case "logical_not":
                return surface.Unary("not", self.expr(_trees(tree)[0]), span=span)
            case "call":
                return self.call(tree)
            case "access":
                return self.access(tree)
            case "reduction":
                return self.reduction(tree)
        raise AssertionError(f"no rule for {tree.data}")

    def call(self, tree: lark.Tree[lark.Token]) -> surface.Apply:
        parts = _trees(tree)
        named = [t for t in parts if t.data == "keyword"]
        keywords = tuple(surface.Keyword(str(_tokens(t)[0]), self.expr(_trees(t)[0]), span=self.span(t)) for t in named)
        args = self.dims([t for t in parts if t.data != "keyword"])
        return surface.Apply(str(_tokens(tree)[0]), args, keywords, span=self.span(tree))

    def access(self, tree: lark.Tree[lark.Token]) -> surface.Access:
        has_fill = tree.children[-1] is not None  # lark leaves None where the optional `else` is absent
        base, *index = _trees(tree)
        fill = self.expr(index.pop()) if has_fill else None
        tensor = self.call(base) if base.data == "call" else surface.Name(str(_tokens(base)[0]), span=self.span(base))
        return surface.Access(tensor, self.dims(index), fill, span=self.span(tree))

    def reduction(self, tree: lark.Tree[lark.Token]) -> surface.Reduction:
        parts = _trees(tree)
        binders = tuple(self.binder(t) for t in parts if t.data in ("binder", "pack_binder"))
        args = tuple(self.expr(t) for t in parts if t.data not in ("binder", "pack_binder"))
        return surface.Reduction(str(_tokens(tree)[0]), binders, args, span=self.span(tree))

    def binder(self, tree: lark.Tree[lark.Token]) -> surface.Binder:
        name, *relation = map(str, _tokens(tree))
        if tree.data == "pack_binder":
            return surface.Binder(name, pack=True, span=self.span(tree))
        bound = next((self.expr(t) for t in _trees(tree)), None)
        return surface.Binder(name, relation[0] if relation else None, bound, span=self.span(tree))


_STATEMENTS = ("define", "accumulate", "define_many")
_BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "logical_or": "or", "logical_and": "and"}


def _trees(tree: lark.Tree[lark.Token]) -> list[lark.Tree[lark.Token]]:
    return [child for child in tree.children if isinstance(child, lark.Tree)]


def _tokens(tree: lark.Tree[lark.Token]) -> list[lark.Token]:
    return [child for child in tree.children if isinstance(child, lark.Token)]


def _number(digits: str) -> int | float:
    return int(digits) if digits.isdigit() else float(digits)


def _name(identifier: str, span: Span) -> surface.Expr:
    match identifier:
        case "inf":
            return surface.Number(math.inf, span=span)
        case "true" | "false":
            return surface.Bool(identifier == "true", span=span)
    return surface.Name(identifier, span=span)
