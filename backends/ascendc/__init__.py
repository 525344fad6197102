"""Ascend C for Huawei's 910B (Atlas A2, dav-c220): vector kernels on AIV, matrix kernels on AIC. Terms: README.md."""
