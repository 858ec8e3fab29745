"""Steady traffic between guests while something happens: what arrived, in which order, and when.

Messages are numbered from 0. Each stream has its own threads in this process, with sockets that
live in the guests.
"""

import socket
import struct
import threading
import time

INTERVAL = 0.002
_NUMBER = struct.Struct("!Q")


class _Stream:
    """Use as a context manager; `numbers` and `times` may be looked at while it runs."""

    def __init__(self):
        self.sent = 0
        self.numbers = []  # as they arrived
        self.times = []    # when, by time.monotonic()
        self.error = None
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, args=[work], daemon=True)
                         for work in (self._send_all, self._receive_all)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stops sending, and then receiving."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)
        self._close()

    def _guarded(self, work):
        try:
            work()
        except OSError as error:
            self.error = error

    def _send_all(self):
        while not self._stopping.wait(INTERVAL):
            self._send(_NUMBER.pack(self.sent))
            self.sent += 1

    def _arrived(self, message):
        self.numbers.append(_NUMBER.unpack(message)[0])
        self.times.append(time.monotonic())

    @property
    def longest_gap(self):
        times = list(self.times)
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


class UdpStream(_Stream):
    def __init__(self, sender, receiver, port):
        super().__init__()
        self._target = (receiver.ip, port)
        self._out = sender.socket(kind=socket.SOCK_DGRAM)
        self._in = receiver.socket(kind=socket.SOCK_DGRAM)
        self._in.bind(("0.0.0.0", port))
        self._in.settimeout(0.2)

    def _send(self, message):
        try:
            self._out.sendto(message, self._target)
        except OSError:
            pass  # No carrier, no neighbour: lost, as on the way.

    def _receive_all(self):
        while not self._stopping.is_set():
            try:
                self._arrived(self._in.recv(64))
            except socket.timeout:
                pass

    def _close(self):
        self._out.close()
        self._in.close()


class TcpStream(_Stream):
    """One connection, from `sender` to `receiver`."""

    def __init__(self, sender, receiver, port):
        super().__init__()
        with receiver.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("0.0.0.0", port))
            listener.listen(1)
            listener.settimeout(5)
            self._out = sender.socket()
            self._out.settimeout(5)
            self._out.connect((receiver.ip, port))
            self._in, _ = listener.accept()
        self._out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in.settimeout(0.2)
        self._out.settimeout(8)

    def _send(self, message):
        self._out.sendall(message)

    def _receive_all(self):
        buffered = b""
        while True:
            try:
                chunk = self._in.recv(65536)
            except socket.timeout:
                if self._stopping.is_set():
                    return
                continue
            if not chunk:
                return
            buffered += chunk
            while len(buffered) >= _NUMBER.size:
                self._arrived(buffered[:_NUMBER.size])
                buffered = buffered[_NUMBER.size:]

    def _close(self):
        self._out.close()
        self._in.close()
