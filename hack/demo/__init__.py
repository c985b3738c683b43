"""`make demo`: the heart-disease example from nothing to predictions, on a real cluster.

Standard library only; what `kubectl heart` can do, it is asked to do.
"""
