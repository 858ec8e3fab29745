#!/usr/bin/python3
"""A TCP server that tells every caller who it is: identity_server.py LISTENING-FD NAME."""

import socket
import sys


def main():
    listener = socket.socket(fileno=int(sys.argv[1]))
    while True:
        connection, caller = listener.accept()
        with connection:
            try:
                connection.sendall(f"I am {sys.argv[2]}, you are {caller[0]}\n".encode())
            except OSError:
                pass


if __name__ == "__main__":
    main()
