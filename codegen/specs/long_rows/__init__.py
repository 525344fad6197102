"""Few long rows as many short ones: passes as kernels of their own, and folds, scans and orders by parts of the rows, a mean
and the squares about it from one reading; sums over many rows along with these, by parts of them."""
