"""Inputs: files, sockets and other ways in, for sources to build on."""
