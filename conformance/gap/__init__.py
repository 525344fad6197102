"""The gap: how evenly the kernels of a path use what each device attains.

    T_ref(group) = max(bytes / bandwidth, operations of products / rate) + one launch      of the reference, at what is attained
    eff          = sum of T_ref / sum of max(T, T_ref)        over forward and backward; T: of uol's kernels
    gap          = 1 - least eff / max(greatest eff, 0.85 * best known)                    over the devices

    reference/                    the groups of a path's mathematics, and their T_ref
    calls.py, closed_forms.py     what a path's calls.toml says: which rows of the reference a call computes, at its sizes
    assignment.py, rows.py        which entry a recorded call belongs to; the rows, joined where one call computes of several
    attained.py                   what devices attain
    routing.py                    keys of a contraction whose segments are data, even and skewed
    model.py, lists.py            the kernels of a call, or of a step over lists, on a target, and their modelled time
    ratios.py                     eff, gap and the other figures, on plain numbers
    control.py, published.toml    the vendors' own libraries by the same formulas
    measure.py, record.py         a path on every device; the figures as a record
"""
