"""Products of bf16 and of bytes by the processor's dot and tile instructions.

`words` says which products those are, `word_copies` copies their operands, `word_tiles` are the tiles over the copies,
`instructions` the functions that stand for the instructions, `units` which of them a processor has.
"""
