"""Decisions told to others: CloudEvents and OpenLineage to the configured sinks, and the history in the registry.

status.outbox ──► Deliverer ──► sinks (HTTP), history (MLflow) ──acknowledged──► the next reconcile removes the entries
"""
