"""The CPU: kernels through TVM's TensorIR and LLVM, and the oracle with which every other target is compared.

`backend` is the target (it imports TVM only when it compiles), `oracle` runs the specs of an operator unscheduled.
"""
