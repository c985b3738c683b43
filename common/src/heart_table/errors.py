"""Why a file cannot be read as a table; each text says what was found and what to do, and holds no value of a row."""


class UnreadableFile(Exception):
    """`str(error)` is for a person."""
