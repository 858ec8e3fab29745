"""The two servers that are compared: Debian's ovsdb-server and the agent, with the same schemas.

The agent has no switch here: what it makes of the rows is the lab's matter. Each has a network
namespace of its own.
"""

import json
import os
import socket

from hnvlab import netns
from hnvlab.agent import SOURCE_DIR, binary
from hnvlab.lab import Lab
from hnvlab.shell import run, wait_until

from session import Session

VTEP_SCHEMA = "/usr/share/openvswitch/vtep.ovsschema"
OWN_SCHEMAS = ("ms_vtep", "ms_firewall", "ms_service_insertion", "ms_darv", "hnv_host")


def unix_socket(path):
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def diagnostics_socket(namespace):
    connected = netns.open_socket(namespace)
    connected.connect(("127.0.0.1", 6641))
    return connected


class Server:
    """One of the two: how it is reached, and its open sessions by name."""

    def __init__(self, name, process, connect, connect_read_only=None):
        self.name = name
        self.process = process
        self._connect = connect
        self._connect_read_only = connect_read_only or connect
        self.sessions = {}

    def session(self, name):
        """Sessions whose name begins with "readonly" are with the diagnostics port."""
        if name not in self.sessions:
            connect = self._connect_read_only if name.startswith("readonly") else self._connect
            self.sessions[name] = Session(connect())
        return self.sessions[name]

    def close_sessions(self):
        for session in self.sessions.values():
            session.close()
        self.sessions.clear()

    def settle(self):
        """Has the server see that sessions were closed, and let go of their locks.

        It hears of it in one turn and acts upon it in the next; a request takes one at least.
        """
        for _ in range(4):
            self.ask("echo", [])

    def ask(self, method, params):
        """A request of the frame's own; its result."""
        session = Session(self._connect())
        try:
            session.send({"id": 0, "method": method, "params": params})
            session.receive_reply(0)
            answer = session.take()[-1]
        finally:
            session.close()
        if not isinstance(answer, dict) or answer.get("error"):
            raise RuntimeError(f"{self.name}: {method}: {answer}")
        return answer["result"]

    def transact(self, database, operations):
        results = self.ask("transact", [database, *operations])
        for result in results:
            if isinstance(result, dict) and "error" in result:
                raise RuntimeError(f"{self.name}: {database}: {result}")
        return results


# The rows that the agent makes for itself; the stock server gets them too.
OWN_ROWS = {
    "ms_firewall": [{"op": "insert", "table": "FW_Global", "row": {}}],
    "ms_service_insertion": [{"op": "insert", "table": "SI_Global", "row": {}}],
    "ms_darv": [{"op": "insert", "table": "Global", "row": {}}],
    "hnv_host": [{"op": "insert", "table": "Host", "row": {}}],
    **{vtep: [{"op": "insert", "table": "Physical_Switch", "row": {"name": "host"}, "uuid-name": "s"},
              {"op": "insert", "table": "Global", "row": {"switches": ["named-uuid", "s"]}}]
       for vtep in ("ms_vtep", "hardware_vtep")},
}


def make_directory(lab, name):
    path = os.path.join(lab.state_dir, name)
    os.makedirs(path, exist_ok=True)
    return path


def wait_ready(server):
    def answers():
        if not server.process.alive:
            raise AssertionError(f"{server.name} has ended; its output is {server.process.log}")
        return server.ask("list_dbs", [])

    wait_until(answers, f"{server.name} answers")
    return server


def start_stock(lab):
    directory = make_directory(lab, "stock")
    files = []
    schemas = [os.path.join(SOURCE_DIR, "schema", f"{name}.ovsschema") for name in OWN_SCHEMAS]
    for schema in [*schemas, VTEP_SCHEMA]:
        files.append(os.path.join(directory, os.path.basename(schema) + ".db"))
        run(["ovsdb-tool", "create", files[-1], schema])
    path = os.path.join(directory, "db.sock")
    namespace = lab.add_namespace("stock")
    process = lab.spawn(
        ["ovsdb-server", f"--remote=punix:{path}", "--remote=db:ms_vtep,Global,managers",
         "--remote=db:hardware_vtep,Global,managers", f"--pidfile={directory}/pid",
         f"--unixctl={directory}/ctl", "-vconsole:off", f"--log-file={directory}/log", *files],
        namespace=namespace, log="stock.out")
    stock = wait_ready(Server("ovsdb-server", process, lambda: unix_socket(path)))
    stock.namespace = namespace
    for database, operations in OWN_ROWS.items():
        stock.transact(database, operations)
    return stock


def start_agent(lab, *options):
    directory, db_dir = make_directory(lab, "agent"), make_directory(lab, "agent-db")
    path = os.path.join(directory, "db.sock")
    namespace = lab.add_namespace("agent")
    process = lab.spawn(
        [binary("hnv-agent"), f"--db-dir={db_dir}", f"--run-dir={directory}",
         f"--ovs-run-dir={directory}/none", "--name=host", f"--log-file={directory}/log",
         f"--log-dir={directory}", f"--pidfile={directory}/pid", "-vconsole:off", *options],
        namespace=namespace, log="agent.out")
    agent = Server("hnv-agent", process, lambda: unix_socket(path),
                   lambda: diagnostics_socket(namespace))
    agent.log = os.path.join(directory, "log")
    agent.namespace = namespace
    return wait_ready(agent)


class Pair:
    """Use as a context manager, or close() it."""

    def __init__(self):
        self.lab = Lab()
        self.both = ()
        try:
            self.both = (start_stock(self.lab), start_agent(self.lab))
        except BaseException:
            self.close(keep_logs=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(keep_logs=kind is not None)

    def close(self, *, keep_logs=False):
        for server in self.both:
            server.close_sessions()
        self.lab.close(keep_logs=keep_logs)


def schema_text(name):
    with open(os.path.join(SOURCE_DIR, "schema", f"{name}.ovsschema"), encoding="utf-8") as file:
        return json.load(file)
