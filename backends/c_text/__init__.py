"""C text, whoever takes it.

names.py, reserved.py     names of a kernel, legalised
template_folder.py   Jinja templates of a folder
index_intervals.py   how large integer expressions get
"""
