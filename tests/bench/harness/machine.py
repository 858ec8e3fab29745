"""On what a run was made, and what its processes take."""

import os
import platform
import subprocess

TICK = os.sysconf("SC_CLK_TCK")


def _said(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _field(path, key):
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def describe(agent, source):
    """What results.json says about machine, versions and commit."""
    return {
        "machine": {"cpus": os.cpu_count(), "cpu": _field("/proc/cpuinfo", "model name"),
                    "memory": _field("/proc/meminfo", "MemTotal"), "kernel": platform.release(),
                    "load": os.getloadavg()[0]},
        "versions": {"agent": _said([agent, "--version"]).partition("\n")[0],
                     "ovs-vswitchd": _said(["ovs-vswitchd", "--version"]).partition("\n")[0],
                     "ovsdb-server": _said(["ovsdb-server", "--version"]).partition("\n")[0],
                     "python": platform.python_version()},
        "commit": _said(["git", "-C", source, "describe", "--always", "--dirty"]),
    }


def memory_mib(pid):
    return int(_field(f"/proc/{pid}/status", "VmRSS").split()[0]) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
