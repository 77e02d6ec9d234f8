"""Configuration: YAML files checked against pydantic models, with every problem named by file, line and key.

`load` reads a whole configuration; `document` and `check` are its two halves, for other YAML files (rules).
Nothing is imported here: a command that needs no configuration does not pay for YAML and pydantic.
"""
