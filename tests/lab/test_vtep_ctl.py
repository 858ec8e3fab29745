#!/usr/bin/python3
"""Every command of vtep-ctl (Debian's openvswitch-vtep) pointed at the agent.

SCENARIOS is the table: what is said to vtep-ctl, and what it answers. Each scenario leaves the
database as it found it, and is performed on the agent's Unix socket and on its port for
controllers. What comes of the agent's own rows, and what packets do, are tests of their own.
"""

import os
import re
import shlex
import sys
import time
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import testing  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

PA, REMOTE_PA = "192.168.1.10", "192.168.2.20"
MAC = "02:00:00:00:00:1a"
VTEP_SCHEMA = "/usr/share/openvswitch/vtep.ovsschema"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Fails:
    """The exit status, and what is on standard error."""
    said: str
    status: int = 1


@dataclass(frozen=True)
class Matches:
    """Standard output matches this pattern as a whole."""
    pattern: str


@dataclass(frozen=True)
class Step:
    words: str
    expected: object = ""  # Standard output without white space around it, Fails or Matches.


def steps(*lines):
    return [Step(*((line,) if isinstance(line, str) else line)) for line in lines]


SCENARIOS = {
    "physical switches": steps(
        ("list-ps", "host1"),
        "ps-exists host1",
        ("ps-exists nobody", Fails("", 2)),
        ("add-ps host1", Fails("cannot create physical switch host1 because it already exists")),
        "--may-exist add-ps host1",
        ("del-ps nobody", Fails("no physical switch named nobody")),
        "--if-exists del-ps nobody",
        ("list-ps", "host1"),
    ),
    "ports": steps(
        ("list-ports host1", ""),
        "add-port host1 uplink",
        "--may-exist add-port host1 uplink",
        ("add-port host1 uplink", Fails("a port named uplink on host1 because a port")),
        ("add-port nobody uplink2", Fails("no physical switch named nobody")),
        "add-port host1 another -- set Physical_Port another description=spare",
        ("list-ports host1", "another\nuplink"),
        ("get Physical_Port another description", "spare"),
        ("del-port host1 nobody", Fails("no port named nobody")),
        "--if-exists del-port host1 nobody",
        ("del-port uplink", Fails("at least 2 arguments")),
        "del-port host1 uplink -- del-port host1 another",
        ("list-ports host1", ""),
    ),
    "logical switches": steps(
        "add-ls floor",
        ("add-ls floor", Fails("cannot create logical switch floor because it already exists")),
        "--may-exist add-ls floor",
        "ls-exists floor",
        ("ls-exists roof", Fails("", 2)),
        "add-ls attic",
        ("list-ls", "attic\nfloor"),
        ("del-ls roof", Fails("no logical switch named roof")),
        "--if-exists del-ls roof",
        "del-ls attic -- del-ls floor",
        ("list-ls", ""),
    ),
    "bindings": steps(
        "add-ls floor -- add-ls attic -- add-port host1 uplink",
        "bind-ls host1 uplink 0 floor -- bind-ls host1 uplink 20 attic",
        ("list-bindings host1 uplink", "0000 floor\n0020 attic"),
        ("bind-ls host1 uplink 20 floor", Fails("multiple bindings for vlan 20")),
        ("bind-ls host1 uplink 30 roof", Fails("no logical switch named roof")),
        ("bind-ls host1 nobody 30 floor", Fails("no port named nobody")),
        ("get Physical_Port uplink vlan_bindings", Matches(r"\{0=" + UUID + ", 20=" + UUID + "}")),
        "unbind-ls host1 uplink 20",
        ("unbind-ls host1 uplink 20", Fails("no binding for vlan 20")),
        ("list-bindings host1 uplink", "0000 floor"),
        ("bind-ls host1 uplink 4096 floor", Fails("4096")),
        # A port's references go with it, and only once the transaction has been.
        ("unbind-ls host1 uplink 0 -- del-port host1 uplink -- del-ls floor",
         Fails("cannot delete Logical_Switch row")),
        "unbind-ls host1 uplink 0 -- del-port host1 uplink",
        "del-ls floor -- del-ls attic",
    ),
    "replication mode": steps(
        "add-ls floor",
        "set-replication-mode floor source_node",
        ("get-replication-mode floor", "source_node"),
        "set-replication-mode floor service_node",
        ("get-replication-mode floor", "service_node"),
        ("set-replication-mode floor any", Fails("must be 'service_node' or 'source_node'")),
        ("get-replication-mode roof", Fails("no logical switch named roof")),
        ("set Logical_Switch floor replication_mode=any", Fails("not one of the allowed values")),
        "clear Logical_Switch floor replication_mode",
        ("get Logical_Switch floor replication_mode", "[]"),
        "del-ls floor",
    ),
    "logical routers": steps(
        "add-lr core",
        ("add-lr core", Fails("cannot create logical router core because it already exists")),
        "--may-exist add-lr core",
        "lr-exists core",
        ("lr-exists edge", Fails("", 2)),
        ("list-lr", "core"),
        ("del-lr edge", Fails("no logical router named edge")),
        "--if-exists del-lr edge",
        "add-ls floor -- set Logical_Switch floor tunnel_key=42",
        ("--id=@floor get Logical_Switch floor -- "
         "set Logical_Router core switch_binding:10.1.1.0/24=@floor"),
        ("get Logical_Router core switch_binding", Matches(r'\{"10.1.1.0/24"=' + UUID + "}")),
        "set Logical_Router core static_routes:0.0.0.0/0=10.1.1.254",
        ("get Logical_Router core static_routes:0.0.0.0/0", '"10.1.1.254"'),
        "del-lr core -- del-ls floor",
        ("list-lr", ""),
    ),
    "remote MACs": steps(
        "add-ls floor -- set Logical_Switch floor tunnel_key=42",
        f"add-ucast-remote floor {MAC} {REMOTE_PA}",
        f"add-ucast-remote floor 02:00:00:00:00:1b vxlan_over_ipv4 {REMOTE_PA}",
        f"add-mcast-remote floor unknown-dst {REMOTE_PA}",
        f"add-mcast-remote floor unknown-dst vxlan_over_ipv4 192.168.2.21",
        ("list-remote-macs floor",
         f"ucast-mac-remote\n  02:00:00:00:00:1a -> vxlan_over_ipv4/{REMOTE_PA}\n"
         f"  02:00:00:00:00:1b -> vxlan_over_ipv4/{REMOTE_PA}\n\n"
         f"mcast-mac-remote\n  unknown-dst -> vxlan_over_ipv4/{REMOTE_PA}\n"
         "  unknown-dst -> vxlan_over_ipv4/192.168.2.21"),
        # Said again with another locator it moves there.
        f"add-ucast-remote floor {MAC} 192.168.2.21",
        ("list-remote-macs floor", Matches(
            rf"[^\n]*\n  {MAC} -> vxlan_over_ipv4/192\.168\.2\.21\n[^#]*")),
        "del-mcast-remote floor unknown-dst 192.168.2.21",
        f"del-mcast-remote floor unknown-dst vxlan_over_ipv4 {REMOTE_PA}",
        f"del-ucast-remote floor {MAC}",
        ("list-remote-macs floor",
         f"ucast-mac-remote\n  02:00:00:00:00:1b -> vxlan_over_ipv4/{REMOTE_PA}\n\n"
         "mcast-mac-remote"),
        f"add-mcast-remote floor unknown-dst {REMOTE_PA}",
        "clear-remote-macs floor",
        ("list-remote-macs floor", "ucast-mac-remote\n\nmcast-mac-remote"),
        (f"add-ucast-remote roof {MAC} {REMOTE_PA}", Fails("no logical switch named roof")),
        (f"add-ucast-remote floor {MAC} gre {REMOTE_PA}", Fails("not one of the allowed values")),
        "del-ls floor",
        ("--bare --columns=_uuid list Physical_Locator", ""),  # Nothing refers to them any more.
    ),
    "local MACs": steps(
        # Local MACs are the agent's to write. What a command of its own transaction sees is this.
        "add-ls floor",
        (f"add-ucast-local floor {MAC} {PA} -- add-mcast-local floor unknown-dst {PA} -- "
         "list-local-macs floor",
         f"ucast-mac-local\n  {MAC} -> vxlan_over_ipv4/{PA}\n\n"
         f"mcast-mac-local\n  unknown-dst -> vxlan_over_ipv4/{PA}"),
        (f"add-ucast-local floor {MAC} vxlan_over_ipv4 {PA} -- "
         f"add-mcast-local floor unknown-dst vxlan_over_ipv4 {PA} -- "
         f"del-ucast-local floor {MAC} -- del-mcast-local floor unknown-dst {PA} -- "
         "list-local-macs floor", "ucast-mac-local\n\nmcast-mac-local"),
        ("list-local-macs roof", Fails("no logical switch named roof")),
        "clear-local-macs floor",
        "del-ls floor",
    ),
    "managers": steps(
        ("get-manager", ""),
        "set-manager ptcp:6655:127.0.0.1",
        ("get-manager", "ptcp:6655:127.0.0.1"),
        "--inactivity-probe=30000 set-manager ptcp:6656:127.0.0.1 ptcp:6655:127.0.0.1",
        ("get-manager", "ptcp:6655:127.0.0.1\nptcp:6656:127.0.0.1"),
        ("get Manager ptcp:6656:127.0.0.1 inactivity_probe", "30000"),
        ("set Manager ptcp:6656:127.0.0.1 max_backoff=999",
         Fails("999 is less than minimum allowed value 1000")),
        "set Manager ptcp:6656:127.0.0.1 max_backoff=2000",
        "del-manager",
        ("get-manager", ""),
        ("set-manager", Fails("at least 1 arguments")),
    ),
    "show": steps(
        "add-ls floor -- add-port host1 uplink -- bind-ls host1 uplink 0 floor",
        ("show", Matches(rf'{UUID}\n    Physical_Switch host1\n        tunnel_ips: '
                         rf'\["{re.escape(PA)}"\]\n        Physical_Port uplink\n'
                         rf'            vlan_bindings:\n                0=floor')),
        "del-port host1 uplink",
        "del-ls floor",
    ),
    "database commands": steps(
        ("--id=@floor create Logical_Switch name=floor description='\"the ground floor\"' "
         "tunnel_key=42", Matches(UUID)),
        ("get Logical_Switch floor name tunnel_key", "floor\n42"),
        ("get logical-switch floor tunnel_k", "42"),  # Names of tables and columns are matched.
        ("--columns=name,tunnel_key --format=csv find Logical_Switch tunnel_key=42",
         "name,tunnel_key\nfloor,42"),
        ("--bare --columns=name find Logical_Switch tunnel_key>41", "floor"),
        ("--bare --columns=name find Logical_Switch tunnel_key<42", ""),
        ("--columns=description --format=json list Logical_Switch floor",
         '{"data":[["the ground floor"]],"headings":["description"]}'),
        ("list Logical_Switch roof", Fails('no row "roof" in table Logical_Switch')),
        "--if-exists get Logical_Switch roof name",
        ("get Logical_Switch floor colour",
         Fails('not contain a column whose name matches "colour"')),
        ("list Rooms", Fails('unknown table "Rooms"')),
        "set Logical_Switch floor other_config:cleaned=daily tunnel_key=43",
        ("get Logical_Switch floor other_config:cleaned", "daily"),
        ("get Logical_Switch floor other_config:painted", Fails('no key "painted"')),
        "add Logical_Switch floor other_config painted=white",
        ("get Logical_Switch floor other_config", "{cleaned=daily, painted=white}"),
        "remove Logical_Switch floor other_config cleaned",
        ("get Logical_Switch floor other_config", "{painted=white}"),
        "clear Logical_Switch floor other_config tunnel_key",
        ("get Logical_Switch floor other_config tunnel_key", "{}\n[]"),
        ("set Logical_Switch floor tunnel_key=many", Fails("not a valid integer")),
        ("set Logical_Switch floor tunnel_key=16777216", ""),  # Refused by a fault, see below.
        "clear Logical_Switch floor tunnel_key",
        ("create Logical_Switch name=floor", Fails("constraint violation")),
        ("get Global . switches", Matches(rf"\[{UUID}\]")),
        "wait-until Logical_Switch floor name=floor",
        ("--timeout=1 wait-until Logical_Switch roof", Fails("", -14)),
        "comment this is all",
        "destroy Logical_Switch floor",
        ("destroy Logical_Switch floor", Fails('no row "floor"')),
        "--if-exists destroy Logical_Switch floor",
        ("create Logical_Switch name=a -- create Logical_Switch name=b",
         Matches(rf"{UUID}\n{UUID}")),
        "--all destroy Logical_Switch",
        ("list-ls", ""),
    ),
    "acls": steps(
        ("--id=@e create ACL_entry sequence=1 direction=ingress action=deny -- "
         "--id=@a create ACL acl_name=doors acl_entries=@e", Matches(rf"{UUID}\n{UUID}")),
        ("--bare --columns=acl_name list ACL", "doors"),
        ("--bare --columns=action find ACL_entry sequence=1", "deny"),
        ("create ACL_entry sequence=1 direction=up action=deny",
         Fails("not one of the allowed values")),
        "--all destroy ACL -- --all destroy ACL_entry",
    ),
    "options": steps(
        "--dry-run add-ls floor",
        ("list-ls", ""),
        "add-ls floor -- add-ls attic",
        ("--oneline list-ls -- list-ps", "attic\\nfloor\nhost1"),
        ("list-ls -- add-ls floor", Fails("already exists")),
        # One transaction: the second command fails, the first has not been.
        ("add-ls roof -- add-ls floor", Fails("already exists")),
        ("ls-exists roof", Fails("", 2)),
        ("unheard-of", Fails("unknown command 'unheard-of'")),
        ("add-ls", Fails("requires at least 1 arguments")),
        ("del-ls floor attic", Fails("takes at most 1 arguments")),
        "del-ls floor -- del-ls attic",
    ),
}


