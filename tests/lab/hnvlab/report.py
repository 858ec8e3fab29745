"""What a step of the quick start says: what was seen, and what that proves."""

import os
import sys
import time

from .shell import CommandError, Timeout


class Report:
    """The evidence of one step. A step passes when it made checks and all of them hold."""

    def __init__(self, number, title, stream=None):
        self.number = number
        self.title = title
        self.checks = []  # (holds, claim)
        self.seconds = 0.0
        self._stream = stream

    @property
    def passed(self):
        return bool(self.checks) and all(holds for holds, _ in self.checks)

    @property
    def failures(self):
        return [claim for holds, claim in self.checks if not holds]

    def show(self, text=""):
        """Something that was seen, as it was seen."""
        self._write("\n".join(f"    {line}" for line in str(text).splitlines()))

    def check(self, holds, claim):
        """A claim, and whether what was seen bears it out."""
        self.checks.append((bool(holds), claim))
        mark = paint("ok  ", "32") if holds else paint("FAIL", "31;1")
        self._write(f"  {mark} {claim}")
        return bool(holds)

    def _write(self, text):
        if self._stream:
            print(text, file=self._stream, flush=True)


def paint(text, code):
    """Colours only for a person at a terminal."""
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return f"\033[{code}m{text}\033[0m"
    return text


def perform(number, step, scene, stream=None):
    """Runs one step; trouble in it is a failed check, not the end of the run."""
    report = Report(number, step.__doc__.splitlines()[0].rstrip("."), stream)
    if stream:
        print("\n" + paint(f"{number}. {report.title}", "1"), file=stream, flush=True)
    begin = time.monotonic()
    try:
        step(scene, report)
    except (CommandError, Timeout, OSError, LookupError, AssertionError) as trouble:
        report.check(False, f"the step runs to its end ({type(trouble).__name__}: {trouble})")
    report.seconds = time.monotonic() - begin
    return report
