"""The application source: follows the log files of applications, in any of the known formats."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from logintel.batch import Batch, Cursor
from logintel.inputs.files import FileInput, FileInputConfig
from logintel.source import Source


class ApplicationSource(Source):
    """Log files of applications: globs of paths, followed through rotation."""

    type = "application"
    Config = FileInputConfig

    def batches(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Batch, None]:
        """The files' records, from where each was left."""
        return FileInput(self.config, self.context).batches(cursors)
