"""A name is one thing only, and none of the language's own."""

from __future__ import annotations

from uol.ir.checker.messages import mismatch
from uol.ir.functions import FUNCTIONS
from uol.ir.syntax import surface
from uol.ir.syntax.surface import Access, Name, Node, Op, Pack, Reduction
from uol.ir.types import DTYPES

CASTS = ("acc", *DTYPES)
SPECIAL_FORMS = ("select", "count", "flat", "sorted", "finite", "permutation", "random_bits")
RESERVED = frozenset((*CASTS, *SPECIAL_FORMS, *FUNCTIONS, "inf", "true", "false", "nan", "idx", "uol", "int", "float"))


def check_names(op: Op) -> None:
    """Raises TypeCheckError where a name stands for two things, or is one of the language's own."""
    _Names(op).check()


class _Names:
    def __init__(self, op: Op) -> None:
        self.op = op
        self.kinds: dict[str, str] = {}

    def check(self) -> None:
        op = self.op
        if op.name in (*CASTS, *SPECIAL_FORMS):
            raise mismatch(op, op, f"`{op.name}` is a word of the language and cannot name an operator")
        self.kinds[op.name] = "the operator"
        for type_set in op.domain:
            self.declare(type_set.variable, "a type variable", type_set)
        for param in (*op.params, *op.results):
            self.declare(param.name, "a tensor", param)
        for attribute in op.attributes:
            self.declare(attribute.name, "an attribute", attribute)
        for param in (*op.params, *op.results):
            for dim in param.dims:
                self.dims(dim)
        for statement in op.body:
            self.statement(statement)

    def declare(self, name: str, kind: str, node: Node) -> None:
        if name in RESERVED:
            raise mismatch(self.op, node, f"`{name}` is a word of the language and cannot name {kind}", "choose another name")
        if name in self.kinds:
            raise mismatch(self.op, node, f"`{name}` is {self.kinds[name]} already", f"give {kind} another name")
        self.kinds[name] = kind

    def use(self, name: str, kind: str, node: Node) -> None:
        """A name that declares itself by standing where only that kind can stand."""
        if self.kinds.get(name, kind) != kind:
            raise mismatch(self.op, node, f"`{name}` is {self.kinds[name]} and cannot be {kind} too", "choose another name")
        if name not in self.kinds:
            self.declare(name, kind, node)

    def dims(self, dim: Node) -> None:
        if isinstance(dim, Pack):
            self.use(dim.id, "a pack of dims", dim)
        elif isinstance(dim, Name) and self.kinds.get(dim.id) != "an attribute":
            self.use(dim.id, "a dim", dim)
        for operand in surface.operands(dim):
            self.dims(operand)

    def statement(self, statement: surface.Statement) -> None:
        for target in statement.targets:
            self.use(target.tensor, "a tensor", target)
            for item in target.index:
                self.index(item)
        self.value(statement.value)

    def index(self, item: Node) -> None:
        """An item of a target or a binder: a plain name there is an index."""
        if isinstance(item, Name):
            self.use(item.id, "an index", item)
        elif isinstance(item, Pack):
            self.use(item.id, "a pack of indices", item)
        else:
            self.value(item)

    def value(self, node: Node) -> None:
        if isinstance(node, Reduction):
            for binder in node.binders:
                self.use(binder.name, "a pack of indices" if binder.pack else "an index", binder)
        if isinstance(node, Access) and isinstance(node.tensor, Name) and node.tensor.id in self.kinds:
            self.use(node.tensor.id, "a tensor", node.tensor)
        for operand in surface.operands(node):
            self.value(operand)
