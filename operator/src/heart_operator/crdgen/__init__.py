"""Generates the CRDs and their pages from the types of `heart_api`."""
