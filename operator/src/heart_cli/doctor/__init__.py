"""`kubectl heart doctor`: what an installation or a namespace is missing, and how to correct it."""
