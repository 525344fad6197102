"""`torch.compile(model, backend="uol")`: whole models, graph by graph.

    backend         what dynamo calls; sizes that are open become fixed ones
    matching        softmax and norms that are written out, before autograd sees them
    decompositions  how PyTorch's operators are taken apart
    tidying         aliases, flattened products
    library         nodes that the library has an operator for, with its gradients
    words, views, moves, convolutions    one node in index notation
    groups          which neighbours become one text; `texts` writes it; `operators` makes an operator of it, without a name
    plan            the steps of a graph; `arena` their memory; `program` the function that runs them
    rest            what has no operator, where Inductor is to have it
    reports         which nodes ran where, and why not; `profile` where the time goes

PyTorch's compiler is imported when a model is compiled, not with this package.
"""

from __future__ import annotations

from uol.pytorch.graph.reports import GraphReport, Report, report, reset

__all__ = ["GraphReport", "Report", "report", "reset"]
