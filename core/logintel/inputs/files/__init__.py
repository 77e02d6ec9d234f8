"""Reading log files: found by content, followed through rotation, resumed where they were left.

discovery, siblings, watching   which files there are, and which changed
fingerprint, cursor, parked     which file is which, whatever it is called now
registry, copies, packed        which stream a file goes on with
content, gzipped                the bytes of a file
text, records, decoding         bytes to lines, lines to records and events
stream, turns                   one incarnation of a file, read in order, a block at a time
pace, telling                   how often to look; what a person must know
input                           all of them together: the async generator of batches
"""

from logintel.inputs.files.config import FileInputConfig, TextFilesConfig
from logintel.inputs.files.input import FileInput

__all__ = ["FileInput", "FileInputConfig", "TextFilesConfig"]
