"""The prediction log: its tables, and every statement that touches them.

Serving writes it, trainer and drift check read it, `python -m heart_log` makes and migrates it. One code path
for PostgreSQL (a schema and a role for each namespace) and SQLite (a file, on a laptop).
"""
