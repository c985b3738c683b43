"""The form in which a reason is explained: on the API pages and by `kubectl heart explain`."""

from typing import NamedTuple


class Explained(NamedTuple):
    """`advice` says what to do; it is empty where nothing has to be done."""

    meaning: str
    advice: str = ""
