"""One JSON-RPC connection to an OVSDB server (RFC 7047 section 4), and what came over it.

Nothing is interpreted here that a test may want to see: a message is kept as it came, and the end
of the connection is an event like any other.
"""

import codecs
import json
import time

DEADLINE = 60.0
CLOSED = "closed by the server"
SILENT = "no answer"


class Session:
    """Takes over a connected socket."""

    def __init__(self, connected):
        self._socket = connected
        self._text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._events = []
        self._answered = []
        self._syncs = 0
        self.open = True

    def close(self):
        self._socket.close()
        self.open = False

    def take(self):
        """What has come since the last call: messages, and CLOSED as the last one."""
        events, self._events = self._events, []
        return events

    def send(self, message):
        self.send_bytes(json.dumps(message).encode())

    def send_bytes(self, data):
        try:
            self._socket.settimeout(DEADLINE)
            self._socket.sendall(data)
        except OSError:
            pass  # The server has closed it meanwhile: reading tells.

    def receive_reply(self, identity, deadline=DEADLINE):
        """Reads until the reply with this id, or the end, has come; it may have come before."""
        if identity in self._answered:
            self._answered.remove(identity)
            return
        self._read(lambda m: "method" not in m and m.get("id") == identity, deadline)

    def sync(self):
        """Reads what the server has for this session by now: an echo goes round behind it."""
        if not self.open:
            return
        self._syncs += 1
        identity = f"sync {self._syncs}"
        self.send({"id": identity, "method": "echo", "params": []})
        self._read(lambda m: m.get("id") == identity and "method" not in m, DEADLINE, keep=False)

    def _read(self, wanted, deadline, keep=True):
        end = time.monotonic() + deadline
        while self.open:
            message = self._message(end)
            if message is None:
                return
            # The server's probe of a silent connection says nothing about a request.
            if isinstance(message, dict) and message.get("method") == "echo":
                self.send({"id": message["id"], "result": message["params"], "error": None})
                continue
            found = isinstance(message, dict) and wanted(message)
            if keep or not found:
                self._events.append(message)
            if found:
                return
            if isinstance(message, dict) and "method" not in message:
                self._answered.append(message.get("id"))

    def _message(self, end):
        first = True
        while True:
            text = self._buffer.lstrip()
            # A long message comes in many pieces: only its possible end is worth a try.
            if text and (first or text.rstrip().endswith("}")):
                try:
                    message, length = self._decoder.raw_decode(text)
                    self._buffer = text[length:]
                    return message
                except ValueError:
                    pass
            try:
                self._socket.settimeout(max(0.001, end - time.monotonic()))
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                self._events.append(SILENT)
                return None
            except OSError:
                data = b""
            if not data:
                self._events.append(CLOSED)
                self.close()
                return None
            first = False
            self._buffer = text + self._text.decode(data)
