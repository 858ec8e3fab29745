"""The limits: a stock ovsdb-server that merely stores, and a switch fed by hand.

`Loader` speaks just as much OpenFlow 1.4 (ONF TS-012) as hand-made flows need. All messages are
made before the clock runs, so that what is measured is the switch.
"""

import os
import socket
import struct
import time

from hnvlab.rpc import Client
from hnvlab.shell import run, wait_until

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "schema")
BRIDGE = "br-limit"
VERSION = 5
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FLOW_MOD = 0, 1, 2, 3, 14
BARRIER_REQUEST, BARRIER_REPLY, BUNDLE_CONTROL, BUNDLE_ADD = 20, 21, 33, 34
OPEN, COMMIT = 0, 4
BUNDLE_FLAGS = 3  # Atomic and ordered.


class StockServer:
    """A stock ovsdb-server of a host, with ms_vtep and its row of Global."""

    def __init__(self, lab, host, name="stock"):
        base = os.path.join(host.directory, name)
        self.db, self.path, self.ctl = base + ".db", base + ".sock", base + ".ctl"
        run(["ovsdb-tool", "create", self.db, os.path.join(SCHEMAS, "ms_vtep.ovsschema")])
        self.process = lab.spawn(
            ["ovsdb-server", f"--remote=punix:{self.path}", f"--unixctl={self.ctl}", self.db],
            namespace=host.namespace, log=f"{name}.log")
        wait_until(lambda: os.path.exists(self.path), "the stock server listens", 10)
        self.client = Client(self.path)
        self.client.transact("ms_vtep", {"op": "insert", "table": "Global", "row": {}})

    def end(self):
        self.client.close()
        self.process.end()
        os.remove(self.db)


def message(kind, body, xid=0):
    return struct.pack("!BBHI", VERSION, kind, 8 + len(body), xid) + body


def _oxm(oxm_class, field, value):
    return struct.pack("!HBB", oxm_class, field << 1, len(value)) + value


def _padded(data):
    return data + bytes(-len(data) % 8)


def mapping_flow(number, xid=0):
    """What a CA-PA mapping is at the least: subnet and MAC → VNI, PA and the tunnel port."""
    mac = bytes([2, 0]) + struct.pack("!I", number)
    match = _oxm(1, 0, struct.pack("!I", 5001)) + _oxm(0x8000, 3, mac)  # reg0, eth_dst
    match = _padded(struct.pack("!HH", 1, 4 + len(match)) + match)

    def set_field(header):
        header = struct.pack("!HH", 25, len(_padded(bytes(4) + header))) + header
        return _padded(header)

    pa = struct.pack("!I", 0xC0A80200 + number // 100)
    actions = (set_field(_oxm(0x8000, 38, struct.pack("!Q", 5001))) +  # tunnel_id
               set_field(_oxm(1, 32, pa)) +                            # NXM_NX_TUN_IPV4_DST
               struct.pack("!HHIH6x", 0, 16, 100, 0))                  # output
    apply = struct.pack("!HH4x", 4, 8 + len(actions)) + actions
    fixed = struct.pack("!QQBBHHHIIIHH", number, 0, 20, 0, 0, 0, 100, 0xFFFFFFFF, 0xFFFFFFFF,
                        0xFFFFFFFF, 0, 0)
    return message(FLOW_MOD, fixed + match + apply, xid)


class Loader:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.buffer = b""
        self.socket.sendall(message(HELLO, b"", 1))
        self.await_reply(HELLO)

    def close(self):
        self.socket.close()

    def await_reply(self, kind):
        while True:
            while len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from(
                    "!H", self.buffer, 2)[0]:
                data = self.socket.recv(1 << 16)
                if not data:
                    raise ConnectionError("the switch closed the connection")
                self.buffer += data
            length = struct.unpack_from("!H", self.buffer, 2)[0]
            reply, self.buffer = self.buffer[:length], self.buffer[length:]
            if reply[1] == ERROR:
                raise RuntimeError(f"the switch refused: {reply.hex()}")
            if reply[1] == ECHO_REQUEST:
                self.socket.sendall(message(ECHO_REPLY, reply[8:]))
            if reply[1] == kind:
                return

    def control(self, what):
        self.socket.sendall(message(BUNDLE_CONTROL, struct.pack("!IHH", 1, what, BUNDLE_FLAGS)))
        self.await_reply(BUNDLE_CONTROL)

    def load(self, count):
        """Seconds of one bundle of as many flows."""
        wrap = struct.pack("!IHH", 1, 0, BUNDLE_FLAGS)
        data = b"".join(message(BUNDLE_ADD, wrap + mapping_flow(n, 7), 7) for n in range(count))
        begin = time.perf_counter()
        self.control(OPEN)
        self.socket.sendall(data)
        self.control(COMMIT)
        return time.perf_counter() - begin

    def one(self, number):
        """Seconds of one flow and its barrier."""
        data = mapping_flow(number, 7) + message(BARRIER_REQUEST, b"", 8)
        begin = time.perf_counter()
        self.socket.sendall(data)
        self.await_reply(BARRIER_REPLY)
        return time.perf_counter() - begin


def hand_made_flows(host, count, changes):
    """(seconds of a bundle of `count` flows, [seconds of each of `changes` single ones])."""
    host.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev",
               "fail_mode=secure")
    path = os.path.join(host.ovs_dir, f"{BRIDGE}.mgmt")
    wait_until(lambda: os.path.exists(path), "the bridge for the limit listens", 10)
    loader = Loader(path)
    seconds = loader.load(count)
    singles = [loader.one(count + number) for number in range(changes)]
    loader.close()
    host.vsctl("del-br", BRIDGE)
    return seconds, singles
