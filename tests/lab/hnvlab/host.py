"""A host: its uplink, its Open vSwitch, its provider address."""

import ipaddress
import os
import re
from dataclasses import dataclass

from . import netns
from .agent import AgentControl
from .capture import Capture
from .guest import Guest
from .shell import CommandError, run, wait_until

VSWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
UNDERLAY_BRIDGE = "br-pa"
INTEGRATION_BRIDGE = "br-hnv"
UPLINK = "nic0"
OPENFLOW = "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15"  # whichever the bridge speaks


@dataclass(frozen=True)
class Flow:
    """One installed flow as the switch reports it."""
    cookie: int
    table: int
    priority: int
    match: str
    actions: str
    duration: float  # seconds since it was added
    packets: int

    @property
    def key(self):
        return (self.table, self.priority, self.match)


class Host:
    """Made by `Lab.add_host`. All its files are below the lab's state directory."""

    def __init__(self, lab, name, interface, *, gateway):
        self.lab = lab
        self.name = name
        self.interface = interface  # the provider address with its prefix length
        self.pa = str(interface.ip)
        self.gateway = gateway
        self.interface6 = self.pa6 = self.gateway6 = None  # see add_ipv6
        self.wire = f"to-{name}"[:15]  # the router's end of the uplink
        self.directory = os.path.join(lab.state_dir, name)
        self.ovs_dir = os.path.join(self.directory, "ovs")
        self.ovs_db = f"unix:{self.ovs_dir}/db.sock"
        self.env = {**os.environ, "OVS_RUNDIR": self.ovs_dir, "OVS_DBDIR": self.ovs_dir,
                    "OVS_LOGDIR": lab.log_dir}
        self.namespace = None
        self.ovsdb = None
        self.vswitchd = None
        self.agent = AgentControl(self)

    # --- raising -----------------------------------------------------------------------------

    def raise_(self):
        os.makedirs(self.ovs_dir)
        self.namespace = self.lab.add_namespace(self.name)
        self._add_uplink()
        self.start_ovsdb()
        self.start_vswitchd()
        self._add_underlay_bridge()

    def _add_uplink(self):
        self.lab.attach(self.namespace, UPLINK, self.wire, self.interface.network)
        # The kernel hears the NIC besides the bridge that has it as a port. Unless told to keep
        # quiet it answers ARP for the provider address with the NIC's MAC, and then refuses the
        # tunnel packets that come for it.
        netns.write_sysctls(self.namespace, {f"net/ipv4/conf/{UPLINK}/arp_ignore": 8})

    def _add_underlay_bridge(self):
        octets = self.interface.ip.packed
        hwaddr = "02:0a:" + ":".join(f"{octet:02x}" for octet in octets)
        self.vsctl("add-br", UNDERLAY_BRIDGE, "--", "set", "bridge", UNDERLAY_BRIDGE,
                   "datapath_type=netdev", f'other_config:hwaddr="{hwaddr}"', "--",
                   "add-port", UNDERLAY_BRIDGE, UPLINK)
        netns.ip_batch(self.namespace, [
            f"link set {UNDERLAY_BRIDGE} mtu 1600 up",
            f"addr add {self.interface} dev {UNDERLAY_BRIDGE}",
            f"route add default via {self.gateway}"])
        wait_until(lambda: self.pa in self.appctl("ovs/route/show"), "the switch knows its route")

    def add_ipv6(self, address):
        """A provider address of IPv6 (CIDR) besides; the router is the lowest of its subnet."""
        self.interface6 = ipaddress.IPv6Interface(address)
        self.pa6 = str(self.interface6.ip)
        self.gateway6 = str(self.interface6.network[1])
        self.lab.add_ipv6_segment(self.interface.network, self.interface6.network)
        netns.write_sysctls(self.namespace, {
            "net/ipv6/conf/lo/disable_ipv6": 0, f"net/ipv6/conf/{UNDERLAY_BRIDGE}/accept_dad": 0,
            f"net/ipv6/conf/{UNDERLAY_BRIDGE}/accept_ra": 0,
            f"net/ipv6/conf/{UNDERLAY_BRIDGE}/disable_ipv6": 0})
        netns.ip_batch(self.namespace, [
            f"addr add {self.interface6} dev {UNDERLAY_BRIDGE} nodad",
            f"route add default via {self.gateway6}"])
        wait_until(lambda: self.pa6 in self.appctl("ovs/route/show"), "the switch knows its route")

    def start_ovsdb(self):
        database = os.path.join(self.ovs_dir, "conf.db")
        if not os.path.exists(database):
            run(["ovsdb-tool", "create", database, VSWITCH_SCHEMA])
        self.ovsdb = self._spawn_ovs("ovsdb-server", database, f"--remote=p{self.ovs_db}")
        wait_until(lambda: run(["ovsdb-client", "list-dbs", self.ovs_db]), "ovsdb-server answers")
        self.vsctl("--no-wait", "init")

    def start_vswitchd(self):
        self.vswitchd = self._spawn_ovs("ovs-vswitchd", "--disable-system", self.ovs_db)
        wait_until(lambda: self.appctl("version"), "ovs-vswitchd answers")
        wait_until(lambda: self.vsctl("get", "open_vswitch", ".", "cur_cfg") ==
                   self.vsctl("get", "open_vswitch", ".", "next_cfg"),
                   "ovs-vswitchd has taken its configuration")

    def restart_vswitchd(self, number):
        """Ends ovs-vswitchd by a signal and starts it again; the provider address comes back."""
        self.vswitchd.signal(number)
        self.vswitchd.wait_gone(5.0)
        for leftover in ("ovs-vswitchd.pid", "ovs-vswitchd.ctl"):
            path = os.path.join(self.ovs_dir, leftover)
            if os.path.lexists(path):
                os.remove(path)
        self.start_vswitchd()
        # The userspace bridge's local port is a TAP device of the process that has ended: it is a
        # new one now, as bare as a host's at boot.
        netns.ip_batch(self.namespace, [
            f"link set {UNDERLAY_BRIDGE} mtu 1600 up",
            f"addr replace {self.interface} dev {UNDERLAY_BRIDGE}",
            f"route replace default via {self.gateway}"])

    def _spawn_ovs(self, program, *arguments):
        log = f"{self.name}-{program}.log"
        return self.lab.spawn(
            [program, *arguments, f"--pidfile={self.ovs_dir}/{program}.pid",
             f"--unixctl={self.ovs_dir}/{program}.ctl", "-vconsole:off",
             f"--log-file={self.lab.log_dir}/{log}"],
            namespace=self.namespace, log=f"{self.name}-{program}.out", env=self.env)

    # --- asking and telling the switch -------------------------------------------------------

    def vsctl(self, *words):
        return run(["ovs-vsctl", "--timeout=10", f"--db={self.ovs_db}", *words],
                   env=self.env).stdout.strip()

    def ofctl(self, *words, stdin=None):
        return run(["ovs-ofctl", "-O", OPENFLOW, *words], env=self.env, stdin=stdin).stdout

    def appctl(self, *words):
        return run(["ovs-appctl", "-t", f"{self.ovs_dir}/ovs-vswitchd.ctl", *words]).stdout

    def flows(self, bridge=INTEGRATION_BRIDGE):
        """Every flow of a bridge."""
        text = self.ofctl("dump-flows", "--no-names", f"unix:{self.ovs_dir}/{bridge}.mgmt")
        return [parse_flow(line) for line in text.splitlines() if "actions=" in line]

    def ensure_integration_bridge(self):
        """The agent makes the bridge; only a lab without an agent makes it by hand."""
        if self.agent.running:
            wait_until(lambda: self.vsctl("br-to-parent", INTEGRATION_BRIDGE) is not None,
                       "the agent makes the integration bridge")
        else:
            self.vsctl("--may-exist", "add-br", INTEGRATION_BRIDGE, "--", "set", "bridge",
                       INTEGRATION_BRIDGE, "datapath_type=netdev", "fail_mode=secure")

    # --- what is on it -----------------------------------------------------------------------

    def add_guest(self, name, mac, address, **options):
        """A guest whose port is called `name` (its iface-id), plugged into br-hnv."""
        self.ensure_integration_bridge()
        guest = Guest(self, name, mac, address, **options)
        self.lab.guests[name] = guest
        guest.raise_()
        return guest

    def run(self, *argv, **options):
        return self.lab.run_in(self.namespace, argv, **options)

    def ping_host(self, other, count=1):
        """Whether the underlay carries packets to the other host's provider address."""
        return self.pings(other.pa, count)

    def resolves_router(self, gateway=None):
        """Makes the host ask for its router's MAC; whether its switch has heard the answer."""
        gateway = gateway or self.gateway
        self.run("ip", "neigh", "flush", "dev", UNDERLAY_BRIDGE)
        return self.pings(gateway) and gateway in self.appctl("tnl/neigh/show").split()

    def pings(self, address, count=1):
        done = self.run("ping", "-n", "-c", count, "-W", "1", address, check=False)
        return done.returncode == 0

    def capture_uplink(self):
        return Capture(self.namespace, UPLINK)

    def forget_flow_cache(self):
        """Drops the datapath's cached flows, so that the next packets are looked up afresh."""
        try:
            self.appctl("dpctl/del-flows")
        except CommandError:
            pass


_FLOW = re.compile(r"cookie=(?P<cookie>0x[0-9a-f]+|0), duration=(?P<duration>[\d.]+)s, "
                   r"table=(?P<table>\d+), n_packets=(?P<packets>\d+),.*? "
                   r"(?P<rule>\S*) ?actions=(?P<actions>.*)$")


def parse_flow(line):
    """A line of `ovs-ofctl dump-flows`."""
    found = _FLOW.search(line)
    if not found:
        raise ValueError(f"not a flow: {line}")
    words = [word for word in found["rule"].split(",") if word]
    priorities = [word for word in words if word.startswith("priority=")]
    priority = int(priorities[0].partition("=")[2]) if priorities else 32768
    match = ",".join(word for word in words if not word.startswith("priority="))
    return Flow(int(found["cookie"], 16), int(found["table"]), priority, match, found["actions"],
                float(found["duration"]), int(found["packets"]))
