"""Text and tree: what was written, untyped.

surface.py        the nodes of the tree
parser.py         text to tree, by grammar.lark; parse_errors.py says what is wrong with a text that is none
printer.py        tree to text
builder.py        an operator built by a Python function, from expression_handles.py
dim_arithmetic.py the dims of a tree at sizes
span.py           where a node stands in its text
"""
