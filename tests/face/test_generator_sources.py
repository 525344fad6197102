"""Which sources stand in the keys of kernels: all that take part, and of the others it is known why not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from uol.backends.cache.files import PACKAGES, hash_of, package_files
from uol.compilation import generator

COUNTED = dict(generator.generator_files())


def test_every_file_counts_or_lies_in_a_folder_that_takes_no_part() -> None:
    root = Path(generator.__file__).parents[2]
    rooms = {"uol": "uol"} | {package.partition(".")[2]: package.replace(".", "/") for package in PACKAGES[1:]}
    files = {
        f"{name}/{path.relative_to(root / room)}"
        for room, name in rooms.items()
        for path in (root / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    left_out = {name for name in files - COUNTED.keys() if not name.startswith(tuple(f"{f}/" for f in generator.NO_PART))}
    assert {Path(name).suffix for name in left_out} <= {".md"}
    assert COUNTED.keys() <= files
    assert all(any(name.startswith(f"{folder}/") for name in files) for folder in generator.NO_PART)


def test_a_changed_byte_of_any_source_is_another_key(tmp_path: Path) -> None:
    keys = {hash_of(COUNTED.items())}
    for number, (name, path) in enumerate(COUNTED.items()):
        content = path.read_bytes()
        changed = tmp_path / str(number)
        changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content else b"#")
        keys.add(hash_of({**COUNTED, name: changed}.items()))
    assert len(keys) == len(COUNTED) + 1


def test_names_count_and_the_order_does_not() -> None:
    files = list(COUNTED.items())
    assert hash_of(files[::-1]) == hash_of(files) == generator.generator_hash()
    (first, a), (second, b), *others = files
    assert hash_of([(first, b), (second, a), *others]) != hash_of(files)
    assert hash_of(files[1:]) != hash_of(files)


GENERATES = """
import json, sys
from uol.operators.registry import find_operator
from uol.binding.named_binding import bind_names
from uol.compilation.pipeline import generate
from uol.compilation.request import Request, resolve_target
for target in ("cpu", "cuda", "hip", "ascendc"):
    generate(Request(bind_names(find_operator("softmax_grad"), "f32", {"S": 4, "C": 8}, {}), resolve_target(target)))
print(json.dumps([name for name in sys.modules if name.startswith("uol.")]))
"""


def test_folders_that_take_no_part_are_not_loaded_where_kernels_are_made(own_cache: Path) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", GENERATES], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    left_out = {name for name in loaded if f"{name}.".replace(".", "/").startswith(tuple(f"{f}/" for f in generator.NO_PART))}
    read_texts = {"", ".texts", ".trees", ".variadic", ".references", ".references.gradients", ".other_names"}
    read_texts |= {".text", ".signatures"}  # by which names are found and suggested
    assert left_out <= {f"uol.ops{name}" for name in read_texts}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_found(package: str) -> None:
    assert any(name.startswith(package.replace(".", "/") + "/") for name, _ in package_files(package))
