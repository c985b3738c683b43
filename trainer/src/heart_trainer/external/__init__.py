"""Training on data that do not fit into memory: rows are prepared on scratch space, models fitted from sums."""
