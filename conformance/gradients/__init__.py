"""Derived gradients against PyTorch.

trial.py, shrinking.py    one random text, and the smallest that fails
derived.py, on_kernels.py    gradients by the derived texts, and as PyTorch runs them
cases.py             the gradient of an operator as a case
"""
