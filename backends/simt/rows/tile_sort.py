"""A tile of keys and places in shared memory, put in order: every thread its own neighbours first, then runs two by two.

A merge of two runs is cut by what comes out of it: a thread writes `each` elements side by side, and bisection finds how many
of those before them are of the first run (Green, McColl and Bader, GPU Merge Path, ICS 2012). That takes n log n steps for n
elements. Where the first places of a row are all that is wanted, runs grow no longer than these, and of two such runs one is
left: n log k steps for k places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

EACH, MOST_EACH = 4, 8
"""Elements that a thread writes of a merge, and at most: a bisection for each of them would take longer than the merge."""
NAMES = (
    *("begin", "own_keys", "own_places", "k", "rank", "other", "round", "run", "both", "outputs", "diagonal", "pair"),
    *("turn", "most", "before", "further", "left", "right", "is_right", "taken"),
)
"""What the text declares."""


def each_of(tile: int, threads: int) -> int:
    """Elements that each of the threads has of a tile, both powers of two; 1 where there are more threads."""
    return max(1, tile // threads)


@dataclass(frozen=True, slots=True)
class TileSort:
    """The text of a sort of the first `tile` of `keys`, of which `kept` stand at their places then: both powers of two."""

    tile: int
    kept: int
    threads: int
    key_type: str
    descending: str

    @property
    def each(self) -> int:
        """Elements a thread."""
        return each_of(self.tile, self.threads)

    @property
    def is_cut(self) -> bool:
        """Do runs end before the tile does?"""
        return self.kept < self.tile

    def lines(self) -> Iterator[str]:
        """Statements, behind which the threads of a block see the tile in order."""
        each = self.each
        yield f"const int begin = {'threadIdx.x' if each == 1 else f'threadIdx.x * {each}'};  // this thread's elements"
        yield f"{self.key_type} own_keys[{each}];"
        yield f"int own_places[{each}];"
        yield "__syncthreads();"
        if each > 1:
            yield from self._where(f"{self.tile}", self._neighbours())
        yield f"for (int round = 0; round < {(self.tile // each).bit_length() - 1}; ++round) {{  // of two runs in order one"
        yield from _indented(self._round())
        yield "}"
        yield "__syncthreads();"

    def _neighbours(self) -> Iterator[str]:
        """Elements of a thread in order: each goes behind those that precede it."""
        yield from _over(self.each, "own_keys[k] = keys[begin + k];", "own_places[k] = places[begin + k];")
        yield from _over(
            self.each,
            "int rank = 0;",
            "#pragma unroll",
            f"for (int other = 0; other < {self.each}; ++other) {{",
            f"  rank += uol::precedes<{self.descending}>(own_keys[other], other, own_keys[k], k) ? 1 : 0;",
            "}",
            "keys[begin + rank] = own_keys[k];",
            "places[begin + rank] = own_places[k];",
        )

    def _round(self) -> Iterator[str]:
        each = self.each
        run, both = f"{each} << round", f"{2 * each} << round"
        if self.is_cut:
            run, both = (f"uol::min({count}, {self.kept})" for count in (run, both))
        yield f"const int run = {run}, both = {both};"
        if self.is_cut:
            yield f"const int outputs = ({self.tile // each // 2} >> round) * both;"
        yield f"const int diagonal = begin & (both - {each});"
        yield f"const int pair = {'(begin - diagonal) * (run < both ? 1 : 2)' if self.is_cut else 'begin - diagonal'};"
        yield "__syncthreads();"
        outputs = "outputs" if self.is_cut else f"{self.tile}"
        yield from self._where(outputs, self._merged())
        yield "__syncthreads();"
        yield from self._where(outputs, self._written())

    def _merged(self) -> Iterator[str]:
        """This thread's elements of two runs: of alike ones those of the first come first."""
        sorts_before = f"uol::sorts_before<{self.descending}>"
        turns = f"round + {self.each.bit_length()}"
        if self.is_cut:
            turns = f"uol::min({turns}, {self.kept.bit_length()})"
        yield "const int most = uol::min(diagonal, run);"
        yield "int before = uol::max(diagonal - run, 0);  // elements of the first run that come before these"
        yield f"for (int turn = 0; turn < {turns}; ++turn) {{"
        yield "  const int further = before + (run >> turn);"
        yield "  if (further <= most &&"
        yield f"      !{sorts_before}(keys[pair + run + diagonal - further], keys[pair + further - 1])) before = further;"
        yield "}"
        yield "int left = pair + before, right = pair + run + diagonal - before;"
        yield from _over(
            self.each,
            "const bool is_right =",
            "    left == pair + run ||",
            f"    (right < pair + 2 * run && {sorts_before}(keys[right], keys[left]));",
            "const int taken = is_right ? right : left;",
            "own_keys[k] = keys[taken];",
            "own_places[k] = places[taken];",
            "left += is_right ? 0 : 1;",
            "right += is_right ? 1 : 0;",
        )

    def _written(self) -> Iterator[str]:
        return _over(self.each, "keys[begin + k] = own_keys[k];", "places[begin + k] = own_places[k];")

    def _where(self, outputs: str, lines: Iterator[str]) -> Iterator[str]:
        """For the threads that have elements."""
        if not self.is_cut and self.threads * self.each == self.tile:
            yield from lines
            return
        yield f"if (begin < {outputs}) {{"
        yield from _indented(lines)
        yield "}"


def _over(each: int, *body: str) -> Iterator[str]:
    """A loop over a thread's elements."""
    yield "#pragma unroll"
    yield f"for (int k = 0; k < {each}; ++k) {{"
    yield from _indented(body)
    yield "}"


def _indented(lines: Iterator[str] | Sequence[str], by: int = 2) -> Iterator[str]:
    return (" " * by + line for line in lines)
