"""A JSON-RPC peer (RFC 7047 section 4) on any socket, with nothing done for it behind its back.

Unlike `rpc.Client` it may stay silent, leave what is sent to it, and have several requests open.
"""

import json
import select
import socket
import time


class Closed(Exception):
    """The other side has ended the connection."""


class Peer:
    """One connection. Requests are numbered from 1; `echo` is answered while it reads."""

    def __init__(self, connected, timeout=20.0):
        self.socket = connected
        self.socket.setblocking(True)
        self.timeout = timeout
        self.updates = []  # notifications, as they came
        self._text = ""  # of messages that were not taken yet
        self._pieces = []  # what came after it
        self._decoder = json.JSONDecoder()
        self._answers = {}
        self._number = 0

    @classmethod
    def unix(cls, path, **options):
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(path)
        return cls(connected, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # --- sending -----------------------------------------------------------------------------

    def send_text(self, text):
        try:
            self.socket.sendall(text.encode())
        except (ConnectionError, OSError) as broken:
            raise Closed(str(broken)) from broken

    def send(self, method, params, number=None):
        """Sends a request without waiting; returns its number."""
        self._number += 1
        number = number or self._number
        self.send_text(json.dumps({"method": method, "params": params, "id": number}))
        return number

    def notify(self, method, params):
        self.send_text(json.dumps({"method": method, "params": params, "id": None}))

    # --- receiving ---------------------------------------------------------------------------

    def _receive(self, deadline):
        left = deadline - time.monotonic()
        pending = getattr(self.socket, "pending", None)  # A TLS socket may hold decrypted bytes.
        if left <= 0 or not (pending and pending()) and not select.select(
                [self.socket], [], [], max(left, 0))[0]:
            raise TimeoutError("no message in time")
        try:
            data = self.socket.recv(1 << 20)
        except (ConnectionError, OSError) as broken:
            raise Closed(str(broken)) from broken
        if not data:
            raise Closed("end of the connection")
        self._pieces.append(data)

    def _take(self):
        try:
            message, end = self._decoder.raw_decode(self._text)
        except ValueError:
            return None
        self._text = self._text[end:].lstrip()
        return message

    def _read(self, deadline):
        """Takes one message; answers are kept, notifications noted."""
        message = self._take()
        while message is None:
            self._receive(deadline)
            # A long message comes in many pieces: it is looked at when it may have an end.
            if self._pieces[-1].rstrip().endswith(b"}"):
                self._text += b"".join(self._pieces).decode()
                self._pieces = []
                message = self._take()
        if message.get("method") == "echo":
            self.send_text(json.dumps({"result": message["params"], "error": None,
                                       "id": message["id"]}))
        elif message.get("method"):
            self.updates.append(message)
        else:
            self._answers[message["id"]] = message

    def answer(self, number, timeout=None):
        """The answer to a request, as it came: `result` and `error`."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while number not in self._answers:
            self._read(deadline)
        return self._answers.pop(number)

    def ask(self, method, *params):
        return self.answer(self.send(method, list(params)))

    def result(self, method, *params):
        answer = self.ask(method, *params)
        if answer["error"]:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def next_update(self, timeout=None):
        deadline = time.monotonic() + (timeout or self.timeout)
        while not self.updates:
            self._read(deadline)
        return self.updates.pop(0)

    def wait_closed(self, timeout=20.0):
        """Returns when the other side has ended the connection; TimeoutError if it doesn't."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self._receive(deadline)
                self._pieces = []
        except Closed:
            return
