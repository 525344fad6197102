"""Packs: what conformance checks on this machine, taken to one that has a card and no uol.

    cases.py                           which cases a pack holds: of operators, or of a path's step
    contents.py, owed.py, roofline.py, references.py    what travels of each: launches, arrays, bounds, work, PyTorch's call
    write.py                           the folder, whole or not at all, with the runner in it
    runner/                            what runs there: it imports nothing of uol
    record.py, compare.py              what came back
"""
