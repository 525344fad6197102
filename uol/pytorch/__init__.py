"""Operators in PyTorch: `uol.ops.<name>` on tensors, gradients, `torch.compile`, autocast, layers.

    bridge      makes an operator known to PyTorch, when it is first named, in `torch.ops.uol` by `namespace`
    call        one operator on tensors: its kernels by shape (`launch_plan`), results (`large_pages`), `out=`; `fast_path`
                says when the dispatcher has nothing to add
    devices     whose kernels run on a tensor's device, and how they are launched there; `fallback` is PyTorch in their place
    gradient    what autograd asks of an operator; `backward_plan` calls the gradients that were derived from its text;
                those that only repeat a cotangent are views (`repeated`)
    foreach     many tensors in one launch; `in_place` writes over inputs; `variadic` takes lists
    optimisers/ `torch.optim`'s classes with the steps of `foreach`, and narrow copies of wide parameters
    eager/      `uol.enabled`: the calls of an unmodified model, one by one
    graph/      `torch.compile(model, backend="uol")`: whole models, graph by graph
    layers/     puts operators into the layers of a module, or makes one for inference; `heap` gives back what that left free
    stubs       what a type checker sees: `ops/__init__.pyi`, from the texts

PyTorch is loaded with the files of this folder. Outside it, what needs it compares with it: `ops/references`, conformance.
"""
