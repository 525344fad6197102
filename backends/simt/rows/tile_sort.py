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
    *("begin", "own_keys", "own_places", "k", "rank", "other", "round", "run", "active", "diagonal", "pair"),
    *("turn", "before", "left", "right", "is_right", "taken"),
)
"""What the text declares."""


def each_of(tile: int, threads: int) -> int:
    """Elements that each of the threads has of a tile, both powers of two; 1 where there are more threads."""
    return max(1, tile // threads)


@dataclass(frozen=True, slots=True)
class _Search:
    """For how many elements of the first run, of `run`, come before a thread's, which are those behind the first `diagonal` of
    both: `most` and `least`, found in so many `turns`, the first of which asks for `widest`. `pair`, in front of an offset:
    where the runs begin. `taken`: when the next one is of the second run, around the comparison."""

    pair: str
    run: str
    diagonal: str
    most: str
    least: str
    turns: str
    widest: str
    taken: str


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

    def lines(self) -> Iterator[str]:
        """Statements, behind which the threads of a block see the tile in order."""
        each = self.each
        yield from self._own()
        yield "__syncthreads();"
        if each > 1:
            yield from self._where(self._has_elements, self._neighbours())
        if self.kept > each:
            rounds = _log2(self.kept // each)
            yield f"for (int round = 0; round < {rounds}; ++round) {{  // of two runs one of twice the length"
            yield from _indented(self._doubled())
            yield "}"
        if self.tile > self.kept:
            rounds = _log2(self.tile // self.kept)
            yield f"for (int round = 0; round < {rounds}; ++round) {{  // of two runs one of their length"
            yield from _indented(self._halved())
            yield "}"
        yield "__syncthreads();"

    def merge(self, first: str) -> Iterator[str]:
        """The same where the tile is two runs in order, the first of so many elements."""
        tile = self.tile
        yield from self._own()
        most, least = f"uol::min(begin, {first})", f"uol::max(begin - ({tile} - {first}), 0)"
        ended = f"left == {first} || (right < {tile} && {{}})"
        search = _Search("", first, "begin", most, least, f"{_log2(tile)}", f"{tile // 2}", ended)
        yield from self._merge(self._has_elements, search)
        yield "__syncthreads();"

    def _own(self) -> Iterator[str]:
        each = self.each
        yield f"const int begin = {'threadIdx.x' if each == 1 else f'threadIdx.x * {each}'};  // this thread's elements"
        yield f"{self.key_type} own_keys[{each}];"
        yield f"int own_places[{each}];"

    @property
    def _has_elements(self) -> str:
        return "" if self.threads * self.each == self.tile else f"begin < {self.tile}"

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

    def _doubled(self) -> Iterator[str]:
        """A round in which all is kept of two runs: one of them may end within a thread's elements."""
        each = self.each
        yield f"const int run = {each} << round;"
        yield f"const int diagonal = begin & (2 * run - {each}), pair = begin - diagonal;"
        most, before = "uol::min(diagonal, run)", "uol::max(diagonal - run, 0)"
        ended = "left == pair + run || (right < pair + 2 * run && {})"
        search = _Search("pair + ", "run", "diagonal", most, before, f"round + {each.bit_length()}", "run", ended)
        yield from self._merge(self._has_elements, search)

    def _halved(self) -> Iterator[str]:
        """A round in which as much is kept of two runs as each has: they end where what is kept does, or later."""
        each, kept = self.each, self.kept
        yield f"const int active = {self.tile // each // 2} >> round;  // threads"
        yield f"const int diagonal = begin % {kept}, pair = 2 * (begin - diagonal);"
        search = _Search("pair + ", f"{kept}", "diagonal", "diagonal", "0", f"{_log2(kept)}", f"{kept // 2}", "{}")
        yield from self._merge("threadIdx.x < active", search)

    def _merge(self, where: str, search: _Search) -> Iterator[str]:
        yield "__syncthreads();"
        yield from self._where(where, self._merged(search))
        yield "__syncthreads();"
        yield from self._where(where, self._written())

    def _merged(self, search: _Search) -> Iterator[str]:
        """This thread's elements: of alike ones those of the first run come first."""
        precedes, pair = f"uol::sorts_before<{self.descending}>", search.pair
        second = f"{pair}{search.run} + {search.diagonal}"
        yield f"int before = {search.least};  // elements of the first run that come before these"
        more = f"({search.widest} >> turn)"
        yield f"for (int turn = 0; turn < {search.turns}; ++turn) {{"
        yield f"  if (before + {more} <= {search.most} &&"
        yield f"      !{precedes}(keys[{second} - before - {more}], keys[{pair}before + {more} - 1]))"
        yield f"    before += {more};"
        yield "}"
        yield f"int left = {pair}before, right = {second} - before;"
        yield from _over(
            self.each,
            f"const bool is_right = {search.taken.format(f'{precedes}(keys[right], keys[left])')};",
            "const int taken = is_right ? right : left;",
            "own_keys[k] = keys[taken];",
            "own_places[k] = places[taken];",
            "left += is_right ? 0 : 1;",
            "right += is_right ? 1 : 0;",
        )

    def _written(self) -> Iterator[str]:
        return _over(self.each, "keys[begin + k] = own_keys[k];", "places[begin + k] = own_places[k];")

    def _where(self, condition: str, lines: Iterator[str]) -> Iterator[str]:
        """For the threads of which something holds; no text is all of them."""
        if not condition:
            yield from lines
            return
        yield f"if ({condition}) {{"
        yield from _indented(lines)
        yield "}"


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _over(each: int, *body: str) -> Iterator[str]:
    """A loop over a thread's elements."""
    yield "#pragma unroll"
    yield f"for (int k = 0; k < {each}; ++k) {{"
    yield from _indented(body)
    yield "}"


def _indented(lines: Iterator[str] | Sequence[str], by: int = 2) -> Iterator[str]:
    return (" " * by + line for line in lines)
