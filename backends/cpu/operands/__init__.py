"""What a kernel reads, copied first or kept on the stack.

packing.py, attention_packing.py, attention_buffers.py    copies
panels.py            products over panels: which, and their memory
factors.py           what a contraction reads
source_dims.py, buffer_span.py, peeling.py, interiors.py    what a read covers, and where its guards hold
strided_reads.py     vectors of every second element
scratch.py           memory for ordering a row
typical.py           sizes that are arguments, where a kernel is chosen by sizes
"""
