"""TCP connections that last: servers that say who they are as often as they are asked."""

import selectors
import socket
import threading

from .shell import wait_until


class TalkingServer:
    """Says `name` for each byte that it gets, to all who are connected. Closed by `close`."""

    def __init__(self, guest, name, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = guest.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(256)
        self._said = f"{name}\n".encode()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self):
        self._stopping.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _work(self):
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.2):
                if key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)
                else:
                    self._answer(key.fileobj)

    def _answer(self, connection):
        try:
            asked = connection.recv(4096)
            if asked:
                connection.sendall(self._said * len(asked))
                return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()


class Conversation:
    """One connection of a guest's to a TalkingServer."""

    def __init__(self, guest, address, port, *, own_port=0, timeout=3.0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = guest.socket(family)
        self._socket.settimeout(timeout)
        self._socket.bind(("", own_port))
        self._socket.connect((address, port))
        self.first = self.ask()

    def ask(self):
        """Who is at the other end; None when the connection is broken."""
        try:
            self._socket.sendall(b"?")
            said = b""
            while not said.endswith(b"\n"):
                chunk = self._socket.recv(256)
                if not chunk:
                    return None
                said += chunk
            return said.decode().strip()
        except OSError:
            return None

    def close(self):
        self._socket.close()


class Chatter:
    """Asks over all of `conversations` again and again while the `with` block runs.

    `changed` has those that someone else answered than at first, or nobody: they are not asked
    again.
    """

    def __init__(self, conversations):
        self._conversations = list(conversations)
        self.changed = {}  # conversation: who answers now, or None
        self.rounds = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def a_round_more(self):
        """Returns when all have been asked once more since now."""
        wanted = self.rounds + 2
        wait_until(lambda: self.rounds >= wanted, "all have been asked again", 20)

    def _work(self):
        while not self._stopping.is_set():
            for conversation in self._conversations:
                if conversation not in self.changed:
                    who = conversation.ask()
                    if who != conversation.first:
                        self.changed[conversation] = who
            self.rounds += 1
            self._stopping.wait(0.01)
