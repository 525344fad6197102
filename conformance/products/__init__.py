"""What the kernels of products move and multiply, held against what they must.

    tiling.py     the bytes that a kernel with a tiling must move, and what its tiles multiply, in closed form
    forms.py      forms of products, each at the size that its tiles are chosen for, and at sizes that the twin computes
    traffic.py    a command: sectors and bank conflicts, by the twin's counts
    experts.py    a command: how full the tiles of grouped products are, and their time beside that of their bytes
"""
