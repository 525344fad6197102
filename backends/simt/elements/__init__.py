"""Kernels whose threads have elements of their own: maps, copies, transposes, additions to places."""
