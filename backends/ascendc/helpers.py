"""What kernels call beside Ascend C: small functions and constants of the emitted text.

A generator writes a helper as a reference, `f"{LESSER}(64, {rest})"`; printing resolves it, so that a module has those helpers
that its printed lines refer to.
"""

from __future__ import annotations

import re

REFERENCE = re.compile(r"@(\w+)")

INFINITE, NOT_A_NUMBER = "@INFINITE", "@NOT_A_NUMBER"
LESSER, GREATER, CEIL_DIV = "@lesser", "@greater", "@ceil_div"
FLOOR_DIV, FLOOR_MOD = "@floor_div", "@floor_mod"
THREEFRY_KEY, TWO_OVER_PI = "@threefry_key", "@two_over_pi"

HELPERS = {
    "INFINITE": "constexpr float INFINITE = __builtin_inff();",
    "NOT_A_NUMBER": 'constexpr float NOT_A_NUMBER = __builtin_nanf("");',
    "lesser": "__aicore__ inline int lesser(int a, int b) { return a < b ? a : b; }",
    "greater": "__aicore__ inline int greater(int a, int b) { return a > b ? a : b; }",
    "floor_div": "__aicore__ inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }",
    "floor_mod": "__aicore__ inline int64_t floor_mod(int64_t a, int64_t b) { return a % b < 0 ? a % b + b : a % b; }",
    "threefry_key": """\
__aicore__ inline int32_t threefry_key(int64_t seed, int word, int added) {
  const uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  const uint32_t key = word == 0 ? low : word == 1 ? high : low ^ high ^ 0x1bd11bdau;
  return static_cast<int32_t>(key + static_cast<uint32_t>(added));
}""",
    "two_over_pi": """\
__aicore__ inline int32_t two_over_pi(int place) {
  const uint32_t words[] = {0x00000000u, 0x0145f306u, 0xdc9c882au, 0x53f84eafu,
                            0xa3ea69bbu, 0x81b6c52bu, 0x32788720u, 0x83fca2c7u};
  const uint64_t pair = static_cast<uint64_t>(words[place / 32]) << 32 | words[place / 32 + 1];
  return static_cast<int32_t>(pair >> (52 - place % 32) & 0xfff);
}""",
    "ceil_div": "__aicore__ inline int ceil_div(int a, int b) { return (a + b - 1) / b; }",
}
"""By name, in the order in which a module has them. threefry_key is a word of the key schedule of `random_bits` (the third is
the xor of both and a constant of Threefry), plus what its round adds. two_over_pi is twelve bits of 2/pi, behind 39 zeros.
ceil_div rounds a negative quotient towards zero: its users clamp at zero."""


def resolved(line: str, called: set[str]) -> str:
    """A line of text with its references as names, which are added to `called`."""

    def name(reference: re.Match[str]) -> str:
        called.add(reference[1])
        return reference[1]

    return REFERENCE.sub(name, line)
