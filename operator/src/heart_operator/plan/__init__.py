"""Decisions about HeartModels: pure functions from what is observed to what is to be done.

Begin with `model.decide`, which calls the rooms in their order; docs/architecture.md says which question each answers.
"""
