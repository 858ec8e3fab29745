#!/usr/bin/python3
"""The agent's disk full, read-only, or damaged: what it says, and that forwarding goes on."""

import contextlib
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import steps_operation, testing  # noqa: E402
from hnvlab.agent import binary  # noqa: E402
from hnvlab.shell import CommandError, run  # noqa: E402

TRIES = 500  # Small transactions until a page of the file is used up.


def shape(host):
    return {(flow.key, flow.actions) for flow in host.flows()}


class Storage(testing.DeploymentTestCase):
    def setUp(self):
        self.web, self.sql = self.guest("contoso-web"), self.guest("contoso-sql")
        self.agent = self.host1.agent
        if not self.agent.running:
            self.agent.start()
        self.assertTrue(self.web.reaches(self.sql.ip))

    @contextlib.contextmanager
    def mounted(self, *words):
        """The agent's databases on a file system of their own, until the end."""
        directory = self.agent.db_dir
        aside = directory + ".aside"
        self.agent.kill()
        os.rename(directory, aside)
        os.mkdir(directory)
        run(["mount", *words, directory])
        try:
            for name in os.listdir(aside):
                shutil.copy(os.path.join(aside, name), directory)
            os.sync()
            yield directory
        finally:
            if self.agent.running:
                self.agent.kill()
            run(["umount", directory])
            os.rmdir(directory)
            os.rename(aside, directory)

    def add_router(self, name):
        self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                        "row": {"name": name}})

    def routers(self):
        return {row["name"] for row in self.agent.rows("ms_vtep", "Logical_Router", ["name"])}

    def add_until_refused(self):
        """Returns the names whose transactions were answered, and the error of the next one."""
        answered = set()
        for number in range(TRIES):
            try:
                self.add_router(f"router {number}")
            except CommandError as refused:
                return answered, str(refused)
            answered.add(f"router {number}")
        return self.fail("nothing was refused")

    def host_status(self):
        return dict(self.agent.rows("hnv_host", "Host", ["status"])[0]["status"][1])

    def assert_forwarding_and_arp(self):
        self.sql.run("ip", "neigh", "flush", "all")
        self.assertEqual(self.sql.ping(self.web.ip, count=5).lost, 0)

    def cpu_seconds(self):
        with open(f"/proc/{self.agent.process.pid}/stat", encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def log_lines(self):
        with open(self.agent.log, encoding="utf-8") as log:
            return log.readlines()

    def start_in_vain(self):
        """What the agent says that does not start."""
        done = self.host1.run(
            binary("hnv-agent"), f"--db-dir={self.agent.db_dir}", f"--run-dir={self.agent.run_dir}",
            f"--ovs-run-dir={self.host1.ovs_dir}", "--name=host1", "--datapath-type=netdev",
            check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_a_full_disk_refuses_transactions_until_there_is_room(self):
        with self.mounted("-t", "tmpfs", "-o", "size=4m", "none") as directory:
            self.agent.start()
            with open(os.path.join(directory, "filler"), "wb", buffering=0) as filler:
                with contextlib.suppress(OSError):
                    while filler.write(bytes(4096)):
                        pass
            before = self.routers()
            answered, error = self.add_until_refused()
            self.assertRegex(error, "I/O error.*No space left on device")
            self.assertEqual(self.routers(), before | answered)
            self.eventually(lambda: "make room" in self.host_status()["storage"],
                            "Host.status says what to do")
            self.assertIn("make room", " ".join(self.agent.status()["problems"]))
            self.assert_forwarding_and_arp()
            # What the agent has to tell can't be written; it neither spins nor floods its log.
            lines, seconds = len(self.log_lines()), self.cpu_seconds()
            self.sql.unplug()
            self.addCleanup(self.sql.plug)
            self.eventually(lambda: self.agent.port("contoso-sql")["state"] == "unplugged",
                            "the agent sees it")
            self.eventually(lambda: [line for line in self.log_lines()[lines:]
                                     if "write failed" in line], "the agent tries again", 15)
            self.assertLess(self.cpu_seconds() - seconds, 2)
            self.assertLess(len(self.log_lines()) - lines, 40)
            # Neither does a restart undo anything.
            self.agent.kill()
            self.agent.start()
            self.assertEqual(self.routers(), before | answered)
            os.unlink(os.path.join(directory, "filler"))
            self.eventually(lambda: self.host_status()["storage"] == "ok", "it recovers by itself")
            self.add_router("with room again")
            self.eventually(lambda: self.port_state("contoso-sql") == "unplugged",
                            "what could not be written is")
            self.sql.plug()
            self.eventually(lambda: self.port_state("contoso-sql") == "active", "it is back")
            self.agent.kill()
            self.agent.start()
            self.assertEqual(self.routers(), before | answered | {"with room again"})

    def port_state(self, name):
        rows = self.agent.rows("ms_vtep", "Physical_Port", ["name", "status"])
        return next(dict(row["status"][1])["state"] for row in rows if row["name"] == name)

    def test_a_disk_that_turns_read_only_refuses_transactions_and_loses_none(self):
        if run(["losetup", "-f"], check=False).returncode:
            self.skipTest("no loop device")
        image = os.path.join(self.lab.state_dir, "disk.img")
        with open(image, "wb") as file:
            file.truncate(16 << 20)
        run(["mkfs.ext4", "-q", image])
        loop = ("-o", "loop,errors=remount-ro")
        with self.mounted(*loop, image) as directory:
            self.agent.start()
            before = self.routers()
            self.agent.transact("ms_vtep", {"op": "insert", "table": "Logical_Router",
                                            "row": {"name": "durable"}},
                                {"op": "commit", "durable": True})
            device = run(["findmnt", "-no", "SOURCE", directory]).stdout.strip()
            with open(f"/sys/fs/ext4/{os.path.basename(device)}/trigger_fs_error", "w",
                      encoding="ascii") as trigger:
                trigger.write("1")
            answered, error = self.add_until_refused()
            self.assertRegex(error, "I/O error.*Read-only file system")
            self.assertEqual(self.routers(), before | answered | {"durable"})
            self.eventually(lambda: "read-write" in self.host_status()["storage"],
                            "Host.status says what to do")
            self.assert_forwarding_and_arp()
            self.agent.kill()
            self.assertIn("read-write", self.start_in_vain())
            self.assertEqual(self.sql.ping(self.web.ip, count=5).lost, 0)
            run(["umount", directory])
            # A copy: whoever made a mount namespace meanwhile keeps the first one mounted.
            shutil.copy(image, image + ".mended")
            run(["e2fsck", "-fy", image + ".mended"], check=False)
            run(["mount", *loop, image + ".mended", directory])
            self.agent.start()
            self.assertIn("durable", self.routers())
            self.assertTrue(self.sql.reaches(self.web.ip))

    def test_a_start_on_a_read_only_disk_is_refused_and_harms_nothing(self):
        before = shape(self.host1)
        with self.mounted("-t", "tmpfs", "-o", "size=16m", "none") as directory:
            run(["mount", "-o", "remount,ro", directory])
            self.assertRegex(self.start_in_vain(), r"Read-only file system.*mount .* read-write")
            self.assertEqual(self.sql.ping(self.web.ip, count=5).lost, 0)
            self.assertEqual(shape(self.host1), before)
            run(["mount", "-o", "remount,rw", directory])
            self.agent.start()
            self.assertEqual(shape(self.host1), before)

    def test_damage_in_the_middle_is_refused_with_advice_and_forwarding_goes_on(self):
        path = os.path.join(self.agent.db_dir, "ms_vtep.db")
        self.add_router("before the damage")
        with open(path, "rb") as file:
            offset = len(file.read())
        self.add_router("damaged")
        self.add_router("after the damage")
        before = shape(self.host1)
        with steps_operation.steady_ping(self.web, self.sql.ip, 200, 0.02) as (_, ping):
            self.agent.kill()
            with open(path, "rb") as file:
                whole = file.read()
            damaged = bytearray(whole)
            damaged[offset + 80] ^= 1
            with open(path, "wb") as file:
                file.write(damaged)
            said = self.start_in_vain()
            result = steps_operation.ping_result(ping, 200, 0.02)
        self.assertEqual(result.lost, 0)
        self.assertEqual(shape(self.host1), before)
        self.assertRegex(said, f"{re.escape(path)}: damaged at offset {offset} ")
        for words in ("Nothing was changed", "ARP", "restore a backup",
                      f"`ovsdb-tool show-log {path}`", f"`mv {path} {path}.damaged`"):
            self.assertIn(words, said)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), damaged)
        # The advice for what precedes the damage.
        head = re.search("`(head -c [^`]*)`", said).group(1)
        run(["sh", "-c", head])
        os.rename(path + ".head", path)
        self.agent.start()
        self.assertIn("before the damage", self.routers())
        self.assertFalse({"damaged", "after the damage"} & self.routers())
        self.assertTrue(self.sql.reaches(self.web.ip))


if __name__ == "__main__":
    testing.main()
