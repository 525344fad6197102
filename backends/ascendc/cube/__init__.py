"""Products on the cube.

product.py           what it can fetch and store, in which tiles
kernel.py, loads.py  a product tile by tile; its operands' way to L0
"""
