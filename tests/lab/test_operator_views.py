#!/usr/bin/python3
"""What hnvctl says of packets, layers and flows, beside what real packets do."""

import contextlib
import json
import socket

from hnvlab import packet
from hnvlab.agent import binary
from hnvlab.policy import rule
from hnvlab.shell import run
from hnvlab.testing import LabTestCase, main

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
ROUTER_MAC = "00:15:5d:ff:ff:fe"
# Name: host, VSID, address, MAC, encapsulation of its mapping.
GUESTS = {
    "app": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b", "vxlan"),
    "cache": ("host1", 5002, "10.1.2.13", "00:15:5d:50:02:0d", "vxlan"),
    "web": ("host2", 5001, "10.1.1.12", "00:15:5d:50:01:0c", "vxlan"),
    "db": ("host2", 5002, "10.1.2.12", "00:15:5d:50:02:0c", "nvgre"),
    "idle": ("host1", 5001, "10.1.1.14", "00:15:5d:50:01:0e", "vxlan"),  # Without an ACL.
    # Another tenant with addresses of the first.
    "other": ("host1", 6001, "10.1.1.12", "00:15:5d:60:01:0c", "vxlan"),
}
NETWORKS = {"contoso": (5001, 5002), "fabrikam": (6001, 6002)}
SOURCE_PORT = 40000
OPEN, BLOCKED, ADMIN_BLOCKED, NOT_OF_ADMIN = 7000, 7001, 7050, 7100
CACHE_RULES = [
    rule("cache", "admin-open", "inbound", layer="admin", protocols="UDP",
         destination_ports="7000-7089"),
    rule("cache", "admin-ping", "inbound", layer="admin", protocols="ICMP"),
    rule("cache", "admin-no-7050", "inbound", "block", layer="admin", priority=50,
         protocols="UDP", destination_ports=str(ADMIN_BLOCKED)),
    rule("cache", "no-7001", "inbound", "block", priority=50, protocols="UDP",
         destination_ports=str(BLOCKED)),
    rule("cache", "in", "inbound"), rule("cache", "out", "outbound")]


def policy(host):
    ports = [name for name, guest in GUESTS.items() if guest[0] == host]
    acls = [one for name in ports
            for one in (CACHE_RULES if name == "cache" else
                        [rule(name, "in", "inbound"), rule(name, "out", "outbound")])
            if name != "idle"]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [
            {"id": name, "routed": True,
             "subnets": [{"vsid": vsid, "prefix": f"10.1.{number}.0/24",
                          "additional_prefixes": [{"prefix": f"fd00:{number}::/64"}]}
                         for number, vsid in enumerate(vsids, 1)]}
            for name, vsids in NETWORKS.items()],
        "mappings": [
            {"vsid": vsid, "ca": ca, "mac": mac, "pa": HOSTS[place],
             "encapsulation": encapsulation}
            for name, (place, vsid, _, mac, encapsulation) in GUESTS.items()
            for ca in (address(name), address6(name))],
        "ports": [{"name": name, "vsid": GUESTS[name][1]} for name in ports],
        "acls": acls,
    }


def address(name):
    return GUESTS[name][2]


def address6(name):
    """10.1.2.13 → fd00:2::13"""
    *_, subnet, host = address(name).split(".")
    return f"fd00:{subnet}::{host}"


