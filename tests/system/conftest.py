"""The fixture of an installation on real servers, where the tests here find it."""

from installation import new_installation

__all__ = ["new_installation"]
