"""The collector's fault bench: numbered events and poison, faults of all servers, and set comparison of what is stored."""
