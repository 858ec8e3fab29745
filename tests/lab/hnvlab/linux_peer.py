"""A tunnel end that is not ours: Linux's own `vxlan` and `gretap` devices, told what to do by hand.

The peer is a namespace behind the lab's router with a plain interface. Where this machine's kernel
has the devices, they are made there. Else user-mode Linux (Debian's user-mode-linux, a kernel that
runs as a process) takes the namespace's interface, and makes them inside of itself. Both perform
the same shell script.
"""

import ipaddress
import os
import re

from . import netns
from .guest import parse_ping
from .shell import run, wait_until

_HERE = os.path.dirname(os.path.abspath(__file__))
UML = "/usr/bin/linux.uml"
_UML_MODULES = "/usr/lib/uml/modules"
_KINDS = ("vxlan", "gretap")
SECONDS = 60  # a peer ends by itself after this long
_DONE = "script done"

# What runs inside the process that is a kernel. It shares the machine's files, and may use no
# register beyond SSE (uml_ptrace.c), so the C library is told not to.
_INIT = """#!/bin/sh
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in {modules}; do
    insmod $module || exit
done
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip link set vec0 name nic0
sh {script}
echo o >/proc/sysrq-trigger
sleep 5
"""


def kernel_has(kind):
    """Whether this machine's kernel can make a device of that kind (it loads the module for it)."""
    options = {"vxlan": ["id", "1", "dstport", "4789"],
               "gretap": ["local", "127.0.0.1", "remote", "127.0.0.2"]}[kind]
    name = f"hnv-probe-{os.getpid()}"
    netns.create(name)
    try:
        done = run(["ip", "-n", name, "link", "add", "probe", "type", kind, *options], check=False)
        return done.returncode == 0
    finally:
        netns.delete(name)


def why_not():
    """None if a peer can be made here, else the reason, for a test that is skipped."""
    if all(map(kernel_has, _KINDS)) or os.path.exists(UML):
        return None
    return ("this kernel has no vxlan and gretap modules, and Debian's user-mode-linux is not "
            "installed")


def _uml_modules():
    """The files of the modules that the devices are in, each after those that it needs."""
    [version] = os.listdir(_UML_MODULES)
    directory = os.path.join(_UML_MODULES, version)
    wanted = []
    with open(os.path.join(directory, "modules.dep"), encoding="ascii") as file:
        for line in file:
            module, _, needs = line.partition(":")
            if os.path.basename(module) in ("vxlan.ko", "ip_gre.ko"):
                wanted += [*reversed(needs.split()), module]
    return [os.path.join(directory, module) for module in dict.fromkeys(wanted)]