def commands_said():
    """Each command that the table performs and expects to succeed."""
    said = set()
    for scenario in SCENARIOS.values():
        for step in scenario:
            for part in re.split(r"(?:^| )-- ", step.words):
                if not isinstance(step.expected, Fails):
                    said.add(next(word for word in shlex.split(part) if not word.startswith("-")))
    return said


class VtepCtl(testing.LabTestCase):
    @classmethod
    def build(cls):
        cls.host = cls.lab.add_host("host1", f"{PA}/24")
        cls.agent = cls.host.agent
        cls.agent.start()
        cls.agent.apply({"version": 1, "provider_addresses": [{"address": f"{PA}/24"}]})
        wait_until(lambda: PA in cls.ctl("get Physical_Switch host1 tunnel_ips")[1],
                   "the switch tells its address")

    @classmethod
    def ctl(cls, words, database=None):
        """(exit status, standard output, standard error) of one vtep-ctl."""
        done = run(["ip", "netns", "exec", cls.host.namespace, "vtep-ctl", "--timeout=10",
                    f"--db={database or cls.agent.socket}", *shlex.split(words)], check=False)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def perform(self, step, database=None):
        status, output, errors = self.ctl(step.words, database)
        expected = step.expected
        deadline = time.monotonic() + 5
        # A tunnel of the agent's keeps its locator for a moment.
        while (" list " in step.words and isinstance(expected, str) and output != expected
               and time.monotonic() < deadline):
            status, output, errors = self.ctl(step.words, database)
        if isinstance(expected, Fails):
            self.assertEqual(status, expected.status, f"{step.words}: {output} {errors}")
            self.assertIn(expected.said, errors, step.words)
            return
        self.assertEqual(status, 0, f"{step.words}: {errors}")
        if isinstance(expected, Matches):
            self.assertRegex(output, rf"\A(?:{expected.pattern})\Z", step.words)
        else:
            self.assertEqual(output, expected, step.words)

    def perform_all(self, database):
        for name, scenario in SCENARIOS.items():
            with self.subTest(scenario=name):
                try:
                    for step in scenario:
                        self.perform(step, database)
                finally:
                    self.clear(database)

    def clear(self, database):
        """Leaves nothing of a scenario, also when it failed half way."""
        tables = ("Ucast_Macs_Remote", "Mcast_Macs_Remote", "Logical_Router", "ACL", "ACL_entry")
        self.ctl(" -- ".join(["clear Physical_Switch host1 ports", "clear Global . managers",
                              *(f"--all destroy {table}" for table in tables)]), database)
        # By then the ports that referred to them are gone.
        self.ctl("--all destroy Logical_Switch", database)

    def test_all_scenarios_on_the_unix_socket(self):
        self.perform_all(self.agent.socket)

    def test_all_scenarios_on_the_port_for_controllers(self):
        self.perform_all("tcp:127.0.0.1:6640")

    def test_a_stock_server_gives_the_same_answers(self):
        """The table is about vtep-ctl and OVSDB, and nothing in it is this agent's invention."""
        stock = f"unix:{self.host.directory}/stock.sock"
        path = os.path.join(self.host.directory, "stock.db")
        run(["ovsdb-tool", "create", path, VTEP_SCHEMA])
        server = self.lab.spawn(
            ["ovsdb-server", path, f"--remote=p{stock}", f"--unixctl={path}.ctl", "-vconsole:off"],
            namespace=self.host.namespace, log="stock-server.out")
        try:
            self.eventually(lambda: self.ctl(f"add-ps host1 -- set Physical_Switch host1 "
                                             f"tunnel_ips={PA}", stock)[0] == 0, "it serves")
            self.perform_all(stock)
        finally:
            server.end()

    def test_every_command_of_its_help_is_in_the_table(self):
        text = run(["vtep-ctl", "--help"]).stdout.split("Options:")[0]
        listed = re.findall(r"^  (?:\[[^]]*\]\s+)?([a-z][a-z-]+)(?= )", text, re.MULTILINE)
        self.assertGreater(len(listed), 40)
        self.assertEqual(set(listed) - commands_said(), set())

    # --- what the agent makes of it ----------------------------------------------------------

    def said(self, words):
        """What a command that succeeds prints."""
        status, output, errors = self.ctl(words)
        self.assertEqual(status, 0, f"{words}: {errors}")
        return output

    def test_the_switch_comes_back_when_it_is_deleted(self):
        for words in ("del-ps host1", "destroy Global ."):
            with self.subTest(words=words):
                self.said(words)
                self.eventually(lambda: self.said("list-ps") == "host1", "the switch is there")
                self.eventually(lambda: self.said("get Physical_Switch host1 tunnel_ips") ==
                                f'["{PA}"]', "it tells its address")
                self.assertEqual(self.said("get Global . switches"),
                                 f"[{self.said('get Physical_Switch host1 _uuid')}]")

    def test_tunnel_ips_are_the_agents(self):
        for words in ("clear Physical_Switch host1 tunnel_ips",
                      "set Physical_Switch host1 tunnel_ips=192.0.2.1",
                      "add Physical_Switch host1 tunnel_ips 192.0.2.1"):
            with self.subTest(words=words):
                self.said(words)
                self.eventually(lambda: self.said("get Physical_Switch host1 tunnel_ips") ==
                                f'["{PA}"]', "they are what the host carries")

    def test_local_macs_are_the_agents(self):
        """What a command adds is taken away, and what it takes away comes back."""
        guest = self.host.add_guest("local", "02:00:00:00:01:0a", "10.1.1.10/24")
        self.said("add-ls floor -- set Logical_Switch floor tunnel_key=42 -- "
                  "add-port host1 local -- bind-ls host1 local 0 floor")
        published = (f"ucast-mac-local\n  {guest.mac} -> vxlan_over_ipv4/{PA}\n\n"
                     f"mcast-mac-local\n  unknown-dst -> vxlan_over_ipv4/{PA}")

        def told():
            guest.send_arp_request("10.1.1.99")  # Whoever speaks is learned.
            return self.said("list-local-macs floor") == published

        self.eventually(told, "the guest is published")
        for words in (f"add-ucast-local floor {MAC} {PA}", "clear-local-macs floor",
                      f"del-ucast-local floor {guest.mac}",
                      f"add-mcast-local floor unknown-dst {REMOTE_PA}",
                      f"del-mcast-local floor unknown-dst {PA}"):
            with self.subTest(words=words):
                self.said(words)
                self.eventually(lambda: self.said("list-local-macs floor") == published,
                                "it is as it was")
        self.said("del-port host1 local")
        self.eventually(lambda: self.said("list-local-macs floor") ==
                        "ucast-mac-local\n\nmcast-mac-local", "nothing is published")
        guest.unplug()
        self.said("del-ls floor")

    def test_management_ips_and_other_columns_are_the_controllers(self):
        self.said("set Physical_Switch host1 management_ips=192.0.2.1 description=rack-5 "
                  "other_config:owner=us")
        self.said("set Physical_Switch host1 tunnel_ips=192.0.2.1")  # The agent writes the row.
        self.eventually(lambda: self.said("get Physical_Switch host1 tunnel_ips") == f'["{PA}"]',
                        "the agent has written")
        self.assertEqual(
            self.said("get Physical_Switch host1 management_ips description other_config"),
            '["192.0.2.1"]\nrack-5\n{owner=us}')
        self.said("clear Physical_Switch host1 management_ips other_config -- "
                  "set Physical_Switch host1 description='\"\"'")

    def test_another_switch_beside_the_hosts_does_no_harm(self):
        self.said("add-ps other -- add-port other elsewhere")
        self.assertEqual(self.said("list-ps"), "host1\nother")
        self.said("del-ps other")
        self.assertEqual(self.said("list-ps"), "host1")
        self.assertEqual(self.said("get Physical_Switch host1 tunnel_ips"), f'["{PA}"]')
        self.assertTrue(self.agent.status()["healthy"])

    def test_a_key_that_no_subnet_has_is_told_and_mended(self):
        self.said("add-ls floor -- set Logical_Switch floor tunnel_key=16777216")
        self.eventually(lambda: self.agent.fault_keys() == ["vsid-range"], "the fault is told")
        self.said("set Logical_Switch floor tunnel_key=16777215")
        self.eventually(lambda: self.agent.fault_keys() == [], "the fault is gone")
        self.said("del-ls floor")

    def test_guests_are_bound_and_parted(self):
        guests = [self.host.add_guest(f"guest{number}", f"02:00:00:00:01:0{number}",
                                      f"10.1.1.{number}/24") for number in (1, 2)]
        self.said("add-ls floor -- set Logical_Switch floor tunnel_key=42")
        for guest in guests:
            self.said(f"add-port host1 {guest.name} -- bind-ls host1 {guest.name} 0 floor")
        self.assertTrue(guests[0].reaches(guests[1].ip))
        self.said("unbind-ls host1 guest2 0")
        self.eventually(lambda: guests[0].ping(guests[1].ip, count=1).received == 0,
                        "they are parted")
        self.said("add-ls attic -- set Logical_Switch attic tunnel_key=43 -- "
                  "bind-ls host1 guest2 0 attic")
        self.assertEqual(guests[0].ping(guests[1].ip, count=2).received, 0)
        self.said("unbind-ls host1 guest2 0 -- bind-ls host1 guest2 0 floor")
        self.assertTrue(guests[0].reaches(guests[1].ip))
        for guest in guests:
            self.said(f"del-port host1 {guest.name}")
            guest.unplug()
        # The agent takes the MACs back that it has learned there.
        self.eventually(lambda: self.ctl("del-ls floor -- del-ls attic")[0] == 0,
                        "the switches can be deleted")

    def test_a_manager_is_listened_for(self):
        listener = "tcp:127.0.0.1:6655"
        self.said("--inactivity-probe=0 set-manager ptcp:6655:127.0.0.1")
        self.eventually(lambda: self.ctl("list-ps", listener)[1] == "host1", "it listens")
        self.eventually(lambda: "bound_port=\"6655\"" in
                        self.said("get Manager ptcp:6655:127.0.0.1 status"), "its status is told")
        self.said("del-manager")
        self.eventually(lambda: self.ctl("--timeout=1 list-ps", listener)[0] != 0,
                        "it listens no more")

    def test_a_command_waits_for_what_another_one_does(self):
        waiting = self.lab.spawn(
            ["vtep-ctl", "--timeout=20", f"--db={self.agent.socket}", "wait-until",
             "Logical_Switch", "late", "tunnel_key=77"], namespace=self.host.namespace,
            log="wait-until.out")
        self.said("add-ls late")
        self.assertTrue(waiting.alive)
        self.said("set Logical_Switch late tunnel_key=77")
        self.eventually(lambda: not waiting.alive, "the command has an end")
        self.assertEqual(waiting.exit_status, 0)
        self.said("del-ls late")

    def test_commands_at_once_all_take_effect(self):
        """Each adds to the same set, and finds out by itself that another one came before."""
        names = [f"port{number}" for number in range(16)]
        running = [self.lab.spawn(
            ["vtep-ctl", "--timeout=20", f"--db={self.agent.socket}", "add-port", "host1", name],
            namespace=self.host.namespace, log=f"{name}.out") for name in names]
        self.eventually(lambda: not any(each.alive for each in running), "all have ended", 20)
        self.assertEqual([each.exit_status for each in running], [0] * len(names))
        self.assertEqual(self.said("list-ports host1").split(), sorted(names))
        self.said("clear Physical_Switch host1 ports")


if __name__ == "__main__":
    testing.main()
