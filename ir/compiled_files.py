"""What is compiled from a file that the packages bring (the parser's tables, templates), kept as Python keeps bytecode: in the
`__pycache__` beside the file, by the first process that may write there, unless `PYTHONDONTWRITEBYTECODE` is set."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path


def kept(source: Path, made_of: bytes) -> bytes | None:
    """What `keep` kept of the file under the same `made_of` (the file's content, and what compiled it); None where there is
    no such thing, or not the whole of it."""
    try:
        data = _beside(source).read_bytes()
    except OSError:
        return None
    header, content = data[:64], data[64:]
    return content if header == _header(made_of, content) else None


def keep(source: Path, made_of: bytes, content: bytes) -> None:
    """Keeps it for later processes. Where that cannot be written, nothing is kept."""
    if sys.dont_write_bytecode:
        return
    path = _beside(source)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_header(made_of, content) + content)
            os.chmod(temporary, source.stat().st_mode & 0o666)  # whoever reads the file may read this, as of bytecode
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def _header(made_of: bytes, content: bytes) -> bytes:
    return hashlib.sha256(made_of).digest() + hashlib.sha256(content).digest()


def _beside(source: Path) -> Path:
    """`__pycache__/grammar.cpython-311.opt-lark.pyc` of `grammar.lark`: no module's."""
    return Path(cache_from_source(str(source), optimization=source.suffix[1:]))
