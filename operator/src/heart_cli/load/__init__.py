"""`kubectl heart load`: bounded load on a model's Service, and what came of it version by version."""
