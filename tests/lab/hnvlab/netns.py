"""Network namespaces: making them, and opening sockets in them from this very process.

A socket belongs to the namespace in which it was opened for as long as it lives. So a test enters
a guest's namespace for the moment of opening one, and afterwards uses it like any other: no helper
process, no waiting for one to start.
"""

import contextlib
import ctypes
import os
import socket

from .shell import run

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _set_namespace(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


@contextlib.contextmanager
def entered(name):
    """The calling thread is in the namespace inside the `with` block, and only that thread."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        away = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _set_namespace(away)
        finally:
            os.close(away)
        try:
            yield
        finally:
            _set_namespace(home)
    finally:
        os.close(home)


def open_socket(name, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    """A socket that lives in namespace `name`."""
    with entered(name):
        return socket.socket(family, kind, protocol)


def write_sysctls(name, settings):
    """Sets e.g. {"net/ipv4/ip_forward": 1}; a key that the kernel lacks is skipped."""
    with entered(name):
        for key, value in settings.items():
            path = f"/proc/sys/{key}"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write(str(value))


def create(name, *, ipv6=False):
    """Makes a namespace with its loopback up; without IPv6 (no stray ND) unless asked."""
    run(["ip", "netns", "add", name])
    if not ipv6:
        write_sysctls(name, {"net/ipv6/conf/all/disable_ipv6": 1,
                             "net/ipv6/conf/default/disable_ipv6": 1})
    run(["ip", "-n", name, "link", "set", "lo", "up"])


def exists(name):
    return os.path.exists(f"/run/netns/{name}")


def delete(name):
    if exists(name):
        run(["ip", "netns", "delete", name], check=False)


def ip(name, *words):
    """`ip` in a namespace; a list of commands separated by newlines goes in by `ip_batch`."""
    return run(["ip", "-n", name, *words])


def ip_batch(name, commands):
    """Several `ip` commands in one process, stopping at the first that fails."""
    return run(["ip", "-n", name, "-batch", "-"], stdin="\n".join(commands) + "\n")


def no_offloads(name, interface):
    """Frames of a veth carry complete checksums and real sizes: a userspace switch needs both."""
    run(["ip", "netns", "exec", name, "ethtool", "-K", interface,
         "rx", "off", "tx", "off", "gso", "off", "tso", "off", "gro", "off"])
