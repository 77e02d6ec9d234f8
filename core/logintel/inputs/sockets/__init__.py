"""The socket input: syslog and other line protocols over TCP, TLS, UDP and Unix sockets."""

from logintel.inputs.sockets.address import Address, ListenAddress
from logintel.inputs.sockets.config import ListenConfig
from logintel.inputs.sockets.frames import MAX_RECORD, Frames
from logintel.inputs.sockets.input import SocketInput, openers

__all__ = ["MAX_RECORD", "Address", "Frames", "ListenAddress", "ListenConfig", "SocketInput", "openers"]
