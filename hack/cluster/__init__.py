"""A real one-node Kubernetes cluster of local processes: `python3 -m hack.cluster`.

Standard library only, so that it runs before any virtual environment exists.
"""
