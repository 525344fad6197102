"""Emitted text to the statements and expressions of its kernels.

It reads what the templates write, a small part of C++: declarations, assignments, `for`, `while`, `if`, `continue`, `return`;
operators, conversions, indices, pointers, calls with template arguments. Anything else is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

from uol.backends.c_text.source_tokens import Token, partner, template_end, tokenize
from uol.backends.simt.reading.syntax import (
    Branch,
    Element,
    KernelText,
    Leave,
    Loop,
    Name,
    Node,
    Number,
    Operation,
    Parameter,
    Scope,
    Simple,
    Statement,
)

WORDS = frozenset(["float", "double", "int", "short", "long", "char", "unsigned", "signed", "bool", "void"])
"""Of the types that C++ has itself."""
RECORDS = frozenset(["f16", "bf16", "f8e4m3", "f8e5m2", "Pick", "Affine", "Vector", "BufferRange"])
"""Types of namespace `uol`."""
BINDING = {
    text: level
    for level, texts in enumerate(("||", "&&", "|", "^", "&", "== !=", "< <= > >=", "<< >>", "+ -", "* / %"), 1)
    for text in texts.split()
}
"""Of operators with two operands: the tighter, the greater."""
ASSIGNMENTS = ("=", "+=", "-=", "*=", "/=")


def read_kernels(text: str) -> Iterator[KernelText]:
    """The kernels of an emitted text, in order. Raises ValueError for what no template writes."""
    tokens = tokenize(text)
    for place, token in enumerate(tokens):
        if token.text == "__global__":
            yield _Reader(tokens, place).kernel()


def first_name(node: Node | None) -> str:
    """What an address is in: its leftmost part. Raises ValueError where that is no name."""
    while isinstance(node, Operation) and node.args:
        node = node.args[0]
    if not isinstance(node, Name):
        raise ValueError(f"an address begins with the name of a tensor, not with {node!r}")
    return node.name


class _Reader:
    """Recursive descent; operators by precedence."""

    def __init__(self, tokens: list[Token], place: int) -> None:
        self.tokens, self.place = tokens, place
        self.own: list[Parameter] = []

    @property
    def text(self) -> str:
        return self.tokens[self.place].text

    def take(self, *texts: str) -> bool:
        """Goes on behind these tokens, if they come next."""
        found = [t.text for t in self.tokens[self.place : self.place + len(texts)]] == list(texts)
        self.place += len(texts) if found else 0
        return found

    def need(self, text: str) -> Token:
        token = self.tokens[self.place]
        if token.text != text:
            raise ValueError(f"{text!r} is expected at {token.start}, not {token.text!r}")
        self.place += 1
        return token

    def kernel(self) -> KernelText:
        opening = next(p for p in range(self.place, len(self.tokens)) if self.tokens[p].text == "__launch_bounds__")
        self.place = partner(self.tokens, opening + 1) + 1
        name = self.tokens[self.place].text
        self.place += 2
        parameters: list[Parameter] = []
        while not self.take(")"):
            parameters.append(self.parameter())
            self.take(",")
        self.need("{")
        body = self.block()
        return KernelText(name, tuple(parameters), body, tuple(self.own))

    def parameter(self) -> Parameter:
        constant = self.take("const")
        dtype = self.type()
        pointer = self.take("*")
        self.take("__restrict__")
        self.place += 1
        return Parameter(self.tokens[self.place - 1].text, dtype, pointer, constant)

    def type(self) -> str:
        """A type, its words joined; template arguments in `<>`."""
        self.take("uol", "::")
        if self.text in RECORDS:
            name = self.text
            self.place += 1
            arguments = self.template()
            return f"{name}<{', '.join(arguments)}>" if arguments else name
        words = []
        while self.text in WORDS:
            words.append(self.text)
            self.place += 1
        if not words:
            raise ValueError(f"a type is expected at {self.tokens[self.place].start}, not {self.text!r}")
        return " ".join(words)

    def template(self) -> tuple[str, ...]:
        end = template_end(self.tokens, self.place) if self.text == "<" else None
        if end is None:
            return ()
        inner = "".join(f" {t.text}" if t.kind == "name" else t.text for t in self.tokens[self.place + 1 : end])
        self.place = end + 1
        return tuple(part.strip() for part in inner.split(","))

    def is_type(self) -> bool:
        first = self.place + 2 if self.tokens[self.place].text == "uol" else self.place
        return self.tokens[first].text in (WORDS if first == self.place else RECORDS)

    # ---- statements

    def block(self) -> tuple[Statement, ...]:
        """Statements up to the brace that closes them."""
        found: list[Statement] = []
        while not self.take("}"):
            found += self.statement()
        return tuple(found)

    def statement(self) -> list[Statement]:
        match self.text:
            case ";":
                self.place += 1
                return []
            case "{":
                self.place += 1
                return list(self.block())
            case "for":
                return [self.loop()]
            case "while":
                return [self.turns_while()]
            case "if":
                return self.choice()
            case "continue" | "return" | "break" as word:
                self.place += 1
                self.need(";")
                return [Leave(word)]
        found = self.simple()
        self.need(";")
        return list(found)

    def body(self) -> tuple[tuple[Statement, ...], Scope]:
        start, braces = self.tokens[self.place].start, self.text == "{"
        found = tuple(self.statement())
        end = self.tokens[self.place - 1].end
        return found, Scope(start + 1, end - 1, True) if braces else Scope(start, end, False)

    def head(self, closing: str) -> tuple[Node, tuple[int, int]]:
        """A condition, and where it begins and ends."""
        start = self.tokens[self.place].start
        condition = self.expression()
        return condition, (start, self.need(closing).start)

    def turns_while(self) -> Loop:
        start = self.tokens[self.place].start
        self.place += 2
        condition, head = self.head(")")
        body, scope = self.body()
        return Loop((), condition, None, body, start, head, scope)

    def choice(self) -> list[Statement]:
        """What stands under a condition, and what stands under its opposite."""
        start = self.tokens[self.place].start
        self.place += 2
        condition, _ = self.head(")")
        body, scope = self.body()
        found: list[Statement] = [Branch(condition, body, start, scope)]
        if self.text == "else":
            other = self.tokens[self.place].start
            self.place += 1
            body, scope = self.body()
            found.append(Branch(Operation("!_", (condition,)), body, other, scope, otherwise=True))
        return found

    def loop(self) -> Loop:
        start = self.tokens[self.place].start
        self.place += 2
        init = self.simple()
        self.need(";")
        condition, head = self.head(";")
        (step,) = self.simple()
        self.need(")")
        body, scope = self.body()
        return Loop(init, condition, step, body, start, head, scope)

    def simple(self) -> tuple[Simple, ...]:
        start = self.tokens[self.place].start
        shared = self.take("__shared__")
        constant = self.take("const")
        if shared or constant or (self.is_type() and not self.is_conversion()):
            return self.declaration(start, shared, constant)
        if self.text in ("++", "--"):
            fn = "+=" if self.text == "++" else "-="
            self.place += 1
            return (Simple(self.target(), "", (), fn, Number(1, "int"), start, self.tokens[self.place - 1].end),)
        node = self.expression()
        if self.text not in ASSIGNMENTS:
            return (Simple(None, "", (), "", node, start, self.tokens[self.place - 1].end),)
        update = self.text
        self.place += 1
        assert isinstance(node, Name | Element)
        value = self.expression()
        return (Simple(node, "", (), update, value, start, self.tokens[self.place - 1].end),)

    def is_conversion(self) -> bool:
        """`float(x)`, where a type begins an expression."""
        place = self.place + 2 if self.text == "uol" else self.place
        return self.tokens[place + 1].text == "("

    def declaration(self, start: int, shared: bool, constant: bool) -> tuple[Simple, ...]:
        dtype = self.type()
        found: list[Simple] = []
        while True:
            pointer = "*" if self.take("*") else ""
            self.take("const")
            restricted = self.take("__restrict__")
            name = Name(self.text)
            self.place += 1
            extents = self.indices()
            value = self.initial() if self.take("=") else None
            if restricted:
                self.own.append(Parameter(name.name, dtype, True, constant, first_name(value)))
            whole = dtype + pointer * (1 + bool(extents))
            found.append(Simple(name, whole, extents, "=", value, start, self.tokens[self.place - 1].end, shared))
            if not self.take(","):
                return tuple(found)

    def initial(self) -> Node | None:
        """None for `{}`, which zeroes an array."""
        if not self.take("{"):
            return self.expression()
        parts: list[Node] = []
        while not self.take("}"):
            parts.append(self.expression())
            self.take(",")
        return Operation("{}", tuple(parts)) if parts else None

    def target(self) -> Name | Element:
        node = self.postfix()
        assert isinstance(node, Name | Element)
        return node

    def indices(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.take("["):
            found.append(self.expression())
            self.need("]")
        return tuple(found)

    # ---- expressions

    def expression(self) -> Node:
        condition = self.binary(1)
        if not self.take("?"):
            return condition
        yes = self.expression()
        self.need(":")
        return Operation("?:", (condition, yes, self.expression()))

    def binary(self, level: int) -> Node:
        left = self.unary()
        while (own := BINDING.get(self.text, 0)) >= level:
            fn = self.text
            self.place += 1
            left = Operation(fn, (left, self.binary(own + 1)))
        return left

    def unary(self) -> Node:
        if self.text in ("-", "!", "~", "++", "&"):
            fn = self.text
            self.place += 1
            return Operation(f"{fn}_" if fn != "++" else fn, (self.unary(),))
        return self.cast() or self.postfix()

    def cast(self) -> Node | None:
        """`(type)x`; None where no type alone stands in parentheses."""
        start = self.place
        if self.take("(") and self.is_type():
            dtype = self.type()
            if self.take(")"):
                return Operation("cast", (self.unary(),), dtype)
        self.place = start
        return None

    def postfix(self) -> Node:
        node = self.primary()
        while True:
            if self.text == "[" and isinstance(node, Name):
                node = Element(node.name, self.indices())
            elif isinstance(node, Name | Element) and self.take(".", "at"):
                array, index = (node.name, ()) if isinstance(node, Name) else (node.array, node.index)
                node = Element(array, (*index, *self.indices()))
            elif self.take("."):
                node = Operation(f".{self.text}", (node,))
                self.place += 1
            else:
                return node

    def primary(self) -> Node:
        token = self.tokens[self.place]
        if self.take("("):
            inner = self.expression()
            self.need(")")
            return inner
        if token.kind in ("int", "float"):
            self.place += 1
            return Number(int(token.text.rstrip("uUlL"), 0), "int") if token.kind == "int" else Number(None, "float")
        if self.is_type():
            dtype = self.type()
            return Operation("{}" if self.text == "{" else "cast", self.arguments(), dtype)
        if token.text in ("true", "false"):
            self.place += 1
            return Number(int(token.text == "true"), "bool")
        return self.named()

    def named(self) -> Node:
        self.take("uol", "::")
        name = self.text
        if self.tokens[self.place].kind != "name":
            raise ValueError(f"an expression is expected at {self.tokens[self.place].start}, not {name!r}")
        self.place += 1
        parameters = self.template()
        if self.text in ("(", "{"):
            return Operation(name, self.arguments(), "", parameters)
        return Name(name)

    def arguments(self) -> tuple[Node, ...]:
        closing = ")" if self.text == "(" else "}"
        self.place += 1
        found: list[Node] = []
        while not self.take(closing):
            found.append(self.expression())
            self.take(",")
        return tuple(found)
