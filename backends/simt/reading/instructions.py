"""Instructions of what is one operation in a text and several in a machine: functions of the device header, quotients of
integers. Those of sm_80, by what NVRTC makes of 24 calls more than of 8; a test counts them again. Comparisons, choices and
logic are the integer unit's, of floats, too (CUDA C++ Programming Guide, arithmetic instructions: 64 a cycle and core)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from uol.backends.simt.reading.syntax import Number, Operation


@dataclass(frozen=True, slots=True)
class Cost:
    """Instructions of the integer unit for one call on floats, and for one on integers."""

    floats: int
    integers: int


FUNCTIONS: Mapping[str, Cost] = {
    "max": Cost(3, 1),
    "greatest": Cost(1, 1),
    "min": Cost(3, 1),
    "pick_max": Cost(17, 9),
    "pick_min": Cost(17, 9),
    "sorts_before": Cost(4, 3),
    "precedes": Cost(13, 10),
    "shift_left": Cost(3, 3),
    "shift_right": Cost(2, 2),
}
THREEFRY_BLOCK = 69
"""The integer instructions of a block of two words of Threefry-2x32-20: twenty rounds of an addition, a rotation and an
exclusive or, and nine more with the additions of keys, of which most are of three numbers at once (`uol_device_random.h`)."""
BY_POWER, BY_NUMBER, BY_VARIABLE = 2, 5, 12
"""The instructions of a quotient or a remainder of integers by a power of two, by another number, by a variable."""
FLOORED_BY_POWER, FLOORED_BY_NUMBER, FLOORED_BY_VARIABLE = 6, 9, 35
"""The same of `floor_div` and `floor_mod`."""


def instructions_of(node: Operation, unit: str) -> tuple[str, int] | None:
    """Unit and number of the instructions of an operation that is not one; None where it is."""
    match node.fn:
        case "random_words":
            return "integer", -(-int(node.parameters[0]) // 2) * THREEFRY_BLOCK
        case "random_bits":
            return "integer", THREEFRY_BLOCK
        case "/" | "%" if unit == "integer":
            return "integer", _by(node, BY_POWER, BY_NUMBER, BY_VARIABLE)
        case "floor_div" | "floor_mod" if unit == "integer":
            return "integer", _by(node, FLOORED_BY_POWER, FLOORED_BY_NUMBER, FLOORED_BY_VARIABLE)
        case name if name in FUNCTIONS and unit != "f64-vector":
            return "integer", FUNCTIONS[name].integers if unit == "integer" else FUNCTIONS[name].floats
    return None


def _by(node: Operation, power: int, number: int, variable: int) -> int:
    match node.args[1]:
        case Number(value=int(by)) if by > 0:
            return power if by & (by - 1) == 0 else number
    return variable
