"""Packs: what conformance checks on this machine, taken to one that has a card and no uol.

    cases.py                           which cases a pack holds: of operators, or of a path's step
    contents.py, held.py, owed.py      what travels of each: launches, arrays, bounds
    roofline.py, prediction.py         its work, and its time by the model, before it has run
    references.py                      PyTorch's call of it
    drawn/                             cases of real size: inputs that are drawn on the card, results that are sampled
    write.py                           the folder, whole or not at all, with the runner in it
    runner/                            what runs there: it imports nothing of uol
    record.py, compare.py              what came back
"""
