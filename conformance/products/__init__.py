"""What the kernels of products move: held against what their tiles have to move.

    tiling.py     the bytes that a kernel with a tiling must move, in closed form
    forms.py      forms of products, each at the size that its tiles are chosen for, and at sizes that the twin computes
    traffic.py    the command: sectors and bank conflicts, by the twin's counts
"""
