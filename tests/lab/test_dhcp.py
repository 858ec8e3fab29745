#!/usr/bin/python3
"""Guests that are told what they are: DHCP, DHCPv6 and router advertisements, with real clients."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns, policy, testing  # noqa: E402
from hnvlab.guest import NIC  # noqa: E402
from hnvlab.host import UNDERLAY_BRIDGE  # noqa: E402
from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
VSID, GATEWAYS = 5001, ("10.1.1.1", "fd01:0:0:1::1")
# Name: host, MAC, IPv4 address, IPv6 address.
GUESTS = {
    "app": ("host1", "00:15:5d:50:01:0b", "10.1.1.11", "fd01:0:0:1::11"),
    "mail": ("host1", "00:15:5d:50:01:0d", "10.1.1.13", "fd01:0:0:1::13"),
    "web": ("host2", "00:15:5d:50:01:0c", "10.1.1.12", "fd01:0:0:1::12"),
}
DNS, DOMAIN = ("10.1.1.5", "fd01:0:0:1::5"), "contoso.example"
UNDERLAY_MTU, GUEST_MTU = 1500, 1450
ROUTER_LIFETIME = 65535

# What a client that has a lease does with it, as a system's own script does.
UDHCPC_SCRIPT = """#!/bin/sh
env >> "$TOLD"
case "$1" in
deconfig) ip addr flush dev "$interface" scope global ;;
bound|renew)
    ip link set "$interface" mtu "${mtu:-1500}"
    ip addr replace "$ip/$mask" dev "$interface"
    for each in $router; do ip route replace default via "$each" dev "$interface"; done ;;
esac
echo "event=$1" >> "$TOLD"
"""
DHCLIENT_SCRIPT = """#!/bin/sh
env >> "$TOLD"
case "$reason" in
PREINIT6) ip link set "$interface" up ;;
BOUND6|RENEW6|REBIND6)
    ip -6 addr replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" nodad ;;
EXPIRE6|RELEASE6|STOP6)
    ip -6 addr del "$old_ip6_address/$old_ip6_prefixlen" dev "$interface" ;;
