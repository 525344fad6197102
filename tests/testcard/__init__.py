"""A device of PyTorch's for tests, "testcard", and its backend: what lies between `uol.ops` and a driver runs without a card.

    device.py       the device: it is built from `testcard.cpp`, registered once a process, before the first backward
    overhead.py     a command: what a call costs down to a driver that does nothing
    __main__.py     runs a command of the library's where PyTorch has the card
    backend.py      kernels of the CPU's, launched as on an accelerator, each launch on record

A file that is called `on_card_*.py` is tests of a process of their own: `tests/pytorch/test_on_card.py` runs them.
"""
