#!/usr/bin/python3
"""Service insertion: matching traffic goes through an appliance first, on this host or another."""

import secrets
import socket

from hnvlab import netns, packet, services
from hnvlab.policy import allow_all
from hnvlab.services import insertion
from hnvlab.testing import LabTestCase, main

HOSTS = {"host1": "192.168.1.10", "host2": "192.168.2.20"}
# Name: host, VSID, address, MAC. Appliances: one in the sender's subnet and on its host, one in
# another subnet and on the other host.
GUESTS = {
    "app": ("host1", 5001, "10.1.1.11", "00:15:5d:50:01:0b"),
    "near": ("host1", 5001, "10.1.1.13", "00:15:5d:50:01:0d"),
    "db": ("host2", 5002, "10.1.2.12", "00:15:5d:50:02:0c"),
    "nva1": ("host1", 5001, "10.1.1.50", "00:15:5d:50:01:32"),
    "nva2": ("host2", 5002, "10.1.2.50", "00:15:5d:50:02:32"),
}
APPLIANCES = ("nva1", "nva2")
UNMAPPED = "10.1.1.99"
# Table, agent/pipeline/layout.h.
INSERTION = 13


def policy(host, gone=()):
    ports = [name for name, guest in GUESTS.items() if guest[0] == host]
    return {
        "version": 1,
        "provider_addresses": [{"address": f"{HOSTS[host]}/24"}],
        "virtual_networks": [
            {"id": "contoso", "routed": True,
             "subnets": [{"vsid": 5001, "prefix": "10.1.1.0/24"},
                         {"vsid": 5002, "prefix": "10.1.2.0/24"}]}],
        "mappings": [{"vsid": vsid, "ca": ca, "mac": mac, "pa": HOSTS[place]}
                     for name, (place, vsid, ca, mac) in GUESTS.items() if name not in gone],
        "ports": [{"name": name, "vsid": GUESTS[name][1],
                   **({"settings": {"ip_forwarding_allowed": True}} if name in APPLIANCES else {})}
                  for name in ports],
        "acls": [line for name in ports for line in allow_all(name)],
    }


