"""Gradients of attentions on matrix units: weights are known without a maximum, and several sums of them stay in registers.

    form.py             what a gradient's scores and weights must be; from where on and how far rows see cols
    place.py, heads.py  names, operands, a block's rows; the tiles of cols that pass by, head by head
    copies.py           how rows and cols come to shared memory, and what is read for each col
    elements.py         from dots to weights
    products.py         dots and sums
    end.py, kernel.py   the end of a row, the kernel
    legality.py, counts.py   whether a tile fits, what it moves
"""
