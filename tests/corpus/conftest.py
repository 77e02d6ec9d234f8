"""The fixture of the system tests, for the corpus on real servers."""

from installation import new_installation

__all__ = ["new_installation"]
