"""The fields of a manifest, held against those that uol writes for the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from uol.bundle.held import Held, State
from uol.bundle.manifest import manifest_text
from uol.bundle.selftest import content_hash
from uol.compilation.explain import Json
from uol.compilation.generator import tool_versions

OF_THE_VERSION = frozenset({"architecture", "environment", "workspaces", "workspace_bytes", "kernels", "build"})
"""What another version may write for the same request."""

LAUNCHES = frozenset({"workspaces", "workspace_bytes", "kernels"})
"""What goes with kernels that were edited."""

SELF_HELD = frozenset({"files", "content_hash", "generator", "tools", "conformance", "binaries", "compiler"})
"""Fields that are held in a way of their own."""

LONGEST = 60


def other_version(record: Json, generator: str, strangers: tuple[str, ...]) -> str:
    """Why a bundle is of another version; empty where it is of this one. `generator` is the hash of this one's sources."""
    if record.get("generator") != generator:
        return "its generator's sources are not those of this uol"
    tools = record.get("tools")
    here = tool_versions()
    if isinstance(tools, dict) and tools.keys() == here.keys():
        other = [name for name in here if tools[name] != here[name]]
        if other:
            return f"it was made with {', '.join(f'{n} {tools[n]}, here is {here[n]}' for n in other)}"
    return f"the library's text of {', '.join(strangers)} is another one" if strangers else ""


def hold_fields(record: Json, expected: Json, version: str, edited: bool) -> Iterator[Held]:
    """Every field of the manifest, and every one that it should have. `version` says why it is of another one."""
    for name in (*expected, *(n for n in record if n not in expected)):
        if name not in record:
            yield Held("field", name, "missing", "every manifest has it")
        elif name not in expected:
            yield Held("field", name, "added", "no manifest has it")
        elif name not in SELF_HELD:
            yield Held("field", name, *_against(name, record[name], expected[name], version, edited))
    yield from (held for held in _of_their_own(record, expected, version) if held.name in record)


def hold_manifest_text(record: Json, content: bytes) -> Held | None:
    """A manifest whose bytes are not those that its fields give: a field twice, another layout."""
    if content == manifest_text(record).encode():
        return None
    return Held("file", "manifest.json", "changed", "its bytes are not those that its fields are written as")


def _against(name: str, found: object, expected: object, version: str, edited: bool) -> tuple[State, str]:
    if _same(found, expected):
        return "ok", "what uol writes for the request"
    differs = _difference(found, expected)
    if edited and name in LAUNCHES:
        return "edited", differs
    if version and name in OF_THE_VERSION:
        return "unverified", f"{differs}; {version}"
    return "changed", differs


def _of_their_own(record: Json, expected: Json, version: str) -> Iterator[Held]:
    found = record.get("files")
    same = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
    yield Held("field", "files", *_judged(same, "each is held against its file", "it is no list of files with their hashes"))
    same = record.get("content_hash") == content_hash(record)
    yield Held("field", "content_hash", *_judged(same, "the hash of the other fields", "it is not that of the other fields"))
    same = record.get("generator") == expected["generator"]
    yield Held("field", "generator", "ok" if same else "unverified", "the sources of this uol" if same else version)
    yield Held("field", "tools", *_tools(record.get("tools"), version))
    made = record.get("binaries")
    same = made == expected["binaries"]
    yield Held("field", "binaries", *_judged(same, "what is shipped", f"it is {_shown(made)}; none or all are shipped"))
    yield Held("field", "compiler", *_compiler(record.get("compiler"), expected["compiler"], bool(made)))


def _tools(found: object, version: str) -> tuple[State, str]:
    here = tool_versions()
    if found == here:
        return "ok", "the versions of the tools here"
    if isinstance(found, dict) and found.keys() == here.keys() and all(isinstance(v, str) for v in found.values()):
        return "unverified", version
    return "changed", _difference(found, here)


def _compiler(found: object, here: object, made: bool) -> tuple[State, str]:
    """`here` is null where nothing was built."""
    if not made or found is None or not isinstance(found, str):
        right = not made and found is None
        wrong = f"it is {_shown(found)}, and {'binaries are' if made else 'no binary is'} shipped"
        return _judged(right, "no binary is shipped", wrong)
    if found == here:
        return "ok", "the compiler here"
    return "unverified", f"{found} made the binaries, here is {here or 'none'}"


def _judged(same: bool, right: str, wrong: str) -> tuple[State, str]:
    return ("ok", right) if same else ("changed", wrong)


def _same(found: object, expected: object) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values."""
    return json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


def _difference(found: object, expected: object, place: str = "") -> str:
    """Where two values differ first, and how."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping) and found.keys() == expected.keys():
        name = next(name for name in expected if not _same(found[name], expected[name]))
        return _difference(found[name], expected[name], f"{place}.{name}" if place else str(name))
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        number = next(n for n, pair in enumerate(zip(found, expected, strict=True)) if not _same(*pair))
        return _difference(found[number], expected[number], f"{place}[{number}]")
    if isinstance(found, str) and isinstance(expected, str) and min(len(found), len(expected)) > LONGEST:
        number = next((n for n, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), 0)
        start = max(0, number - LONGEST // 4)
        found, expected = f"...{found[start:]}", f"...{expected[start:]}"
    return f"{f'{place} ' if place else 'it '}is {_shown(found)}, uol writes {_shown(expected)}"


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
