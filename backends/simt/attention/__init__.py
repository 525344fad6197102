"""Attention on threads.

plan.py, tiles.py    the kernel, and what a tile takes
elements.py, end.py  what becomes of a score, and the end of a row
"""
