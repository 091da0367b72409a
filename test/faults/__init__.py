"""Faulty inputs of every kind, and what the scripts report about them."""

from test.faults.videos import FILES, write_corpus

__all__ = ["FILES", "write_corpus"]
