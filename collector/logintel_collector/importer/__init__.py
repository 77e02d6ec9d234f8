"""The import of a data directory of `logintel run` into the servers: what was kept in one process goes on in many."""
