"""Processes that the lab starts, and how they are found again and ended."""

import os
import signal
import subprocess

from .shell import Timeout, wait_until


def start_time(pid):
    """When the process started, in clock ticks since boot; with the pid it names one process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


class RunningProcess:
    """A process named by pid and start time, whoever started it."""

    def __init__(self, pid, started):
        self.pid = pid
        self.started = started

    @property
    def alive(self):
        return start_time(self.pid) == self.started

    def signal(self, number):
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def wait_gone(self, timeout):
        wait_until(lambda: not self.alive, f"process {self.pid} is gone", timeout, 0.005)

    def end(self, grace=3.0):
        """Asks it to end, and insists when the grace is over."""
        self.signal(signal.SIGTERM)
        try:
            self.wait_gone(grace)
        except Timeout:
            self.signal(signal.SIGKILL)
            self.wait_gone(3.0)


class Daemon(RunningProcess):
    """A child in a namespace, in the foreground of a session of its own, output to a log."""

    def __init__(self, argv, *, netns, log, env=None, outlive=False, pass_fds=()):
        """With `outlive` false the kernel kills it when this process dies, however it dies."""
        prefix = [] if outlive else ["setpriv", "--pdeathsig", "KILL"]
        prefix += ["ip", "netns", "exec", netns]
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                prefix + [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, pass_fds=pass_fds,
                env=None if env is None else {**os.environ, **env})
        self.log = log
        super().__init__(self._popen.pid, start_time(self._popen.pid))

    @property
    def alive(self):
        return self._popen.poll() is None

    @property
    def exit_status(self):
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()
