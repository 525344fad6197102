"""C text, whoever takes it.

    names.py, reserved.py     names of a kernel, legalised
    template_folder.py   Jinja templates of a folder
    source_tokens.py     an emitted text as tokens
    index_intervals.py   how large integer expressions get
"""
