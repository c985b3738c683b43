"""Models, evaluations and profiles computed from additive statistics instead of rows.

Whoever holds rows (a site, a chunk of a file, a worker) answers a request with a `Sums` whose size does not depend on
the number of rows; the answers are added, and everything else is computed from the total. `driver` says which request
comes next. docs/large-data.md states how far the figures are from those computed row by row.
"""
