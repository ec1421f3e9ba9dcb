"""A network that fails when it is told to: TCP on loopback, between a browser and the server.

BadNetwork(port)      listens on a port of its own, ``address``, and passes on to ``port``
cut()                 every connection breaks at once
is_down               new connections are refused while it is set
crawling()            hardly anything gets through: what is done while a file comes has time
bytes_a_second        how fast it passes on what the browser sends
sent                  bytes that the browser has sent through it so far
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

_PIECE = 65536


class BadNetwork:
    def __init__(self, port: int, bytes_a_second: float = 50e6) -> None:
        self.port = port
        self.bytes_a_second = bytes_a_second
        self.is_down = False
        self.sent = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_down = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        with self._lock:
            broken, self._open = self._open, set()
        for connection in broken:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    @contextlib.contextmanager
    def crawling(self) -> Iterator[None]:
        usual, self.bytes_a_second = self.bytes_a_second, 50e3
        try:
            yield
        finally:
            self.bytes_a_second = usual

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.is_down:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                browser.close()
                continue
            with self._lock:
                self._open |= {browser, server}
            for source, sink, is_up in ((browser, server, True), (server, browser, False)):
                passing = (source, sink, is_up)
                threading.Thread(target=self._pass_on, args=passing, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        try:
            while piece := source.recv(_PIECE):
                sink.sendall(piece)
                if is_up:
                    self.sent += len(piece)
                    time.sleep(len(piece) / self.bytes_a_second)
        except OSError:
            pass
        with self._lock:
            self._open -= {source, sink}
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
