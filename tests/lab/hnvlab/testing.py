"""What the lab's tests share: a watchdog, and a lab for each test class."""

import signal
import unittest

from .lab import Lab, take_down_orphans
from .policy import MACHINES, Deployment
from .shell import Timeout, wait_until

SECONDS_FOR_A_SCRIPT = 240


class LabTestCase(unittest.TestCase):
    """A class of tests that share one lab; `build` raises what is in it.

    The lab is taken down at the end; its logs stay if a test failed.
    """

    lab = None
    _failed = False

    @classmethod
    def build(cls):
        """Override: raises hosts and guests in cls.lab."""

    @classmethod
    def setUpClass(cls):
        cls._failed = False
        cls.lab = Lab()
        try:
            cls.build()
        except BaseException:
            cls.lab.close(keep_logs=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.lab.close(keep_logs=cls._failed)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self)._failed = True
        return result

    def eventually(self, condition, what, timeout=10.0):
        try:
            return wait_until(condition, what, timeout)
        except Timeout as late:
            self.fail(str(late))


class DeploymentTestCase(LabTestCase):
    """Tests on the two tenants of `policy`, everything allowed unless `acls` says otherwise."""

    machines = MACHINES
    acls = {}

    @classmethod
    def build(cls):
        cls.deployment = Deployment(cls.lab, cls.machines, cls.acls).raise_()
        cls.host1 = cls.lab.hosts["host1"]
        cls.host2 = cls.lab.hosts["host2"]

    def guest(self, name):
        return self.lab.guests[name]


class _Ended(KeyboardInterrupt):
    """Ends the script: the one kind of exception that a test runner doesn't take for a failure."""


def _end(number, _):
    raise _Ended(f"took longer than {SECONDS_FOR_A_SCRIPT} s" if number == signal.SIGALRM
                 else "asked to end")


def main():
    """Runs the calling script's tests; whatever ends them, the lab is taken down."""
    signal.signal(signal.SIGALRM, _end)
    signal.signal(signal.SIGTERM, _end)
    signal.alarm(SECONDS_FOR_A_SCRIPT)
    take_down_orphans()
    unittest.main(module="__main__", verbosity=2)
