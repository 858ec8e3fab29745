"""OVSDB (RFC 7047) without a process for each transaction."""

import json
import socket


class Client:
    """OVSDB over a Unix socket, one request outstanding."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._decoder = json.JSONDecoder()
        self._text = ""

    def close(self):
        self._socket.close()

    def transact(self, database, *operations):
        message = {"method": "transact", "params": [database, *operations], "id": 1}
        self._socket.sendall(json.dumps(message).encode())
        while True:
            self._text = self._text.lstrip()
            try:
                answer, end = self._decoder.raw_decode(self._text)
            except ValueError:
                self._text += self._socket.recv(1 << 20).decode()
                continue
            self._text = self._text[end:]
            if answer.get("method") == "echo":
                self._socket.sendall(json.dumps({"result": [], "error": None,
                                                 "id": answer["id"]}).encode())
                continue
            for result in answer["result"]:
                if result and "error" in result:
                    raise RuntimeError(result)
            return answer["result"]
