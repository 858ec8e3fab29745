"""A lab of hosts: each a network namespace with a real Open vSwitch and an hnv-agent.

    router                       one namespace, one Linux bridge for each provider subnet
    host                         ovsdb-server, ovs-vswitchd (userspace datapath), hnv-agent
      br-pa      underlay bridge: the uplink `nic0` and, on its local port, the provider address
      br-hnv     integration bridge: the agent's; guests' veths are plugged into it
    guest                        one namespace behind a veth pair, the far end is `eth0`

Everything a lab makes is named with the lab's own prefix and written down in `lab.json` in its
state directory, so that any process can take it down again, and nothing else.
"""

from .lab import Lab
from .host import Host
from .guest import Guest
from .shell import CommandError, Timeout, run, wait_until

__all__ = ["Lab", "Host", "Guest", "CommandError", "Timeout", "run", "wait_until"]
