"""The agent: collects, keeps, forwards."""
