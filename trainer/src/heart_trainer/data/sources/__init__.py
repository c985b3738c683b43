"""Where data comes from: one room for each kind of address, all of them bytes in the end."""

from heart_trainer.data.sources.fetch import fetch

__all__ = ["fetch"]