esac
echo "event=$reason" >> "$TOLD"
"""


def host_policy(host):
    local = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [{"id": "contoso", "routed": True, "subnets": [
            {"vsid": VSID, "prefix": "10.1.1.0/24",
             "additional_prefixes": [{"prefix": "fd01:0:0:1::/64"}]}]}],
        "mappings": [{"vsid": VSID, "ca": ca, "mac": mac, "pa": HOSTS[place]}
                     for place, mac, *cas in GUESTS.values() for ca in cas],
        "ports": [{"name": name, "vsid": VSID} for name in local],
        # Nothing comes in unasked, so that an answer that comes is not the firewall's doing.
        "acls": [policy.rule(name, "out", "outbound") for name in local]
                + [policy.rule(name, "ping", "inbound", protocols="ICMP,ICMPv6")
                   for name in local],
    }


def adapter_operations(name, **changes):
    """The rows of ms_darv for a guest; `changes` are of its Ports row."""
    _, mac, ipv4, ipv6 = GUESTS[name]
    addresses = {
        "v4": {"address": ipv4, "mask": "255.255.255.0", "is_primary": True,
               "routers": GATEWAYS[0], "dns_servers": DNS[0], "dns_suffix": DOMAIN},
        "v6": {"address": ipv6, "mask": "64", "dns_servers": DNS[1], "dns_suffix": DOMAIN}}
    return [*({"op": "insert", "table": "IP_Addresses", "uuid-name": key, "row": row}
              for key, row in addresses.items()),
            {"op": "insert", "table": "Ports", "row": {
                "name": name, "mac_address": mac.upper().replace(":", "-"), "is_primary": True,
                "ip_addresses": ["set", [["named-uuid", key] for key in addresses]], **changes}}]


class DhcpTestCase(testing.LabTestCase):
    """Both hosts with all guests, none of which has an address of its own accord."""

    @classmethod
    def build(cls):
        hosts = [cls.lab.add_host(name, f"{pa}/24") for name, pa in HOSTS.items()]
        for host in hosts:
            host.agent.launch()
        for host in hosts:
            host.agent.wait_ready()
            # Without room for whole packets of guests, so that these have to be told.
            netns.ip_batch(host.namespace, [f"link set {UNDERLAY_BRIDGE} mtu {UNDERLAY_MTU}"])
        for name, (place, mac, ipv4, ipv6) in GUESTS.items():
            guest = cls.lab.hosts[place].add_guest(name, mac, f"{ipv4}/24", ipv6=True)
            guest.ip6 = ipv6
            guest.run("ip", "addr", "flush", "dev", NIC, "scope", "global")
            netns.write_sysctls(guest.namespace, {f"net/ipv6/conf/{NIC}/accept_ra": 0})
        for name, host in cls.lab.hosts.items():
            host.agent.apply(host_policy(name))
            testing.wait_until(lambda: [each["mtu"] for each in
                                        host.agent.report("provider-addresses")]
                               == [UNDERLAY_MTU], "the agent knows the underlay's MTU")
        for name in GUESTS:
            cls.give(name)
        for host in hosts:
            testing.wait_until(host.resolves_router, f"{host.name} knows its router")
        testing.wait_until(lambda: all(one.ping_host(other) for one in hosts for other in hosts
                                       if one is not other), "the hosts reach each other")

    @classmethod
    def give(cls, name, **changes):
        """Tells ms_darv of a guest, and waits until the switch has it."""
        agent = cls.lab.guests[name].host.agent
        agent.transact("ms_darv", *adapter_operations(name, **changes))
        cls.wait_darv(agent)

    @classmethod
    def wait_darv(cls, agent):
        agent.transact("ms_darv", {"op": "mutate", "table": "Global", "where": [],
                                   "mutations": [["next_cfg", "+=", 1]]})

        def confirmed():
            [row] = agent.rows("ms_darv", "Global")
            return row["cur_cfg"] == row["next_cfg"]
        testing.wait_until(confirmed, "ms_darv is confirmed")

    def guest(self, name):
        return self.lab.guests[name]

    def agent(self, name):
        return self.guest(name).host.agent

    def counters(self, name, protocol):
        return self.agent(name).status()[protocol]

    def script(self, guest, name, text):
        """A script of the guest's, and the file into which it writes what it is told."""
        path = os.path.join(self.lab.state_dir, f"{guest.name}-{name}")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o755)
        told = f"{path}-{self.id().rpartition('.')[2]}"
        if os.path.exists(told):
            os.remove(told)
        return path, told

    @staticmethod
    def events(told):
        if not os.path.exists(told):
            return []
        with open(told, encoding="utf-8") as file:
            return re.findall(r"^event=(\w+)", file.read(), re.MULTILINE)

    @staticmethod
    def told(told):
        with open(told, encoding="utf-8") as file:
            return dict(line.rstrip("\n").partition("=")[::2] for line in file if "=" in line)

    def forget(self, guest):
        guest.run("ip", "addr", "flush", "dev", NIC, "scope", "global")
        guest.run("ip", "-6", "route", "flush", "default", check=False)
        guest.run("ip", "link", "set", NIC, "mtu", "1500")

    def udhcpc(self, guest, *options):
        """One run of busybox's client until it has a lease; what it was told."""
        path, told = self.script(guest, "udhcpc-script", UDHCPC_SCRIPT)
        done = guest.run("env", f"TOLD={told}", "busybox", "udhcpc", "-f", "-q", "-n", "-t", "4",
                         "-T", "1", "-i", NIC, "-s", path, *options, check=False, timeout=20)
        return done, (self.told(told) if "bound" in self.events(told) else {})