class LinuxPeer:
    """A Linux host behind the router of `lab` with the provider addresses `address` and `address6`
    (CIDR)."""

    def __init__(self, lab, name, address, address6):
        self.lab = lab
        self.name = name
        interface = ipaddress.IPv4Interface(address)
        self.pa = str(interface.ip)
        self._lines = [f"ip addr add {interface} dev nic0", "ip link set nic0 up",
                       f"ip route add default via {interface.network[1]}"]
        interface6 = ipaddress.IPv6Interface(address6)
        self.pa6 = str(interface6.ip)
        lab.add_ipv6_segment(interface.network, interface6.network)
        self._lines += ["echo 0 >/proc/sys/net/ipv6/conf/nic0/disable_ipv6",
                        f"ip addr add {interface6} dev nic0 nodad",
                        f"ip -6 route add default via {interface6.network[1]}"]
        self.namespace = lab.add_namespace(name)
        self.wire = f"to-{name}"[:15]
        lab.attach(self.namespace, "nic0", self.wire, interface.network)
        self.native = all(map(kernel_has, _KINDS))
        self._process = None

    # --- what it shall do, before it starts --------------------------------------------------

    def add_vxlan(self, device, vni, mac, address, entries, *, version=4):
        """`entries`: (MAC, CA, PA) of each machine that it is to know; it learns nothing. `version`
        is that of the provider addresses."""
        local = self.pa if version == 4 else self.pa6
        self._lines.append(f"ip link add {device} type vxlan id {vni} dstport 4789 "
                           f"local {local} dev nic0 nolearning")
        self._lines += [f"bridge fdb append {entry_mac} dev {device} dst {pa}"
                        for entry_mac, _, pa in entries]
        self._add_device(device, mac, address, entries)

    def add_gre(self, device, keys, remote, mac, address, entries):
        """`keys`: the one that it takes, and the one that it sends with."""
        self._lines.append(f"ip link add {device} type gretap local {self.pa} remote {remote} "
                           f"ikey {keys[0]} okey {keys[1]}")
        self._add_device(device, mac, address, entries)

    def _add_device(self, device, mac, address, entries):
        self._lines += [f"ip link set {device} address {mac} mtu 1500 up",
                        f"ip addr add {address} dev {device}"]
        self._lines += [f"ip neigh replace {ca} lladdr {entry_mac} dev {device} nud permanent"
                        for entry_mac, ca, _ in entries]

    # --- running -----------------------------------------------------------------------------

    def start(self, *pings):
        """Sets the devices up, pings each address of `pings` in turn until it answers, stays."""
        script = os.path.join(self.lab.state_dir, f"{self.name}.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write("\n".join(["set -e", *self._lines, "echo devices are up", "set +e"]) + "\n")
            for address in pings:
                file.write(f"echo ping {address}\n"
                           f"for i in 1 2 3 4 5; do ping -n -c1 -W1 {address} >/dev/null && break; "
                           f"done\nping -n -i 0.2 -c 5 -W 1 {address}\n")
            file.write(f"echo {_DONE}\nsleep {SECONDS}\n")
        self._process = (self._start_here if self.native else self._start_uml)(script)
        wait_until(self._has_devices, f"{self.name} has its devices", 30)

    def _has_devices(self):
        if not self._process.alive:
            raise AssertionError(f"{self.name} ended: {self.output()[-1000:]}")
        return "devices are up" in self.output()

    def _start_here(self, script):
        return self.lab.spawn(["sh", script], namespace=self.namespace, log=f"{self.name}.out")

    def _start_uml(self, script):
        directory = os.path.join(self.lab.state_dir, f"{self.name}-uml")
        os.makedirs(directory)
        init = os.path.join(directory, "init")
        with open(init, "w", encoding="utf-8") as file:
            file.write(_INIT.format(modules=" ".join(_uml_modules()), script=script))
        os.chmod(init, 0o755)
        preload = os.path.join(directory, "uml_ptrace.so")
        run(["gcc", "-O2", "-shared", "-fPIC", "-o", preload,
             os.path.join(_HERE, "uml_ptrace.c"), "-ldl"])
        # In a process namespace of its own: it has helpers and, for each process that runs in it,
        # one of the machine's, none of which would end when it is killed.
        return self.lab.spawn(
            ["unshare", "--pid", "--fork", "--kill-child",
             UML, "mem=96M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
             f"uml_dir={directory}", "umid=peer", "con=null", "con0=null,fd:1", "ssl=null",
             "vec0:transport=raw,ifname=nic0,depth=64,gro=0,mtu=1600"],
            namespace=self.namespace, log=f"{self.name}.out",
            env={"LD_PRELOAD": preload})

    def output(self):
        with open(self._process.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ping_results(self, timeout=30.0):
        """{address: PingResult}, when all that `start` was given are through."""
        text = wait_until(lambda: _DONE in (said := self.output()) and said,
                          f"{self.name} has pinged all", timeout)
        parts = re.split(r"^ping (\S+)$", text, flags=re.MULTILINE)[1:]
        return {address: parse_ping(said) for address, said in zip(parts[::2], parts[1::2])}
