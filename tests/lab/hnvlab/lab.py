"""A lab: its router, its hosts, and the record by which all of it can be taken down again."""

import atexit
import glob
import ipaddress
import json
import os
import secrets
import shutil
import sys
import tempfile

from . import netns
from .capture import Capture
from .host import Host
from .process import Daemon, RunningProcess, start_time
from .shell import run

UNDERLAY_MTU = 1600  # a guest's 1500 and the encapsulation
RECORD = "lab.json"


class Lab:
    """Use as a context manager: it takes down what it raised, also when a test fails.

    `outlive=True` (the quick start) makes a lab that stays when this process ends; it is taken
    down by `take_down(state_dir)` from any process.
    """

    def __init__(self, prefix=None, state_dir=None, *, outlive=False):
        self.prefix = prefix or f"hnv-{secrets.token_hex(2)}-"
        self.outlive = outlive
        self.state_dir = state_dir or tempfile.mkdtemp(prefix=self.prefix)
        os.makedirs(self.state_dir, mode=0o755, exist_ok=True)
        self.log_dir = os.path.join(self.state_dir, "log")
        os.makedirs(self.log_dir, exist_ok=True)
        self.hosts = {}
        self.guests = {}
        self._namespaces = []
        self._processes = []
        self._segments = set()
        self._owner = None if outlive else {"pid": os.getpid(), "started": start_time(os.getpid())}
        self._write_record()
        if not outlive:
            atexit.register(self.close, keep_logs=True)
        self.router = self.add_namespace("router")
        netns.write_sysctls(self.router, {"net/ipv4/ip_forward": 1})

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(keep_logs=kind is not None)

    def close(self, *, keep_logs=False):
        """Takes the lab down; with `keep_logs` its state directory stays and is named."""
        atexit.unregister(self.close)
        for process in reversed(self._processes):
            process.end()
        take_down(self.state_dir, keep_logs=keep_logs)

    # --- what there is, and the record of it -------------------------------------------------

    def _write_record(self):
        record = {"prefix": self.prefix, "owner": self._owner, "namespaces": self._namespaces,
                  "processes": [{"pid": p.pid, "started": p.started} for p in self._processes]}
        path = os.path.join(self.state_dir, RECORD)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.replace(path + ".new", path)

    def add_namespace(self, name, *, ipv6=False):
        """A namespace of this lab; returns its full name."""
        full = self.prefix + name
        self._namespaces.append(full)
        self._write_record()
        netns.create(full, ipv6=ipv6)
        return full

    def spawn(self, argv, *, namespace, log, env=None, pass_fds=()):
        """Starts a process of this lab in one of its namespaces."""
        daemon = Daemon(argv, netns=namespace, log=os.path.join(self.log_dir, log), env=env,
                        outlive=self.outlive, pass_fds=pass_fds)
        self._processes = [p for p in self._processes if p.alive] + [daemon]
        self._write_record()
        return daemon

    def run_in(self, namespace, argv, **options):
        """Runs a command in a namespace to its end; options as in `shell.run`."""
        return run(["ip", "netns", "exec", namespace, *argv], **options)

    # --- building ----------------------------------------------------------------------------

    def add_host(self, name, address, **options):
        """A host with provider address `address` (CIDR) behind the router; its switch runs.

        The router is the lowest address of the provider subnet.
        """
        interface = ipaddress.IPv4Interface(address)
        host = Host(self, name, interface, gateway=str(interface.network[1]), **options)
        self.hosts[name] = host
        host.raise_()
        return host

    def _add_segment(self, network):
        """The router's bridge for a provider subnet: hosts of one subnet share it."""
        name = f"net{int(network.network_address) >> 8 & 0xFFFF:x}"
        if name not in self._segments:
            netns.ip_batch(self.router, [
                f"link add {name} type bridge",
                f"link set {name} mtu {UNDERLAY_MTU} up",
                f"addr add {network[1]}/{network.prefixlen} dev {name}"])
            self._segments.add(name)
        return name

    def add_ipv6_segment(self, network, network6):
        """Gives the router's bridge for a provider subnet an IPv6 subnet besides."""
        name = self._add_segment(network)
        netns.write_sysctls(self.router, {
            "net/ipv6/conf/lo/disable_ipv6": 0, "net/ipv6/conf/all/forwarding": 1,
            f"net/ipv6/conf/{name}/accept_dad": 0, f"net/ipv6/conf/{name}/disable_ipv6": 0})
        netns.ip_batch(self.router, [
            f"addr replace {network6[1]}/{network6.prefixlen} dev {name} nodad"])

    def attach(self, namespace, interface, wire, network):
        """Gives a namespace an interface in a provider subnet; `wire` is the router's end.

        Returns the router's bridge for the subnet.
        """
        segment = self._add_segment(network)
        netns.ip_batch(namespace, [
            f"link add {interface} mtu {UNDERLAY_MTU} type veth peer name {wire} "
            f"netns {self.router}",
            f"link set {interface} up"])
        netns.ip_batch(self.router, [
            f"link set {wire} mtu {UNDERLAY_MTU} master {segment} up"])
        netns.no_offloads(namespace, interface)
        netns.no_offloads(self.router, wire)
        return segment

    def capture_underlay(self, host):
        """A capture on the wire between the router and a host."""
        return Capture(self.router, host.wire)


def take_down(state_dir, *, keep_logs=False):
    """Ends the processes and removes the namespaces that the record names, and the directory.

    Returns the record (see `leftovers`), or None if there is no such lab.
    """
    try:
        with open(os.path.join(state_dir, RECORD), encoding="utf-8") as file:
            record = json.load(file)
    except OSError:
        return None
    for entry in reversed(record["processes"]):
        RunningProcess(entry["pid"], entry["started"]).end()
    for name in record["namespaces"]:
        netns.delete(name)
    if keep_logs:
        os.remove(os.path.join(state_dir, RECORD))
        print(f"logs of the lab are kept in {state_dir}", file=sys.stderr)
    else:
        shutil.rmtree(state_dir, ignore_errors=True)
    return record


def take_down_orphans():
    """Takes down labs whose process was killed before it could do so itself."""
    pattern = os.path.join(tempfile.gettempdir(), "hnv-*-*", RECORD)
    for path in glob.glob(pattern):
        try:
            with open(path, encoding="utf-8") as file:
                owner = json.load(file)["owner"]
        except (OSError, ValueError, LookupError):
            continue
        if owner and not RunningProcess(owner["pid"], owner["started"]).alive:
            take_down(os.path.dirname(path))


def leftovers(record):
    """What of a lab that was taken down is still there: namespaces and processes, as text."""
    spaces = [name for name in record["namespaces"] if netns.exists(name)]
    processes = [f"process {entry['pid']}" for entry in record["processes"]
                 if RunningProcess(entry["pid"], entry["started"]).alive]
    return spaces + processes
