"""A host without a wire: real ovsdb-server, ovs-vswitchd on a dummy datapath, and hnv-agent.

Nothing is ever forwarded here: packets are only asked about (`ofproto/trace`). Guests' interfaces
are Open vSwitch's dummies, and with the datapath's feature tnl_push_pop off a tunnel packet is the
action set(tunnel(…)), not an Ethernet frame that needs a route and a neighbour.
"""

import json
import os
import re
import signal

from hnvlab import netns
from hnvlab.lab import Lab
from hnvlab.agent import binary
from hnvlab.shell import run, wait_until

from rpc import JsonRpc, transact

VSWITCH_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
BRIDGE = "br-hnv"
TUNNELS = {"hnv-vxlan": "vxlan", "hnv-nvgre": "nvgre"}


class Switch:
    """Use as a context manager. `provider_addresses`: CIDR texts that the host carries."""

    def __init__(self, provider_addresses):
        self.lab = Lab()
        self.trace_rpc = self.ovs_rpc = self.agent_rpc = self.agent_ctl = None
        try:
            self._raise(provider_addresses)
        except BaseException:
            self.close(keep_logs=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(keep_logs=kind is not None)

    def close(self, *, keep_logs=False):
        for connection in (self.trace_rpc, self.ovs_rpc, self.agent_rpc, self.agent_ctl):
            if connection:
                connection.close()
        self.lab.close(keep_logs=keep_logs)

    # --- raising -----------------------------------------------------------------------------

    def _raise(self, provider_addresses):
        self.directory = os.path.join(self.lab.state_dir, "host")
        self.ovs_dir = os.path.join(self.directory, "ovs")
        self.run_dir = os.path.join(self.directory, "agent")
        self.db_dir = os.path.join(self.directory, "agent-db")
        for path in (self.ovs_dir, self.run_dir, self.db_dir):
            os.makedirs(path)
        self.env = {**os.environ, "OVS_RUNDIR": self.ovs_dir, "OVS_DBDIR": self.ovs_dir,
                    "OVS_LOGDIR": self.lab.log_dir}
        self.namespace = self.lab.add_namespace("host", ipv6=True)
        netns.ip_batch(self.namespace, [
            "link add uplink mtu 1600 type veth peer name wire mtu 1600",
            "link set wire up", "link set uplink up",
            *(f"addr add {address} dev uplink" + (" nodad" if ":" in address else "")
              for address in provider_addresses)])
        self._start_ovs()
        self._spawn_agent()
        self.trace_rpc = JsonRpc(f"{self.ovs_dir}/ovs-vswitchd.ctl")
        self.trace_rpc.call("dpif/set-dp-features", [BRIDGE, "tnl_push_pop", "false"])
        self.ovs_rpc = JsonRpc(f"{self.ovs_dir}/db.sock")

    def _start_ovs(self):
        database = os.path.join(self.ovs_dir, "conf.db")
        run(["ovsdb-tool", "create", database, VSWITCH_SCHEMA])
        self._spawn("ovsdb-server", database, f"--remote=punix:{self.ovs_dir}/db.sock")
        remote = f"unix:{self.ovs_dir}/db.sock"
        wait_until(lambda: run(["ovsdb-client", "list-dbs", remote]), "ovsdb-server answers")
        run(["ovs-vsctl", f"--db={remote}", "--no-wait", "init"], env=self.env)
        self._spawn("ovs-vswitchd", "--enable-dummy=system", "--disable-system",
                    remote)
        wait_until(lambda: run(["ovs-appctl", "-t", f"{self.ovs_dir}/ovs-vswitchd.ctl",
                                "version"]), "ovs-vswitchd answers")

    def _spawn(self, program, *arguments):
        self.lab.spawn([program, *arguments, f"--pidfile={self.ovs_dir}/{program}.pid",
                        f"--unixctl={self.ovs_dir}/{program}.ctl", "-vconsole:off",
                        f"--log-file={self.lab.log_dir}/{program}.log"],
                       namespace=self.namespace, log=f"{program}.out", env=self.env)

    def _spawn_agent(self):
        self.agent = self.lab.spawn(
            [binary("hnv-agent"), f"--db-dir={self.db_dir}", f"--run-dir={self.run_dir}",
             f"--ovs-run-dir={self.ovs_dir}", "--name=host", f"--bridge={BRIDGE}",
             "--datapath-type=netdev", f"--log-file={self.lab.log_dir}/agent.log",
             f"--pidfile={self.run_dir}/hnv-agent.pid"],
            namespace=self.namespace, log="agent.out", env=self.env)
        wait_until(self._agent_ready, "the agent has the switch", 20)

    def _agent_ready(self):
        for connection in (self.agent_rpc, self.agent_ctl):
            if connection:
                connection.close()
        # A socket file of the agent before may still be there: then the connection is refused.
        self.agent_rpc = JsonRpc(f"{self.run_dir}/db.sock")
        self.agent_ctl = JsonRpc(f"{self.run_dir}/hnv-agent.ctl")
        state = json.loads(self.agent_ctl.call("hnv/status", []))["switch"]
        return state["connected"] and state["state"] == "idle"

    def restart_agent(self, damage):
        """kill -9 and a start; between them the flows of table `damage` are lost, if it is one."""
        self.agent.signal(signal.SIGKILL)
        self.agent.wait_gone(5.0)
        if damage is not None:
            run(["ovs-ofctl", "-O", "OpenFlow14", "del-flows",
                 f"unix:{self.ovs_dir}/{BRIDGE}.mgmt", f"table={damage}"], env=self.env)
        self._spawn_agent()

    # --- ports -------------------------------------------------------------------------------

    def plug(self, name, port_id, attached_mac):
        """A guest's interface."""
        ids = [["iface-id", port_id]] + ([["attached-mac", attached_mac]] if attached_mac else [])
        transact(self.ovs_rpc, "Open_vSwitch", [
            {"op": "insert", "table": "Interface", "uuid-name": "i",
             "row": {"name": name, "type": "dummy", "external_ids": ["map", ids]}},
            {"op": "insert", "table": "Port", "uuid-name": "p",
             "row": {"name": name, "interfaces": ["named-uuid", "i"]}},
            {"op": "mutate", "table": "Bridge", "where": [["name", "==", BRIDGE]],
             "mutations": [["ports", "insert", ["set", [["named-uuid", "p"]]]]]},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["next_cfg", "+=", 1]]}])

    def unplug(self, name):
        [found] = transact(self.ovs_rpc, "Open_vSwitch", [
            {"op": "select", "table": "Port", "where": [["name", "==", name]],
             "columns": ["_uuid"]}])
        transact(self.ovs_rpc, "Open_vSwitch", [
            {"op": "mutate", "table": "Bridge", "where": [["name", "==", BRIDGE]],
             "mutations": [["ports", "delete", ["set", [row["_uuid"] for row in found["rows"]]]]]},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["next_cfg", "+=", 1]]}])

    def datapath_ports(self):
        """{datapath port number: (name, OpenFlow port)} of the integration bridge.

        The two tunnels' datapath ports are theirs alone.
        """
        text = self.trace_rpc.call("dpif/show", [])
        found = re.findall(r"^    (\S+) (\d+)/(\d+):", text, re.MULTILINE)
        return {int(datapath): (name, int(openflow)) for name, openflow, datapath in found}

    # --- asking ------------------------------------------------------------------------------

    def trace(self, requests):
        """What the switch does with each (options, flow), as `ofproto/trace` tells it."""
        return self.trace_rpc.call_all("ofproto/trace", [[*options, BRIDGE, flow]
                                                         for options, flow in requests])
