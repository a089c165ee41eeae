"""A block server that an emulated board keeps its data on, by the protocol of network block devices
(https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), as far as QEMU speaks it.

Killing an emulator keeps every write that it was handed; a power cut does not. This server has the power cut
in it: what becomes of each write is the business of a `Medium`.
"""

import select
import socket
import struct
import threading
import time
from pathlib import Path

from medium import Medium, PowerLost
from world import Trouble

SETTLE_S_MAX = 60
OPTION_MAGIC, REPLY_MAGIC = b"IHAVEOPT", 0x3E889045565A9
REQUEST_MAGIC, SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
OPT_ABORT, OPT_INFO, OPT_GO = 2, 6, 7
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 2**31 + 1
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3
READ, WRITE, DISCONNECT, FLUSH = range(4)
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
FUA = 1
INVALID = 22
REQUEST_BYTES_MAX = 32 * 2**20


class BlockServer:
    """Serves one medium at a Unix socket, to one emulator after the other."""

    def __init__(self, path: Path, medium: Medium):
        self.path, self.medium = path, medium
        self.turn = threading.Lock()
        self.connection: socket.socket | None = None
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self) -> str:
        """For QEMU's `file=`."""
        return f"nbd+unix:///?socket={self.path}"

    def accept(self):
        """One connection after the other, until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.agree(connection)
                    self.connection = connection
                    self.serve(connection)
                except (EOFError, ConnectionError):
                    pass  # the emulator was killed, which is what we are for
                finally:
                    self.connection = None

    def agree(self, connection: socket.socket):
        """The handshake: one export, whatever its name."""
        connection.sendall(b"NBDMAGIC" + OPTION_MAGIC + struct.pack(">H", FIXED_NEWSTYLE | NO_ZEROES))
        receive(connection, 4)
        while True:
            magic, option, length = struct.unpack(">8sII", receive(connection, 16))
            if magic != OPTION_MAGIC or length > 65536:
                raise EOFError
            receive(connection, length)

            def reply(kind: int, content: bytes = b"", option: int = option):
                connection.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(content)) + content)

            if option == OPT_ABORT:
                reply(REP_ACK)
                raise EOFError
            if option not in (OPT_INFO, OPT_GO):
                reply(REP_UNSUPPORTED)
                continue
            flags = HAS_FLAGS | (SEND_FLUSH | SEND_FUA if self.medium.has_cache else 0)
            reply(REP_INFO, struct.pack(">HQH", INFO_EXPORT, self.medium.size, flags))
            reply(REP_INFO, struct.pack(">HIII", INFO_BLOCK_SIZE, 1, 4096, REQUEST_BYTES_MAX))
            reply(REP_ACK)
            if option == OPT_GO:
                return

    def serve(self, connection: socket.socket):
        """Requests, in the order in which they come. After the power cut nothing is answered any more, and nothing is
        carried out that the emulator has sent, however late it is read: the power may be back by then."""
        try:
            while True:
                select.select([connection], [], [])
                with self.turn:
                    self.serve_one(connection)
        except PowerLost:
            while connection.recv(65536):
                pass

    def serve_one(self, connection: socket.socket):
        """The next request."""
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", receive(connection, 28))
        if magic != REQUEST_MAGIC or length > REQUEST_BYTES_MAX or kind == DISCONNECT:
            raise EOFError
        content = receive(connection, length) if kind == WRITE else b""
        error, answer = self.carry_out(kind, flags, offset, length, content)
        connection.sendall(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, error, handle) + answer)

    def carry_out(self, kind: int, flags: int, offset: int, length: int, content: bytes) -> tuple[int, bytes]:
        """One request: an error number, and what was read."""
        if kind in (READ, WRITE) and offset + length > self.medium.size:
            return INVALID, b""
        match kind:
            case 0:
                return 0, self.medium.read(offset, length)
            case 1:
                self.medium.write(offset, content)
                if flags & FUA:
                    self.medium.flush()
            case 3:
                self.medium.flush()
            case _:
                return INVALID, b""
        return 0, b""

    def settle(self):
        """Waits until everything that the emulator has asked for so far was carried out."""
        until = time.monotonic() + SETTLE_S_MAX
        while time.monotonic() < until:
            with self.turn:
                connection = self.connection
                if connection is None or not select.select([connection], [], [], 0)[0]:
                    return
            time.sleep(0.001)
        raise Trouble("the block server has more to do than it can")

    def close(self):
        """Ends it."""
        self.listener.close()


def receive(connection: socket.socket, length: int) -> bytes:
    """So many bytes, or the end."""
    parts = []
    while length:
        part = connection.recv(length)
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
