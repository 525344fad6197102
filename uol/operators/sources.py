"""Where a command gets a user's operators from: Python modules that register them, and `.uol` files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from uol.ir.errors import ResourceError, UolError
from uol.ir.syntax.parser import parse
from uol.ir.syntax.surface import Op
from uol.operators.registration import op as register
from uol.operators.registry import catalogue
from uol.ops.variadic import generated


@dataclass(frozen=True, slots=True)
class OperatorSources:
    """Modules (a name, or the path of a .py file) and `.uol` files: what another process must load to know the operators."""

    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def load(self) -> None:
        """Registers all their operators in this process."""
        for module in self.modules:
            import_operators(module)
        for file in self.files:
            operators_of_file(file)


def registered_names() -> tuple[str, ...]:
    """The operators that are of no text of the library, as they were registered; those that a name generates are left out."""
    return tuple(op.name for op in catalogue().added if generated(op.name) is None)


def import_operators(module: str) -> tuple[str, ...]:
    """Imports a module, by name (the working folder is looked in, too) or by the path of its file; gives the operators that
    it registers. Raises UolError where it cannot be imported."""
    before = set(registered_names())
    try:
        _import(module)
    except UolError:
        raise
    except (Exception, SystemExit) as error:
        hint = "give a module's name, or the path of a .py file; UOL_DEBUG=1 shows the traceback"
        raise UolError(f"cannot import {module!r}: {type(error).__name__}: {error}", hint=hint) from error
    return tuple(name for name in registered_names() if name not in before)


def operators_of_file(name: str) -> tuple[Op, ...]:
    """All operators of a `.uol` file, registered. Raises ResourceError where it cannot be read, and what the checker raises."""
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows begin a text with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ResourceError(f"cannot read {name!r}: {reason}", hint="give the path of a .uol text") from error
    register(text, file=str(path))
    return parse(text, str(path))


def _import(module: str) -> ModuleType:
    folder = str(Path(module).resolve().parent) if module.endswith(".py") else str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # modules beside it are found; last, so that no file there stands for an installed module
    if not module.endswith(".py"):
        return import_module(module)
    path = Path(module).resolve()
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    name = path.stem if known is None else f"{path.stem}_by_path"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ResourceError(f"cannot read {module!r}", hint="give the path of a .py file")
    loaded = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return loaded
