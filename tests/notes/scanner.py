"""A scanner on localhost that speaks clamd's INSTREAM: it knows one virus, and takes so many bytes."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Any

# The file that every scanner takes for a virus (EICAR, 2003), in two parts so that none takes this one for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MOST = 1024**2


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.server.asked += 1
        if self.server.silent.is_set():
            self.server.ending.wait()
            return
        if self._read(len(b"zINSTREAM\0")) != b"zINSTREAM\0":
            self.wfile.write(b"UNKNOWN COMMAND\0")
            return
        seen = b""
        while length := struct.unpack("!L", self._read(4))[0]:
            seen += self._read(length)
            if len(seen) > MOST:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.wfile.write(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in seen else b"stream: OK\0")

    def _read(self, length: int) -> bytes:
        part = self.rfile.read(length)
        if len(part) < length:
            raise ConnectionError
        return part


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Session)
        self.asked, self.silent, self.ending = 0, threading.Event(), threading.Event()
        self.port: int = self.server_address[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A session that breaks off is the other side's business."""

    def stop(self) -> None:
        self.ending.set()
        self.shutdown()
        self.server_close()
