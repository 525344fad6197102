"""Natural loops of listings with jumps."""

from __future__ import annotations

from uol.backends.toolchain.machine_loops import Instruction, innermost_loop, loops


def listing(text: str) -> list[Instruction]:
    """Instructions at 0, 1, ...: `name`, `name>4` that may jump to 4, `name!4` that does."""
    found = []
    for address, word in enumerate(text.split()):
        name, _, target = word.replace("!", ">").partition(">")
        found.append(Instruction(address, name, word, int(target) if target else None, "!" in word or name == "end"))
    return found


def found(text: str) -> set[tuple[int, ...]]:
    return {tuple(loop) for loop in loops(listing(text))}


def test_a_jump_back_is_a_loop() -> None:
    assert found("a b c>1 end") == {(1, 2)}
    assert found("a b c>3 end") == set()


def test_a_loop_within_a_loop_is_one_of_its_own() -> None:
    assert found("a b c>1 d>0 end") == {(1, 2), (0, 1, 2, 3)}


def test_blocks_that_lie_elsewhere_belong_to_their_loop() -> None:
    # 1 jumps to 5, which jumps back to 2; the loop ends at 3
    assert found("a b>5 c d>1 end e!2") == {(1, 2, 3, 5)}


def test_what_is_never_reached_is_no_loop() -> None:
    assert found("a end b>2 end") == set()


def test_two_jumps_back_to_one_place_are_one_loop() -> None:
    assert found("a b>0 c>0 end") == {(0, 1, 2)}


def test_a_way_into_the_middle_makes_no_natural_loop() -> None:
    assert found("a>3 b c d>1 end") == set()


def test_the_innermost_loop_with_most_of_an_instruction() -> None:
    text = "p a p b>2 p p c>4 d>0 end"

    def product(each: Instruction) -> bool:
        return each.name == "p"

    assert innermost_loop(listing(text), product) == tuple(listing(text)[4:7])
    assert innermost_loop(listing("a b c>1 end"), product) is None