class Dhcp(DhcpTestCase):
    def setUp(self):
        self.addCleanup(self.forget, self.guest("app"))

    def test_a_guest_is_told_what_it_is(self):
        app = self.guest("app")
        done, told = self.udhcpc(app, "-O", "mtu")
        self.assertIn(f"lease of {app.ip} obtained from {GATEWAYS[0]}", done.stderr)
        self.assertEqual({key: told.get(key) for key in ("ip", "subnet", "router", "dns", "domain",
                                                         "mtu", "lease", "serverid")},
                         {"ip": app.ip, "subnet": "255.255.255.0", "router": GATEWAYS[0],
                          "dns": DNS[0], "domain": DOMAIN, "mtu": str(GUEST_MTU),
                          "lease": "86400", "serverid": GATEWAYS[0]})
        self.assertTrue(app.reaches(GATEWAYS[0]))

    def test_guests_with_leases_reach_each_other(self):
        for name in GUESTS:
            self.addCleanup(self.forget, self.guest(name))
            _, told = self.udhcpc(self.guest(name), "-O", "mtu")
            self.assertEqual(told.get("ip"), self.guest(name).ip)
        for name in ("mail", "web"):
            self.assertTrue(self.guest("app").reaches(self.guest(name).ip))
        # What the underlay has room for, and no byte more.
        whole = ("ping", "-n", "-c1", "-W2", "-Mdo", "-s", str(GUEST_MTU - 28))
        self.assertEqual(self.guest("app").run(*whole, self.guest("web").ip).returncode, 0)

    def test_nobody_else_hears_of_it(self):
        app, mail = self.guest("app"), self.guest("mail")
        with mail.capture() as nic, self.lab.capture_underlay(app.host) as wire:
            _, told = self.udhcpc(app)
            self.assertEqual(told.get("ip"), app.ip)
            self.assertEqual(nic.sync().select(lambda f: f.ip and f.ip.dport in (67, 68)), [])
            self.assertEqual(wire.sync().select(lambda f: f.inner), [])

    def test_a_mac_that_is_not_the_ports_gets_nothing(self):
        app, mail = self.guest("app"), self.guest("mail")
        before = self.counters("app", "dhcp")
        with app.capture() as nic:
            for chaddr in (mail.mac, "00:15:5d:99:99:99"):
                app.send(bytes(
                    Ether(src=app.mac, dst="ff:ff:ff:ff:ff:ff") /
                    IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) /
                    BOOTP(chaddr=bytes.fromhex(chaddr.replace(":", "")), xid=7, flags=0x8000) /
                    DHCP(options=[("message-type", "discover"), "end"])))
            self.eventually(lambda: self.counters("app", "dhcp")["ignored"]
                            == before["ignored"] + 2, "the agent has looked at both")
            self.assertEqual(self.counters("app", "dhcp")["answered"], before["answered"])
            self.assertEqual(nic.sync().select(lambda f: not f.outgoing and f.ip
                                               and f.ip.dport == 68), [])

    def test_another_address_is_refused(self):
        before = self.counters("app", "dhcp")["denied"]
        _, told = self.udhcpc(self.guest("app"), "-r", "10.1.1.99")
        self.assertEqual(told.get("ip"), self.guest("app").ip)
        # busybox asks for it in a DHCPDISCOVER; one that reboots with it asks for it outright.
        app = self.guest("app")
        app.send(bytes(Ether(src=app.mac, dst="ff:ff:ff:ff:ff:ff") /
                       IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) /
                       BOOTP(chaddr=bytes.fromhex(app.mac.replace(":", "")), xid=9) /
                       DHCP(options=[("message-type", "request"),
                                     ("requested_addr", "10.1.1.99"), "end"])))
        self.eventually(lambda: self.counters("app", "dhcp")["denied"] == before + 1, "a DHCPNAK")

    def test_a_lease_is_renewed_after_the_agent_has_restarted(self):
        app = self.guest("app")
        path, told = self.script(app, "udhcpc-script", UDHCPC_SCRIPT)
        client = self.lab.spawn(["env", f"TOLD={told}", "busybox", "udhcpc", "-f", "-i", NIC, "-R",
                                 "-s", path], namespace=app.namespace, log="udhcpc.out")
        self.addCleanup(client.end)
        self.eventually(lambda: "bound" in self.events(told), "the guest has a lease")
        self.assertTrue(app.reaches(GATEWAYS[0]))
        app.host.agent.kill()
        app.host.agent.start()
        client.signal(10)  # SIGUSR1: renew
        self.eventually(lambda: "renew" in self.events(told), "the lease is renewed")
        answered = self.counters("app", "dhcp")["answered"]
        self.assertGreaterEqual(answered, 1)
        # Given back, as a guest does that shuts down.
        client.signal(12)  # SIGUSR2: release
        self.eventually(lambda: self.counters("app", "dhcp")["released"] == 1, "it is released")

    def test_without_an_address_the_question_goes_into_the_subnet(self):
        """As a tenant's own server needs it."""
        agent, app, mail = self.agent("app"), self.guest("app"), self.guest("mail")
        agent.transact("ms_darv", {"op": "delete", "table": "Ports",
                                   "where": [["name", "==", "app"]]})
        self.addCleanup(self.give, "app")
        self.wait_darv(agent)
        agent.transact("ms_firewall", {"op": "insert", "table": "FW_Rules", "row": {
            "vnic_id": "mail", "rule_id": "dhcp", "rule_type": "RuleWithControllerPriority",
            "rule_state": "Enabled", "logging_state": "Disabled", "direction": "Inbound",
            "action": "Allow", "priority": 7, "protocols": "UDP", "dst_ports": "67"}})
        self.addCleanup(agent.transact, "ms_firewall", {
            "op": "delete", "table": "FW_Rules", "where": [["rule_id", "==", "dhcp"]]})
        with mail.capture() as nic:
            _, told = self.udhcpc(app)
            self.assertEqual(told, {})
            self.assertTrue(nic.sync().select(lambda f: f.ip and f.ip.dport == 67))

    def test_what_the_port_is_given_is_what_it_may_send_from(self):
        agent, app = self.agent("app"), self.guest("app")
        self.udhcpc(app)
        self.assertTrue(app.reaches(GATEWAYS[0]))
        agent.transact("ms_darv", {"op": "update", "table": "IP_Addresses",
                                   "where": [["address", "==", app.ip]],
                                   "row": {"address": "10.1.1.77"}})
        self.addCleanup(agent.transact, "ms_darv", {
            "op": "update", "table": "IP_Addresses", "where": [["address", "==", "10.1.1.77"]],
            "row": {"address": app.ip}})
        self.wait_darv(agent)
        self.assertEqual(app.ping(GATEWAYS[0], count=1).received, 0)
        _, told = self.udhcpc(app)
        self.assertEqual(told.get("ip"), "10.1.1.77")
        self.assertTrue(app.reaches(GATEWAYS[0]))


