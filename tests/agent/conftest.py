"""The fixture of an agent process, where the tests here find it."""

from agent_process import new_agent

__all__ = ["new_agent"]
