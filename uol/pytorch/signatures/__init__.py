"""`uol.ops.<name>` with PyTorch's arguments, from the rows of `uol.ops.signatures`.

binding      the arguments of a call by name, with their defaults; which form of a function a call is of
call         a call on its way: the text, its inputs, its options, what is done to the result; the rewrites by name
types, optional, shapes, results, families, orders, counting, losses, bags, padding, placing, resampling, composed
             the rewrites
functions    the function that a row stands for
help         its signature and its docstring
stub_lines   its lines for a type checker
"""
