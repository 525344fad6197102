"""How PyTorch's own samples (OpInfo) become calls of operators here.

    forms.py    what a form is, and those of functions
    layers.py   those of layers
    devices.py  where they are computed

`signatures.py` calls `uol.ops` as PyTorch is called, by its samples, by the examples of its documentation
(`examples.py`) and in each form that it declares (`schemas.py`).
"""
