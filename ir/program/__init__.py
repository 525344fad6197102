"""The typed program, and its value.

nodes.py, walk.py, render.py      the program, walked and rewritten, and as text
interpreter.py, evaluation.py     the golden value, over index_blocks.py, with matrix_products.py for products
rounding.py, dtype_encoding.py    narrow types, and how arrays hold them
threefry.py                       random bits
checked_mode.py                   what is an error where values are checked
"""
