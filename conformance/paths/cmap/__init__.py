"""Cross-modal attention pooling: a clip and the words that go with it, as one vector.

    sizes.py       the sizes of the path: real, check, narrow, and those it is trained at
    module.py      the network, and the one that is trained, by `uol`'s operators alone
    twin.py        the same in plain PyTorch, with the same state dict
    data.py        clips of two digits that move, with captions without their last word
    task.py        what `uol train` asks
    draw.py        a step on drawn numbers, on both sides and in float64
"""
