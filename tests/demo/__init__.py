"""`make demo`: the heart-disease example from nothing to predictions, on a real cluster.

Standard library only, so that it runs before any virtual environment exists.
"""
