"""The gap: how evenly the kernels of a path use what each device attains.

    T_ref(group) = sum over its launches of max(bytes / bandwidth, operations / rate) + one launch
    eff          = T_ref / T                              T: of uol's kernels
    gap          = 1 - least eff / greatest eff           over the devices

    closed_forms.py, groups.py    what a path's groups.toml says: bytes and operations at the path's sizes
    attained.py                   what devices attain, and T_ref
    assignment.py                 which group a recorded call belongs to
    balanced.py                   keys of a contraction whose segments are data, as if all were alike
    model.py                      the kernels of a call on a target, and their modelled time
    ratios.py                     eff, gap and the other figures, on plain numbers
    measure.py, record.py         a path on every device; the figures as a record
"""
