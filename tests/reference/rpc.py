"""JSON-RPC 1.0 over a Unix socket, as OVSDB servers and `ovs-appctl` speak it."""

import collections
import json
import socket


class RpcError(RuntimeError):
    """The server refused; the message is what it said."""


class JsonRpc:
    """One connection. Requests may be sent ahead of their answers; answers come in order."""

    def __init__(self, path, timeout=60.0):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._next_id = 0

    def close(self):
        self._socket.close()

    def send(self, method, params):
        """Sends a request and returns its id."""
        self._next_id += 1
        request = {"id": self._next_id, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode())
        return self._next_id

    def receive(self, identity):
        """The result of the request with this id, which is the oldest one without an answer."""
        while True:
            message = self._message()
            if message.get("method") == "echo":
                reply = {"id": message["id"], "result": message["params"], "error": None}
                self._socket.sendall(json.dumps(reply).encode())
            elif message.get("id") == identity:
                if message.get("error") is not None:
                    raise RpcError(str(message["error"]))
                return message["result"]

    def call(self, method, params):
        return self.receive(self.send(method, params))

    def call_all(self, method, params_list, window=32):
        """Many requests; a refused one gives its RpcError in place of a result.

        No more than `window` requests are unanswered at a time: a server that can't get rid of its
        answers takes no further requests, and both sides would wait for each other.
        """
        answers, pending = [], collections.deque()
        for params in params_list:
            if len(pending) == window:
                answers.append(self._receive_or_error(pending.popleft()))
            pending.append(self.send(method, params))
        answers.extend(self._receive_or_error(identity) for identity in pending)
        return answers

    def _receive_or_error(self, identity):
        try:
            return self.receive(identity)
        except RpcError as error:
            return error

    def _message(self):
        while True:
            text = self._buffer.lstrip()
            if text:
                try:
                    message, end = self._decoder.raw_decode(text)
                    self._buffer = text[end:]
                    return message
                except ValueError:
                    self._buffer = text
            self._fill()

    def _fill(self):
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        # What the servers send is ASCII: they escape the rest.
        self._buffer += data.decode("utf-8", errors="replace")


def transact(rpc, database, operations):
    """An OVSDB transaction; its results, or RpcError if any operation was refused."""
    results = rpc.call("transact", [database, *operations])
    for result in results:
        if isinstance(result, dict) and result.get("error"):
            raise RpcError(json.dumps(result))
    return results
