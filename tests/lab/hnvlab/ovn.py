"""An OVN deployment in a lab: its databases and ovn-northd, hypervisors, and ovn-controller-vtep.

All are Debian's programs, started by hand with directories of their own.
"""

import ipaddress
import os

from . import netns
from .host import INTEGRATION_BRIDGE
from .shell import run, wait_until

SCHEMAS = "/usr/share/ovn"
NIC = "nic0"
SOUTHBOUND_PORT = 6642


class Central:
    """The northbound and southbound databases and ovn-northd, in a namespace behind the router."""

    def __init__(self, lab, address):
        self.lab = lab
        interface = ipaddress.IPv4Interface(address)
        self.directory = os.path.join(lab.state_dir, "central")
        os.makedirs(self.directory)
        self.env = {**os.environ, "OVS_RUNDIR": self.directory, "OVN_RUNDIR": self.directory,
                    "OVN_LOGDIR": lab.log_dir, "OVN_DBDIR": self.directory}
        self.namespace = lab.add_namespace("central")
        lab.attach(self.namespace, NIC, "to-central", interface.network)
        netns.ip_batch(self.namespace, [f"addr add {interface} dev {NIC}",
                                        f"route add default via {interface.network[1]}"])
        self.southbound = f"tcp:{interface.ip}:{SOUTHBOUND_PORT}"
        self._start_database("nb")
        self._start_database("sb", f"--remote=ptcp:{SOUTHBOUND_PORT}:{interface.ip}")
        self._spawn("ovn-northd", f"--ovnnb-db={self._socket('nb')}",
                    f"--ovnsb-db={self._socket('sb')}")
        wait_until(lambda: self.nbctl("get", "NB_Global", ".", "nb_cfg") is not None and
                   self.sbctl("get", "SB_Global", ".", "nb_cfg") is not None, "ovn-northd is there")

    def _socket(self, name):
        return f"unix:{self.directory}/{name}.sock"

    def _start_database(self, name, *remotes):
        path = os.path.join(self.directory, f"{name}.db")
        run(["ovsdb-tool", "create", path, f"{SCHEMAS}/ovn-{name}.ovsschema"])
        self._spawn("ovsdb-server", path, f"--remote=p{self._socket(name)}", *remotes, name=name)
        wait_until(lambda: run(["ovsdb-client", "list-dbs", self._socket(name)]),
                   f"the {name} database answers")
        run([f"ovn-{name}ctl", f"--db={self._socket(name)}", "init"], env=self.env)

    def _spawn(self, program, *arguments, name=None):
        name = name or program
        self.lab.spawn([program, *arguments, f"--pidfile={self.directory}/{name}.pid",
                        f"--unixctl={self.directory}/{name}.ctl", "-vconsole:off",
                        f"--log-file={self.lab.log_dir}/{name}.log"],
                       namespace=self.namespace, log=f"{name}.out", env=self.env)

    def nbctl(self, *words):
        """A command of ovn-nbctl; returns what it prints."""
        return run(["ovn-nbctl", "--timeout=10", f"--db={self._socket('nb')}", *words],
                   env=self.env).stdout.strip()

    def sbctl(self, *words):
        return run(["ovn-sbctl", "--timeout=10", f"--db={self._socket('sb')}", *words],
                   env=self.env).stdout.strip()

    def add_port(self, switch, name, addresses):
        """A logical switch port of a virtual machine; its interface has that name as iface-id."""
        self.nbctl("lsp-add", switch, name, "--", "lsp-set-addresses", name, addresses)

    def add_vtep_port(self, switch, name, physical_switch, logical_switch):
        """Joins a Logical_Switch of a VTEP to a logical switch of OVN."""
        self.nbctl("lsp-add", switch, name, "--", "lsp-set-type", name, "vtep", "--",
                   "lsp-set-options", name, f"vtep-physical-switch={physical_switch}",
                   f"vtep-logical-switch={logical_switch}", "--",
                   "lsp-set-addresses", name, "unknown")


def make_hypervisor(host, central):
    """Makes a host of the lab one of OVN's, whose integration bridge is where guests are plugged.

    VTEPs are reached by VXLAN, hypervisors among each other use Geneve.
    """
    host.ensure_integration_bridge()
    host.vsctl("set", "open_vswitch", ".", f"external_ids:system-id={host.name}",
               f"external_ids:ovn-remote={central.southbound}",
               "external_ids:ovn-encap-type=geneve,vxlan", f"external_ids:ovn-encap-ip={host.pa}",
               f"external_ids:ovn-bridge={INTEGRATION_BRIDGE}",
               "external_ids:ovn-bridge-datapath-type=netdev")
    _spawn_beside(host, "ovn-controller", host.ovs_db)
    wait_until(lambda: host.name in central.sbctl("--bare", "--columns=name", "list", "Chassis"),
               f"{host.name} is a chassis")


def start_controller_vtep(host, central, vtep_db):
    """ovn-controller-vtep between the `hardware_vtep` database at `vtep_db` and OVN."""
    return _spawn_beside(host, "ovn-controller-vtep", f"--vtep-db={vtep_db}",
                         f"--ovnsb-db={central.southbound}")


def _spawn_beside(host, program, *arguments):
    directory = os.path.join(host.directory, "ovn")
    os.makedirs(directory, exist_ok=True)
    return host.lab.spawn(
        [program, *arguments, f"--pidfile={directory}/{program}.pid", "-vconsole:off",
         f"--log-file={host.lab.log_dir}/{host.name}-{program}.log"],
        namespace=host.namespace, log=f"{host.name}-{program}.out",
        env={**host.env, "OVN_RUNDIR": directory, "OVN_LOGDIR": host.lab.log_dir})
