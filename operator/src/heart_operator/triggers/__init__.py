"""The endpoint for triggers: CI and MLflow's webhooks ask for a training, a drift check or a look at the registry.

Off by default. A request is written into the status of the HeartModel, with its resourceVersion as precondition, and
answered; the reconcile that follows does the rest. So any replica can take it, and asking twice is asking once.
"""
