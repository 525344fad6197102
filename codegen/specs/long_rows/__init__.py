"""Few long rows as many short ones: passes as kernels of their own, and folds, scans and orders by parts of the rows; sums over
many rows along with these, by parts of them."""
