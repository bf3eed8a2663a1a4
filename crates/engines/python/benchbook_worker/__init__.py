"""Other people's engines, measured by benchbook: a worker that speaks its wire, and calls around code of your own."""

from .own import Engine, compare, memory_of, time_of
from .rows import Device, Row, Setting, Unsupported, of_all

__all__ = ["Device", "Engine", "Row", "Setting", "Unsupported", "compare", "memory_of", "of_all", "time_of"]