class ServiceInsertion(LabTestCase):
    @classmethod
    def build(cls):
        for name, pa in HOSTS.items():
            cls.lab.add_host(name, f"{pa}/24").agent.start()
        for name, (host, _, address, mac) in GUESTS.items():
            guest = cls.lab.hosts[host].add_guest(name, mac, f"{address}/24")
            guest.run("ip", "route", "add", "default", "via", address.rsplit(".", 1)[0] + ".1")
            if name in APPLIANCES:
                netns.write_sysctls(guest.namespace, {
                    "net/ipv4/ip_forward": 1, "net/ipv4/conf/all/send_redirects": 0,
                    "net/ipv4/conf/eth0/send_redirects": 0, "net/ipv4/conf/all/rp_filter": 0,
                    "net/ipv4/conf/eth0/rp_filter": 0})
        cls.host1, cls.host2 = cls.lab.hosts["host1"], cls.lab.hosts["host2"]
        for name, host in cls.lab.hosts.items():
            host.agent.apply(policy(name))
            host.resolves_router()
        for one, other in (("app", "db"), ("nva1", "db"), ("nva2", "app"), ("app", "near")):
            assert cls.lab.guests[one].reaches(GUESTS[other][2]), f"{one} reaches {other}"
        cls.listeners = []
        for name in ("db", "near"):
            for port in (40001, 40002):
                listener = cls.lab.guests[name].socket(kind=socket.SOCK_DGRAM)
                listener.bind(("0.0.0.0", port))
                cls.listeners.append(listener)

    @classmethod
    def tearDownClass(cls):
        for listener in cls.listeners:
            listener.close()
        super().tearDownClass()

    def setUp(self):
        for host in self.lab.hosts.values():
            services.write(host.agent)

    def guest(self, name):
        return self.lab.guests[name]

    def datagram(self, source, target, *, dport=40001, size=0):
        """Sends one from guest to guest; returns what tells its frames from all others."""
        token = secrets.token_bytes(8).hex().encode()
        with self.guest(source).socket(kind=socket.SOCK_DGRAM) as sender:
            sender.sendto(token.ljust(size, b"."), (GUESTS[target][2], dport))
        return token

    def way_of(self, source, target, **options):
        """The appliances that one datagram passes, and the frame that arrives."""
        with self.guest("nva1").capture() as one, self.guest("nva2").capture() as two, \
                self.guest(target).capture() as end:
            token = self.datagram(source, target, **options)

            def having(frame):
                return token in frame.raw and not frame.outgoing
            [arrived] = end.wait_for(having, "the datagram")
            passed = [name for name, capture in zip(APPLIANCES, (one, two))
                      if capture.sync().select(having)]
        return passed, arrived

    def test_what_matches_goes_through_the_appliance_and_the_rest_does_not(self):
        for appliance in APPLIANCES:
            services.write(self.host1.agent,
                           insertion("app", f"next-hop={GUESTS[appliance][2]}", protocols="UDP",
                                     dst_ports="40001"))
            for target in ("db", "near"):
                passed, arrived = self.way_of("app", target)
                self.assertEqual(passed, [appliance], target)
                self.assertEqual(arrived.ip.src, GUESTS["app"][2])
                self.assertEqual(self.way_of("app", target, dport=40002)[0], [], target)

    def test_it_sees_the_frame_as_the_guest_sent_it_but_for_its_own_mac(self):
        services.write(self.host1.agent, insertion("app", f"next-hop={GUESTS['nva2'][2]}"))
        with self.guest("app").capture() as sent, self.guest("nva2").capture() as seen:
            token = self.datagram("app", "db")

            def of_app(frame):
                return token in frame.raw and frame.src == GUESTS["app"][3]
            [original] = sent.wait_for(of_app, "what the guest sent")
            [inserted] = seen.wait_for(of_app, "what the appliance got")
        self.assertEqual(inserted.dst, GUESTS["nva2"][3])
        self.assertEqual(inserted.raw[6:], original.raw[6:])

    def test_all_fragments_go_one_way(self):
        services.write(self.host1.agent,
                       insertion("app", f"next-hop={GUESTS['nva1'][2]}", protocols="UDP",
                                 dst_ports="40001"))
        with self.guest("nva1").capture() as seen, self.guest("db").capture() as end:
            token = self.datagram("app", "db", size=4000)
            [first] = end.wait_for(lambda frame: token in frame.raw, "the first fragment")

            def of_it(frame):
                return frame.ip and not frame.outgoing and frame.raw[18:20] == first.raw[18:20]
            end.wait_for(of_it, "all fragments", count=3)
            self.assertEqual(len(seen.sync().select(of_it)), 3)

    def test_other_ports_and_replies_take_the_direct_way(self):
        services.write(self.host1.agent, insertion("app", f"next-hop={GUESTS['nva1'][2]}"))
        self.assertEqual(self.way_of("near", "db")[0], [])
        with self.guest("nva1").capture() as seen:
            self.assertEqual(self.guest("app").ping(GUESTS["db"][2]).received, 3)
            kinds = {frame.ip.icmp_type for frame in seen.sync().select(
                lambda frame: frame.ip and frame.ip.protocol == packet.ICMP)}
        self.assertEqual(kinds, {8})

    def test_the_first_rule_decides_and_its_end_ends_it(self):
        services.write(self.host1.agent,
                       insertion("app", f"next-hop={GUESTS['nva2'][2]}", "b", priority=20),
                       insertion("app", f"next-hop={GUESTS['nva1'][2]}", "a", priority=10,
                                 dst_ip_addresses="10.1.2.0/24"))
        self.assertEqual(self.way_of("app", "db")[0], ["nva1"])
        self.assertEqual(self.way_of("app", "near")[0], ["nva2"])
        services.write(self.host1.agent)
        self.assertEqual(self.way_of("app", "db")[0], [])

    def test_broadcast_is_not_inserted(self):
        services.write(self.host1.agent, insertion("app", f"next-hop={GUESTS['nva2'][2]}"))
        app, token = self.guest("app"), secrets.token_bytes(8)
        with self.guest("near").capture() as near, self.guest("nva2").capture() as seen:
            app.send(packet.udp_frame(packet.BROADCAST, app.mac, app.ip, "10.1.1.255", token))
            near.wait_for(lambda frame: token in frame.raw, "the broadcast")
            self.assertFalse(seen.sync().select(lambda frame: token in frame.raw))

    def test_without_its_appliance_traffic_is_dropped_or_passed_on_as_the_rule_says(self):
        def dropped():
            return sum(flow.packets for flow in self.host1.flows()
                       if flow.table == INSERTION and flow.actions == "drop")

        services.write(self.host1.agent, insertion("app", f"next-hop={UNMAPPED} fail=open"))
        self.eventually(lambda: "next-hop-unmapped" in self.host1.agent.fault_keys(), "the fault")
        self.assertEqual(self.way_of("app", "db")[0], [])
        services.write(self.host1.agent, insertion("app", f"next-hop={UNMAPPED}"))
        with self.guest("db").capture() as end:
            token = self.datagram("app", "db")
            self.eventually(lambda: dropped() == 1, "the drop is counted")
            last = self.datagram("near", "db")
            end.wait_for(lambda frame: last in frame.raw, "another's datagram")
            self.assertFalse(end.sync().select(lambda frame: token in frame.raw))

    def test_it_follows_the_appliances_mapping(self):
        services.write(self.host1.agent,
                       insertion("app", f"next-hop={GUESTS['nva2'][2]} fail=open"))
        self.assertEqual(self.way_of("app", "db")[0], ["nva2"])
        self.host1.agent.apply(policy("host1", gone=("nva2",)))
        self.assertEqual(self.way_of("app", "db")[0], [])
        self.eventually(lambda: "next-hop-unmapped" in self.host1.agent.fault_keys(), "the fault")
        self.host1.agent.apply(policy("host1"))
        self.assertEqual(self.way_of("app", "db")[0], ["nva2"])
        self.eventually(lambda: "next-hop-unmapped" not in self.host1.agent.fault_keys(),
                        "the fault goes")


if __name__ == "__main__":
    main()
