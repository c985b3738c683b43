"""Decisions about HeartModels: pure functions from what is observed to what is to be done."""
