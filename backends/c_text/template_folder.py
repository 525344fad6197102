"""Jinja templates of a folder, as every backend reads them."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from uol.ir.compiled_files import keep, kept

if TYPE_CHECKING:
    import jinja2
    from jinja2.bccache import Bucket


class _Whitespace(TypedDict):
    trim_blocks: bool
    lstrip_blocks: bool


_WHITESPACE = _Whitespace(trim_blocks=True, lstrip_blocks=True)


def template_of(folder: Path, name: str) -> jinja2.Template:
    """The template of that name. Rendering it raises where its data lacks a name that it asks for."""
    return _environment(folder).get_template(name)


@cache
def _environment(folder: Path) -> jinja2.Environment:
    import jinja2  # a kernel from the cache needs no template

    class Compiled(jinja2.BytecodeCache):
        """Templates that were compiled, beside their texts."""

        def get_cache_key(self, name: str, filename: str | None = None) -> str:
            return filename or name

        def load_bytecode(self, bucket: Bucket) -> None:
            content = kept(Path(bucket.key), _made_of(bucket))
            if content is not None:
                bucket.bytecode_from_string(content)

        def dump_bytecode(self, bucket: Bucket) -> None:
            keep(Path(bucket.key), _made_of(bucket), bucket.bytecode_to_string())

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        bytecode_cache=Compiled(),
        **_WHITESPACE,
    )


def _made_of(bucket: Bucket) -> bytes:
    """The template's text, and what its bytecode depends on beside it."""
    return f"{bucket.checksum} {metadata.version('jinja2')} {_WHITESPACE}".encode()
