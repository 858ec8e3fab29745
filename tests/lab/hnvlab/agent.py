"""The agent of a host: starting and ending it, and talking to it as its users do."""

import json
import os
import signal
import tempfile

from .shell import CommandError, run, wait_until

_HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_DIR = os.path.normpath(os.path.join(_HERE, "..", "..", ".."))


def binary(name):
    """A program of the build: in HNV_BIN_DIR, by default build/bin of this source tree."""
    directory = os.environ.get("HNV_BIN_DIR") or os.path.join(SOURCE_DIR, "build", "bin")
    return os.path.join(directory, name)


class AgentControl:
    """The agent of one host; `start` and `kill` as often as a test likes."""

    def __init__(self, host):
        self.host = host
        self.db_dir = os.path.join(host.directory, "agent-db")
        self.run_dir = os.path.join(host.directory, "agent")
        self.socket = f"unix:{self.run_dir}/db.sock"
        self.log = os.path.join(host.lab.log_dir, f"{host.name}-agent.log")
        self.log_dir = os.path.join(host.directory, "agent-log")
        self.process = None

    @property
    def running(self):
        return self.process is not None and self.process.alive

    # --- life --------------------------------------------------------------------------------

    def launch(self, *options):
        """Starts the process; returns at once."""
        os.makedirs(self.db_dir, exist_ok=True)
        os.makedirs(self.run_dir, exist_ok=True)
        host = self.host
        self.process = host.lab.spawn(
            [binary("hnv-agent"), f"--db-dir={self.db_dir}", f"--run-dir={self.run_dir}",
             f"--ovs-run-dir={host.ovs_dir}", f"--name={host.name}", "--bridge=br-hnv",
             "--datapath-type=netdev", f"--log-file={self.log}", f"--log-dir={self.log_dir}",
             f"--pidfile={self.run_dir}/hnv-agent.pid", *options],
            namespace=host.namespace, log=f"{host.name}-agent.out", env=host.env)

    def start(self, *options, timeout=15.0):
        """Starts the agent and returns when it serves and has the switch."""
        self.launch(*options)
        self.wait_ready(timeout)

    def wait_ready(self, timeout=15.0):
        wait_until(self._ready, f"the agent of {self.host.name} is ready", timeout)

    def _ready(self):
        if not self.running:
            raise AssertionError(f"the agent of {self.host.name} ended with "
                                 f"{self.process.exit_status}; its log is {self.log}, its output "
                                 f"{self.process.log}")
        run(["ovsdb-client", "list-dbs", self.socket])
        return self.status()["switch"]["connected"]

    def kill(self, number=signal.SIGKILL):
        """Ends the process by a signal and returns when it is gone."""
        self.process.signal(number)
        self.process.wait_gone(10.0)

    # --- as a person does --------------------------------------------------------------------

    def appctl(self, *words):
        return run(["ovs-appctl", "-t", f"{self.run_dir}/hnv-agent.ctl", *words]).stdout

    def status(self):
        return json.loads(self.appctl("hnv/status"))

    def report(self, what):
        """A list of the agent's: "ports", "mappings", "provider-addresses", "faults"."""
        return json.loads(self.appctl(f"hnv/{what}"))

    def port(self, name):
        """The agent's line for a port, or None."""
        return next((p for p in self.report("ports") if p["name"] == name), None)

    def fault_keys(self):
        return sorted(fault["key"] for fault in self.report("faults"))

    def hnvctl(self, *words, **options):
        return run([binary("hnvctl"), f"--run-dir={self.run_dir}", *words], **options)

    # --- as a controller does ----------------------------------------------------------------

    def apply(self, policy, timeout=20):
        """Makes the databases say what `policy` (a dict, or a file's path) says, and waits."""
        if isinstance(policy, str):
            return self.hnvctl("apply", policy, f"--wait={timeout}", timeout=timeout + 10).stdout
        with tempfile.NamedTemporaryFile("w", suffix=".json", dir=self.run_dir) as file:
            json.dump(policy, file)
            file.flush()
            return self.apply(file.name, timeout)

    def transact(self, database, *operations, remote=None):
        """One transaction; raises CommandError if any operation was refused."""
        words = ["ovsdb-client", "transact", remote or self.socket,
                 json.dumps([database, *operations])]
        done = run(words)
        answer = json.loads(done.stdout)
        for result in answer:
            if isinstance(result, dict) and "error" in result:
                raise CommandError(words, "refused", "", json.dumps(result))
        return answer

    def set_host(self, **settings):
        """Makes these the Host.settings, and no others."""
        self.transact("hnv_host", {"op": "update", "table": "Host", "where": [], "row": {
            "settings": ["map", [[key, str(value)] for key, value in settings.items()]]}})

    def confirm(self, timeout=20):
        """Returns when all that was committed so far, in any database, is in the switch."""
        *_, answer = self.transact(
            "ms_vtep",
            {"op": "mutate", "table": "Global", "where": [], "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": "Global", "where": [], "columns": ["next_cfg"]})
        [row] = answer["rows"]
        self.transact("ms_vtep", {
            "op": "wait", "table": "Global", "where": [], "columns": ["cur_cfg"], "until": "==",
            "rows": [{"cur_cfg": row["next_cfg"]}], "timeout": timeout * 1000})

    def rows(self, database, table, columns=(), where=()):
        """The rows of a table, as OVSDB JSON."""
        operation = {"op": "select", "table": table, "where": list(where)}
        if columns:
            operation["columns"] = list(columns)
        return self.transact(database, operation)[0]["rows"]

    def client(self, command, port, *words, **options):
        """`ovsdb-client` against a TCP port of the agent, from within its host."""
        return self.host.run("ovsdb-client", command, f"tcp:127.0.0.1:{port}", *words, **options)
