"""The application source: log files of applications."""
