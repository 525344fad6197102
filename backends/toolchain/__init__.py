"""The vendors' tools, and what they make.

    tool_identity.py     which build of a tool is installed
    running.py           a tool, run on the texts of a module
    diagnostics.py       its messages, brought back to the line of the op
    elf_sections.py, machine_loops.py    parts of a binary; loops of a listing of machine code
    shared_library.py, processor.py    libraries from bytes; the processor of this machine
"""
