"""Captures: what crosses an interface while a `with` block runs."""

import secrets
import socket
import struct
import threading
import time

from . import netns, packet
from .shell import wait_until

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
# packet(7): the kernel takes the VLAN tag out of a frame and tells it beside it.
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("@IIIHHHH")  # struct tpacket_auxdata
_TP_STATUS_VLAN_VALID = 0x10
_MARKER_MAC = "02:00:00:00:00:fe"


def _kernel_time(extra):
    """When the kernel saw the frame, in seconds since 1970; the reader may have been late."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data[:_TIMESPEC.size])
            return seconds + nanoseconds * 1e-9
    return time.time()


def keep_tags(sock):
    """Makes `receive` know the VLAN tags of what comes in by a packet socket."""
    sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)


def receive(sock):
    """One frame as it was on the wire, with its tag: (octets, went out, ancillary data)."""
    raw, extra, _, address = sock.recvmsg(65536, 128)
    for level, kind, data in extra:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[:_AUXDATA.size])
            if status & _TP_STATUS_VLAN_VALID:
                raw = raw[:12] + struct.pack("!HH", tpid or packet.ETH_VLAN, tci) + raw[12:]
    return raw, address[2] == _PACKET_OUTGOING, extra


class Capture:
    """Records the frames of one interface, in both directions.

    A thread reads the socket; `frames` may be looked at at any time. Frames are complete only as
    far as the last `sync`, which every answer about what was *not* seen has to call first.
    """

    def __init__(self, namespace, interface):
        self._namespace = namespace
        self._interface = interface
        self._frames = []
        self._socket = self._open(_ETH_P_ALL)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        keep_tags(self._socket)
        self._socket.settimeout(0.2)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _open(self, protocol):
        sock = netns.open_socket(self._namespace, socket.AF_PACKET, socket.SOCK_RAW, 0)
        # Bound last: with a protocol from the start it would hear every interface until the bind.
        sock.bind((self._interface, protocol))
        return sock

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _read(self):
        while not self._stopping.is_set():
            try:
                raw, outgoing, extra = receive(self._socket)
            except socket.timeout:
                continue
            self._frames.append(packet.parse(raw, _kernel_time(extra), outgoing))

    @property
    def frames(self):
        """What was seen so far, without the capture's own markers."""
        return [f for f in list(self._frames) if f.ethertype != packet.ETH_EXPERIMENTAL]

    def select(self, predicate):
        return [frame for frame in self.frames if predicate(frame)]

    def wait_for(self, predicate, what, timeout=5.0, count=1):
        """The frames that fit, once there are `count` of them."""
        return wait_until(lambda: len(found := self.select(predicate)) >= count and found,
                          f"{what} seen on {self._interface}", timeout)

    def sync(self):
        """Returns when everything that has crossed the interface until now is in `frames`."""
        token = secrets.token_bytes(16)
        frame = packet.ethernet(_MARKER_MAC, _MARKER_MAC, packet.ETH_EXPERIMENTAL, token)
        with self._open(0) as sender:
            sender.send(frame)
        wait_until(lambda: any(token in f.raw for f in list(self._frames)),
                   f"the marker comes by on {self._interface}", 5.0, 0.002)
        return self

    def save(self, path, predicate=lambda frame: True):
        packet.write_pcap(path, self.select(predicate))


def send_frame(namespace, interface, raw):
    """Puts one frame on the wire as it is."""
    with netns.open_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((interface, 0))
        sender.send(raw)
