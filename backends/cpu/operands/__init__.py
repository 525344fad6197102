"""What a kernel reads, copied first or kept on the stack.

    packing.py, attention_packing.py, attention_buffers.py    copies
    panels.py            products over panels: which, and their memory
    pixel_lines.py, channel_lanes.py, channel_blocks.py    convolutions with channels on the lanes
    factors.py           what a contraction reads
    source_dims.py, buffer_span.py, peeling.py, interiors.py    what a read covers, and where its guards hold
    terms.py, row_products.py    sums over a long k in parts, and one row times a matrix
    taps_as_rows.py      residues of a transposed convolution as one product
    row_reads.py         what the rows of a reduction read
    strided_reads.py     vectors of every second element
    scratch.py           memory for ordering a row
    typical.py           sizes that are arguments, where a kernel is chosen by sizes
"""