class Ipv6(DhcpTestCase):
    def setUp(self):
        self.addCleanup(self.forget, self.guest("app"))

    def default_routes(self, guest):
        return guest.run("ip", "-6", "route", "show", "default").stdout

    def solicit(self, guest):
        """The guest's kernel asks for routers, as it does when its link comes up."""
        netns.write_sysctls(guest.namespace, {f"net/ipv6/conf/{NIC}/accept_ra": 2,
                                              f"net/ipv6/conf/{NIC}/router_solicitation_delay": 0})
        guest.run("ip", "link", "set", NIC, "down")
        guest.run("ip", "link", "set", NIC, "up")
        return self.eventually(lambda: self.default_routes(guest), "the guest has a default route")

    def dhclient(self, guest, *options):
        path, told = self.script(guest, "dhclient-script", DHCLIENT_SCRIPT)
        base = os.path.join(self.lab.state_dir, f"{guest.name}-dhclient-{self.id().rpartition('.')[2]}")
        config = f"{base}.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write("request dhcp6.name-servers, dhcp6.domain-search;\n")
        self.eventually(lambda: "tentative" not in guest.run("ip", "-6", "addr").stdout,
                        "the link-local address is usable")
        client = self.lab.spawn(
            ["env", f"TOLD={told}", "dhclient", "-6", "-d", "-cf", config, "-lf",
             f"{base}.leases", "-pf", f"{base}.pid", "-sf", path, "-e", f"TOLD={told}", *options,
             NIC], namespace=guest.namespace, log="dhclient.out")
        self.addCleanup(client.end)
        return client, told

    def test_the_kernel_takes_the_default_route(self):
        app = self.guest("app")
        routes = self.solicit(app)
        self.assertIn("via fe80::215:5dff:feff:fffe", routes)
        self.assertIn("proto ra", routes)
        with netns.entered(app.namespace), \
                open(f"/proc/sys/net/ipv6/conf/{NIC}/mtu", encoding="ascii") as file:
            self.assertEqual(file.read().strip(), str(GUEST_MTU))
        lifetime = int(re.search(r"expires (\d+)sec", routes)[1])
        self.assertGreater(lifetime, ROUTER_LIFETIME - 60)
        # On link, and no address of its own making.
        self.assertIn("fd01:0:0:1::/64", app.run("ip", "-6", "route").stdout)
        self.assertNotIn("fd01:", app.run("ip", "-6", "addr").stdout)

    def test_a_guest_gets_its_address_and_reaches_others(self):
        app, web = self.guest("app"), self.guest("web")
        for guest in (app, web):
            self.addCleanup(self.forget, guest)
            self.solicit(guest)
            _, told = self.dhclient(guest)
            self.eventually(lambda: "BOUND6" in self.events(told), "the guest has a lease")
            said = self.told(told)
            self.assertEqual((said["new_ip6_address"], said["new_dhcp6_name_servers"],
                              said["new_dhcp6_domain_search"].rstrip(".")),
                             (guest.ip6, DNS[1], DOMAIN))
            self.assertEqual(said["new_max_life"], "86400")
        # By the default route, whose next hop is the router's link-local address.
        self.assertTrue(app.reaches(GATEWAYS[1]))
        self.assertTrue(app.reaches(web.ip6))
        self.assertEqual(app.neighbour("fe80::215:5dff:feff:fffe")[1] or "00:15:5d:ff:ff:fe",
                         "00:15:5d:ff:ff:fe")

    def test_the_router_answers_at_its_link_local_address(self):
        app = self.guest("app")
        self.solicit(app)
        app.run("ip", "-6", "neigh", "flush", "dev", NIC)
        app.run("ip", "-6", "addr", "add", f"{app.ip6}/64", "dev", NIC, "nodad")
        # Anywhere that is not on link goes there: the kernel has to find its MAC.
        app.run("ping", "-n", "-c1", "-W1", "2001:db8::1", check=False)
        self.eventually(lambda: app.neighbour("fe80::215:5dff:feff:fffe")[1]
                        == "00:15:5d:ff:ff:fe", "the router's MAC is known")

    def test_a_lease_is_renewed_after_the_agent_has_restarted(self):
        app, agent = self.guest("app"), self.agent("app")
        agent.transact("hnv_host", {"op": "insert", "table": "Port_Settings", "row": {
            "name": "app", "other_config": ["map", [["dhcp_lease_seconds", "60"]]]}})
        self.addCleanup(agent.transact, "hnv_host", {
            "op": "delete", "table": "Port_Settings", "where": [["name", "==", "app"]]})
        self.eventually(lambda: agent.port("app")["state"] == "active", "the port is active")
        client, told = self.dhclient(app)
        self.eventually(lambda: "BOUND6" in self.events(told), "the guest has a lease")
        self.assertEqual(self.told(told)["new_max_life"], "60")
        client.end()
        agent.kill()
        agent.start()
        # It confirms what it had.
        _, again = self.dhclient(app)
        self.eventually(lambda: self.counters("app", "dhcpv6")["answered"] >= 1, "it is answered")
        self.eventually(lambda: {"BOUND6", "REBIND6"} & set(self.events(again)),
                        "the lease holds")

    def test_rdisc6_reads_the_advertisement(self):
        app = self.guest("app")
        self.eventually(lambda: "tentative" not in app.run("ip", "-6", "addr").stdout,
                        "the link-local address is usable")
        said = app.run("rdisc6", "-1", NIC, timeout=20).stdout
        for line in ("Stateful address conf.    :          Yes",
                     "Stateful other conf.      :          Yes",
                     f"Router lifetime           :        {ROUTER_LIFETIME}",
                     "On-link                  :          Yes",
                     "Autonomous address conf. :           No",
                     f"Recursive DNS server : {DNS[1]}", f"MTU : {GUEST_MTU} bytes (valid)",
                     "from fe80::215:5dff:feff:fffe"):
            self.assertIn("".join(line.split()), "".join(said.split()))

    def test_guests_are_told_of_a_change_unasked(self):
        app, agent = self.guest("app"), self.agent("app")
        self.solicit(app)
        before = self.counters("app", "router_advertisements")["unasked"]
        agent.transact("ms_vtep", {"op": "update", "table": "Logical_Router", "where": [],
                                   "row": {"enable_logical_router": False}})
        self.addCleanup(agent.transact, "ms_vtep", {
            "op": "update", "table": "Logical_Router", "where": [],
            "row": {"enable_logical_router": True}})
        self.eventually(lambda: self.counters("app", "router_advertisements")["unasked"] > before,
                        "an advertisement goes out")
        self.eventually(lambda: not self.default_routes(app), "the default route is gone")


if __name__ == "__main__":
    testing.main()
