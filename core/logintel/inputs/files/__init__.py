"""Reading log files: found by content, followed through rotation, resumed where they were left.

discovery    which files there are
fingerprint  which file is which, whatever it is called now
text         bytes to lines, in any encoding
records      lines to records, with their place in the file
stream       one incarnation of a file, read in order
input        all of them together: the async generator of batches
"""

from logintel.inputs.files.config import FileInputConfig, TextFilesConfig
from logintel.inputs.files.input import FileInput

__all__ = ["FileInput", "FileInputConfig", "TextFilesConfig"]
