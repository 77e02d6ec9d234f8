"""The custom source: log files and lines of any kind, described in configuration alone."""
