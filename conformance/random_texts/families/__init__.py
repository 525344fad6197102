"""Random texts by the construct that they are made for; each module draws one kind.

    sketch.py        a text that is being drawn: its inputs, statements, results, sizes, and the data that it may be given
    recurrences.py   sums whose terms fade by a product: every choice of ends, shifted reads with `else`, both directions
    searches.py      counts of sorted keys, and what is read at the place that was found
    segments.py      sums by keys, some of which lie outside: sorted and not, with products and means
    orders.py        sorts, the largest K, places of extrema: with ties and NaN
    types.py         integers, bools and several types in one text: casts, wrapping, floored division
    calls.py         calls of library operators, one inside another
    packs.py         tensors of any number of dims
    products.py      sums of products with what comes before and behind them; windows
    running.py       reductions with bounds on outer indices
"""
