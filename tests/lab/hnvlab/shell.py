"""Commands and conditions, each bounded in time."""

import subprocess
import time


class Timeout(AssertionError):
    """A condition did not come true before its deadline."""


class CommandError(RuntimeError):
    """A command failed; the message carries what it was and what it said."""

    def __init__(self, argv, status, stdout, stderr):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        said = (stderr.strip() or stdout.strip())[-2000:]
        super().__init__(f"`{' '.join(argv)}` exited with {status}: {said}")


def run(argv, *, timeout=15.0, check=True, env=None, stdin=None):
    """Runs a command to its end; output is text. Raises CommandError unless `check` is false."""
    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(argv, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout, env=env,
                              check=False)
    except subprocess.TimeoutExpired as expired:
        said = (expired.stderr or expired.stdout or b"")
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise CommandError(argv, "timeout", "", f"no end after {timeout} s. {said}") from None
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stdout, done.stderr)
    return done


def wait_until(condition, what, timeout=10.0, interval=0.02):
    """Polls `condition` until it is true and returns its value.

    An exception of kind CommandError or OSError counts as "not yet" and is shown if time runs out.
    """
    deadline = time.monotonic() + timeout
    trouble = None
    while True:
        try:
            value = condition()
            if value:
                return value
            trouble = None
        except (CommandError, OSError) as error:
            trouble = error
        if time.monotonic() >= deadline:
            because = f" (last: {trouble})" if trouble else ""
            raise Timeout(f"after {timeout:g} s still not: {what}{because}")
        time.sleep(interval)