class OperatorViews(LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, _, ca, mac, _) in GUESTS.items():
            guest = cls.lab.hosts[host].add_guest(name, mac, f"{ca}/24")
            gateway = ca.rsplit(".", 1)[0] + ".1"
            cls.lab.run_in(guest.namespace, ["ip", "route", "add", "default", "via", gateway])
        for name, host in cls.lab.hosts.items():
            host.agent.apply(policy(name))
        # The first packets to a next hop are Open vSwitch's to lose: it asks for its MAC then.
        for target in ("web", "db"):
            assert cls.lab.guests["app"].reaches(address(target)), target

    # --- asking ------------------------------------------------------------------------------

    def ask(self, *words, host="host1"):
        return json.loads(self.lab.hosts[host].agent.hnvctl(*words, "--json").stdout)

    def predicted(self, port, source, destination, number, way, *options, host="host1"):
        """What process-tuples says of a UDP datagram."""
        return self.ask("process-tuples", port, "udp", source, str(SOURCE_PORT), destination,
                        str(number), way, *options, host=host)

    def arrives(self, source, target, number, tries=1):
        """Whether a datagram that is really sent comes in."""
        with self.lab.guests[target].socket(kind=socket.SOCK_DGRAM) as server, \
                self.lab.guests[source].socket(kind=socket.SOCK_DGRAM) as client:
            server.bind(("0.0.0.0", number))
            server.settimeout(0.7)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("0.0.0.0", SOURCE_PORT))
            for _ in range(tries):
                client.sendto(b"tuple", (address(target), number))
                with contextlib.suppress(TimeoutError):
                    return server.recv(100) == b"tuple"
        return False

    def rules(self, port, layer):
        """The rules of a layer: {(id, family): rule}."""
        [found] = self.ask("rules", port, layer)["layers"]
        return {(one["id"], group["family"]): one
                for group in found["groups"] for one in group["rules"]}

    def layer(self, port, way, name):
        return next(one for one in self.ask("layers", port)["directions"][way]
                    if one["name"] == name)

    # --- process-tuples, beside real packets -------------------------------------------------

    def test_what_is_delivered_arrives(self):
        said = self.predicted("app", address("app"), address("cache"), OPEN, "out")
        self.assertEqual(said["sentence"], "delivered to port cache")
        decided = [step["rule"]["id"] for step in said["steps"] if "rule" in step]
        self.assertEqual(decided, ["admin-open", "in"])
        self.assertTrue(self.arrives("app", "cache", OPEN, 3))
        # The same from the receiver's side.
        said = self.predicted("cache", address("app"), address("cache"), OPEN, "in")
        self.assertEqual((said["verdict"], said["sender"]), ("delivered", "port app"))

    def test_what_a_rule_blocks_does_not_arrive(self):
        for number, layer, identity in ((BLOCKED, "controller", "no-7001"),
                                        (ADMIN_BLOCKED, "admin", "admin-no-7050")):
            said = self.predicted("app", address("app"), address("cache"), number, "out")
            self.assertEqual(said["verdict"], "dropped")
            self.assertEqual(said["sentence"],
                             f"dropped by firewall inbound, rule {identity} of the {layer} layer, "
                             "port cache")
            self.assertFalse(self.arrives("app", "cache", number))

    def test_what_no_rule_of_a_layer_allows_does_not_arrive(self):
        said = self.predicted("app", address("app"), address("cache"), NOT_OF_ADMIN, "out")
        self.assertEqual(said["outcomes"][0]["rule"]["id"], "default")
        self.assertEqual(said["outcomes"][0]["rule"]["layer"], "admin")
        self.assertFalse(self.arrives("app", "cache", NOT_OF_ADMIN))

    def test_a_spoofed_source_is_the_guards(self):
        said = self.predicted("app", "10.1.1.99", address("cache"), OPEN, "out")
        self.assertEqual((said["verdict"], said["outcomes"][0]["layer"]), ("dropped", "guard"))
        self.assertTrue(said["notes"])
        app, cache = self.lab.guests["app"], self.lab.guests["cache"]
        spoofed, own = (packet.udp_frame(ROUTER_MAC, app.mac, source, cache.ip, b"whose",
                                         dport=OPEN) for source in ("10.1.1.99", app.ip))
        with cache.socket(kind=socket.SOCK_DGRAM) as server:
            server.bind(("0.0.0.0", OPEN))
            server.settimeout(0.7)
            app.send(spoofed)
            with self.assertRaises(TimeoutError):
                server.recv(100)
            app.send(own)
            self.assertEqual(server.recv(100), b"whose")

    def test_a_blocked_port_says_so(self):
        said = self.predicted("idle", address("idle"), address("web"), OPEN, "out")
        self.assertEqual((said["verdict"], said["outcomes"][0]["layer"]), ("dropped", "port"))
        self.assertIn("blocked", said["notes"][0])
        self.assertFalse(self.arrives("idle", "web", OPEN))

    def test_another_host_is_reached_by_its_tunnel(self):
        for target, kind in (("web", "vxlan"), ("db", "nvgre")):
            vsid = GUESTS[target][1]
            said = self.predicted("app", address("app"), address(target), OPEN, "out")
            self.assertEqual(said["verdict"], "encapsulated")
            [outcome] = said["outcomes"]
            self.assertEqual((outcome["encapsulation"], outcome["vsid"], outcome["destination"]),
                             (kind, vsid, HOSTS["host2"]))
            said = self.predicted(target, address("app"), address(target), OPEN, "in",
                                  host="host2")
            self.assertEqual(said["sentence"], f"delivered to port {target}")
            self.assertIn(HOSTS["host1"], said["sender"])
            self.assertTrue(self.arrives("app", target, OPEN, 3))

    def test_ipv6_is_no_different(self):
        app, cache, db = (address6(name) for name in ("app", "cache", "db"))
        said = self.predicted("app", app, cache, OPEN, "out")
        self.assertEqual(said["sentence"], "delivered to port cache")
        said = self.predicted("app", app, cache, BLOCKED, "out")
        self.assertEqual(said["outcomes"][0]["rule"]["id"], "no-7001")
        said = self.predicted("app", app, db, OPEN, "out")
        self.assertEqual((said["verdict"], said["outcomes"][0]["vsid"]), ("encapsulated", 5002))
        said = self.predicted("db", app, db, OPEN, "in", host="host2")
        self.assertEqual(said["sentence"], "delivered to port db")
        said = self.predicted("app", "fd00:1::99", cache, OPEN, "out")
        self.assertEqual(said["outcomes"][0]["layer"], "guard")

    def test_a_tunnel_packet_of_an_unknown_host_is_dropped(self):
        said = self.predicted("app", address("web"), address("app"), OPEN, "in", "--from=9.9.9.9")
        self.assertEqual((said["verdict"], said["outcomes"][0]["layer"]),
                         ("dropped", "tunnel-guard"))

    def test_an_address_that_nobody_has(self):
        said = self.predicted("app", address("app"), "10.1.1.77", OPEN, "out")
        self.assertEqual((said["verdict"], said["outcomes"][0]["layer"]), ("dropped", "mapping"))
        self.assertIn("nobody", said["notes"][0])
        said = self.predicted("app", address("app"), "10.1.2.77", OPEN, "out")
        self.assertEqual(said["verdict"], "refused")
        self.assertIn("nobody has the address", said["outcomes"][0]["reason"])
        self.assertEqual(self.lab.guests["app"].ping("10.1.2.77", count=1).received, 0)

    def test_without_a_route_or_a_hop_left_the_router_says_so(self):
        app = self.lab.guests["app"]
        said = self.predicted("app", address("app"), "172.16.0.1", OPEN, "out")
        self.assertEqual(said["outcomes"][0]["reason"], "no route to the destination")
        self.assertIn("nreachable", app.ping("172.16.0.1", count=1).output)
        said = self.predicted("app", address("app"), address("cache"), OPEN, "out", "--ttl=1")
        self.assertIn("TTL", said["outcomes"][0]["reason"])
        done = app.run("ping", "-n", "-c1", "-W1", "-t1", address("cache"), check=False)
        self.assertIn("exceeded", done.stdout)

    def test_the_gateway_answers_ping(self):
        said = self.ask("process-tuples", "app", "icmp", address("app"), "8", "10.1.1.1", "0",
                        "out")
        self.assertEqual(said["sentence"], "delivered to port app")
        self.assertEqual(self.lab.guests["app"].ping("10.1.1.1", count=1).received, 1)

    def test_replies_pass_where_a_new_connection_does_not(self):
        back = ("cache", "udp", address("app"), str(NOT_OF_ADMIN), address("cache"),
                str(SOURCE_PORT), "in")
        self.assertEqual(self.ask("process-tuples", *back)["verdict"], "dropped")
        self.assertEqual(self.ask("process-tuples", *back, "--ct-state=est,rpl")["verdict"],
                         "delivered")

    def test_another_tenant_is_another_world(self):
        # 10.1.1.12 is a port of this host in the other network, and on host 2 in this one.
        said = self.predicted("app", address("app"), "10.1.1.12", OPEN, "out")
        self.assertEqual(said["verdict"], "encapsulated")
        said = self.predicted("app", "10.1.1.12", address("app"), OPEN, "in")
        self.assertIn("host", said["sender"])

    # --- layers, rules, flows ----------------------------------------------------------------

    def test_rules_count_what_was_sent(self):
        before = self.rules("cache", "firewall-in-controller")[("no-7001", "IPv4")]["packets"]
        layer_before = self.layer("cache", "in", "firewall-in-controller")["packets"]
        for _ in range(3):
            self.assertFalse(self.arrives("app", "cache", BLOCKED))

        def counted():
            found = self.rules("cache", "firewall-in-controller")[("no-7001", "IPv4")]
            return found["packets"] >= before + 3
        self.eventually(counted, "the rule has counted three packets")
        found = self.rules("cache", "firewall-in-controller")[("no-7001", "IPv4")]
        self.assertEqual(found["packets"], before + 3)
        self.assertEqual((found["priority"], found["action"]), (50, "block"))
        self.assertIn(str(BLOCKED), found["condition"])
        self.assertGreaterEqual(self.layer("cache", "in", "firewall-in-controller")["packets"],
                                layer_before + 3)

    def test_a_port_is_shown_its_own_rules_only(self):
        mine = {identity for identity, _ in self.rules("cache", "firewall-in-admin")}
        self.assertLessEqual({"admin-open", "admin-ping", "admin-no-7050"}, mine)
        others = {identity for identity, _ in self.rules("app", "firewall-in-admin")}
        self.assertFalse({"admin-open", "admin-ping"} & others)

    def test_layers_are_those_of_a_direction(self):
        directions = self.ask("layers", "app")["directions"]
        out, back = ([layer["name"] for layer in directions[way]] for way in ("out", "in"))
        self.assertLess(out.index("guard"), out.index("router"))
        self.assertLess(out.index("router"), out.index("tunnel"))
        self.assertIn("tunnel-guard", back)
        self.assertNotIn("guard", back)

    def test_unified_flows_name_packet_port_and_rules(self):
        self.assertTrue(self.arrives("app", "cache", OPEN, 3))
        self.assertTrue(self.arrives("web", "app", OPEN, 3))

        def rule_ids(flow):
            return {step["rule"]["id"] for step in flow.get("rules", []) if "rule" in step}

        def found():
            flows = self.ask("unified-flows")["flows"]
            judged = [flow for flow in flows
                      if flow["packet"].startswith("UDP") and "admin-open" in rule_ids(flow)]
            tunnelled = [flow for flow in flows if flow.get("tunnel", {}).get("vsid") == 5001
                         and "output to app" in flow["actions"]]
            # Flows go some seconds after their last packet.
            if not judged or not tunnelled:
                self.arrives("app", "cache", OPEN)
                self.arrives("web", "app", OPEN)
                return None
            return judged[0], tunnelled[0]
        judged, tunnelled = self.eventually(found, "the flows are in the datapath")
        self.assertEqual(judged["in_port"], "app")
        self.assertEqual(tunnelled["tunnel"]["source"], HOSTS["host2"])
        self.assertIn("tunnel-guard", [step["layer"] for step in tunnelled["rules"]])
        bounded = self.ask("unified-flows", "app", "--max=1")
        self.assertLessEqual(bounded["traced"], 1)

    def test_spaces_are_the_tenants_and_the_providers(self):
        spaces = self.ask("spaces")
        networks = {one["router"]: one for one in spaces["virtual_networks"]}
        contoso = {one["vsid"]: one for one in networks["contoso"]["subnets"]}
        self.assertEqual(contoso[5001]["prefixes"],
                         [{"prefix": "10.1.1.0/24", "gateway": "10.1.1.1"},
                          {"prefix": "fd00:1::/64", "gateway": "fd00:1::1"}])
        self.assertEqual((contoso[5001]["mappings"], contoso[5001]["ports"]),
                         (6, ["app", "idle"]))
        self.assertEqual([one["ports"] for one in networks["fabrikam"]["subnets"]],
                         [["other"], []])
        [peer] = spaces["provider_space"]["peers"]
        self.assertEqual((peer["address"], peer["mappings"]), (HOSTS["host2"], 4))

    def test_each_command_has_a_view_for_a_person(self):
        agent = self.lab.hosts["host1"].agent
        for words in (("layers", "app"), ("rules", "app"), ("spaces",), ("unified-flows",),
                      ("process-tuples", "app", "tcp", address("app"), "1", address("db"), "2",
                       "out")):
            self.assertGreater(len(agent.hnvctl(*words).stdout.splitlines()), 3, words)

    def test_nothing_is_sent_by_asking(self):
        with self.lab.guests["cache"].capture() as capture:
            self.predicted("app", address("app"), address("cache"), OPEN, "out")
            said = [frame for frame in capture.sync().frames
                    if bytes([10, 1, 1, 11]) in frame.raw]
        self.assertEqual(said, [])

    # --- what is wrong -----------------------------------------------------------------------

    def refused(self, *words):
        agent = self.lab.hosts["host1"].agent
        done = run([binary("hnvctl"), f"--run-dir={agent.run_dir}", *words], check=False)
        return done.returncode, done.stderr

    def test_wrong_words_are_named(self):
        for status, text, words in (
                (1, "no port 'nope'", ("layers", "nope")),
                (1, "no port 'nope'", ("unified-flows", "nope")),
                (1, "none of the layers", ("rules", "app", "nonsense")),
                (2, "usage: hnvctl rules PORT [LAYER]", ("rules",)),
                (2, "one argument too many", ("spaces", "app")),
                (1, "'frob' is not a protocol",
                 ("process-tuples", "app", "frob", "1.1.1.1", "1", "1.1.1.2", "2", "in")),
                (1, "--from=PA names the host",
                 ("process-tuples", "app", "tcp", "8.8.8.8", "1", "10.1.1.11", "2", "in"))):
            found, said = self.refused(*words)
            self.assertEqual(found, status, words)
            self.assertIn(text, said)


if __name__ == "__main__":
    main()
