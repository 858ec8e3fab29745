"""Rates between two guests, and what ovs-vswitchd spends on them."""

import glob
import json
import multiprocessing
import socket
import struct
import time

from datapath_beds import GUESTS

TCP, UDP, CONNECT, ECHO = 5000, 5001, 5002, 5003
LINGER = struct.pack("ii", 1, 0)  # Closed by a reset: no port is left waiting.
OFFERED_PPS = 40_000  # Below what the box carries, where CPU is counted.


def cpu_of(pid):
    """Seconds that all threads of a process have run."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Spent:
    """CPU of the switches of a bed since it was made."""

    def __init__(self, bed):
        self.pids = [host.vswitchd.pid for host in bed.hosts]
        self.before = self._now()

    def _now(self):
        return sum(cpu_of(pid) for pid in self.pids)

    def seconds(self):
        return self._now() - self.before


def accept_all(listener):
    while True:
        connection, _ = listener.accept()
        try:
            connection.sendall(b"x")
            connection.recv(1)
        except OSError:
            pass
        connection.close()


def echo_all(server):
    while True:
        data, who = server.recvfrom(2048)
        server.sendto(data, who)


class Servers:
    """What listens on the far guest of a bed."""

    def __init__(self, bed):
        far = bed["far"]
        self.address = GUESTS["far"][2]
        listener = far.socket()
        listener.bind((self.address, CONNECT))
        listener.listen(1024)
        echo = far.socket(kind=socket.SOCK_DGRAM)
        echo.bind((self.address, ECHO))
        for task, handle in ((accept_all, listener), (echo_all, echo)):
            multiprocessing.Process(target=task, args=[handle], daemon=True).start()
        for port in (TCP, UDP):
            bed.lab.spawn(["iperf3", "-s", "-B", self.address, "-p", port],
                          namespace=far.namespace, log=f"iperf3-{port}.out")
        self.bed = bed


def iperf(servers, port, *words, seconds):
    near = servers.bed["near"]
    done = near.run("iperf3", "-c", servers.address, "-p", port, "-t", seconds, "-J", *words,
                    check=False, timeout=seconds + 20)
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["end"]


def tcp(servers, seconds):
    spent = Spent(servers.bed)
    end = iperf(servers, TCP, seconds=seconds)["sum_received"]
    return {"tcp Mbit/s": end["bits_per_second"] / 1e6,
            "tcp cpu us/MB": spent.seconds() * 1e12 / end["bytes"]}


def udp(servers, seconds):
    """64 bytes of Ethernet without its checksum and preamble: 22 of payload."""
    def run(pps):
        spent = Spent(servers.bed)
        end = iperf(servers, UDP, "-u", "-l", "22", "-b", str(pps * 22 * 8), seconds=seconds)["sum"]
        got = end["packets"] - end["lost_packets"]
        return got / seconds, spent.seconds() * 1e6 / max(got, 1), end["lost_percent"]
    _, cpu, lost = run(OFFERED_PPS)
    most, _, _ = run(1_000_000)
    return {"udp cpu us/packet": cpu, "udp lost %": lost, "udp packets/s": most}


def connections(servers, seconds):
    near, count, spent = servers.bed["near"], 0, Spent(servers.bed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with near.socket() as caller:
            caller.settimeout(5)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            caller.connect((servers.address, CONNECT))
            caller.recv(1)
        count += 1
    return {"connections/s": count / seconds, "connection cpu us": spent.seconds() * 1e6 / count}


def round_trips(servers, count=3000):
    times = []
    with servers.bed["near"].socket(kind=socket.SOCK_DGRAM) as caller:
        caller.settimeout(5)
        caller.connect((servers.address, ECHO))
        for number in range(count):
            begin = time.perf_counter()
            caller.send(b"x" * 22)
            caller.recv(64)
            if number >= 100:
                times.append((time.perf_counter() - begin) * 1e6)
    times.sort()
    return {"rtt p50 us": times[len(times) // 2], "rtt p99 us": times[int(len(times) * 0.99)]}


def measure(servers, seconds):
    """All of one round."""
    return {**tcp(servers, seconds), **udp(servers, seconds), **connections(servers, seconds),
            **round_trips(servers)}
