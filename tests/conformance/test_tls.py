#!/usr/bin/python3
"""Keys and certificates that are replaced on disk: used by the next connection, without a restart."""

import os
import ssl
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hnvlab import netns  # noqa: E402
from hnvlab.certificates import Certificates  # noqa: E402
from hnvlab.lab import Lab  # noqa: E402
from hnvlab.shell import run, wait_until  # noqa: E402

from servers import start_agent  # noqa: E402
from session import Session  # noqa: E402

SAID = "connections over TLS go on with"


class Reload(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.keys = Certificates(os.path.join(self.lab.state_dir, "keys"))
        for authority in ("ca", "next-ca"):
            self.keys.authority(authority)
        for name in ("agent", "renewed", "controller"):
            self.keys.certify(name)
        self.keys.certify("stranger", "next-ca")
        self.agent = start_agent(self.lab, *self.keys.options("agent"))
        wait_until(self.connects, "the agent serves over TLS")

    def connect(self, name="controller"):
        """A session over TLS, and the certificate that the agent showed."""
        raw = netns.open_socket(self.agent.namespace)
        self.addCleanup(raw.close)
        raw.settimeout(10)
        raw.connect(("127.0.0.1", 6640))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # Which one it is, the test looks at itself.
        context.load_cert_chain(self.keys.path(name, "cert"), self.keys.path(name, "key"))
        wrapped = context.wrap_socket(raw)
        self.addCleanup(wrapped.close)
        return Session(wrapped), wrapped.getpeercert(binary_form=True)

    def served(self, session):
        """Whether a request on the session is answered."""
        if session.open:
            session.send({"id": "served", "method": "list_dbs", "params": []})
            session.receive_reply("served", 5)
        return any(isinstance(event, dict) and "ms_vtep" in (event["result"] or [])
                   for event in session.take())

    def connects(self, name="controller"):
        try:
            session, shown = self.connect(name)
        except ssl.SSLError:
            return None
        return shown if self.served(session) else None

    def shown(self):
        return self.connects() or b""

    def file(self, name, what="cert"):
        with open(self.keys.path(name, what), encoding="ascii") as file:
            return file.read()

    def certificate(self, name):
        return ssl.PEM_cert_to_DER_cert(self.file(name))

    def replace(self, what, text):
        """Puts a file of the agent's in place, whole, as an administrator does."""
        path = self.keys.path(*what)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.replace(path + ".new", path)

    def said(self):
        with open(self.agent.log, encoding="utf-8") as file:
            return file.read().count(SAID)

    def test_a_certificate_renewed_for_the_same_key_is_shown(self):
        kept, old = self.connect()
        run(["openssl", "x509", "-req", "-in", self.keys.path("agent", "request"), "-days", "2",
             "-CA", self.keys.path("ca", "cert"), "-CAkey", self.keys.path("ca", "key"),
             "-CAcreateserial", "-out", self.keys.path("agent", "cert")])
        new = self.certificate("agent")
        self.assertNotEqual(new, old)
        wait_until(lambda: self.shown() == new, "the renewed certificate is shown")
        self.assertTrue(self.served(kept), "a connection from before")

    def test_a_new_key_and_its_certificate_are_used(self):
        kept, _ = self.connect()
        self.replace(("agent", "key"), self.file("renewed", "key"))
        self.replace(("agent", "cert"), self.file("renewed"))
        wait_until(lambda: self.shown() == self.certificate("renewed"), "the new one is shown")
        self.assertTrue(self.served(kept), "a connection from before")

    def test_a_key_that_comes_before_its_certificate(self):
        old = self.certificate("agent")
        self.replace(("agent", "key"), self.file("renewed", "key"))
        wait_until(self.said, "the log tells that they do not fit")
        self.assertEqual(self.shown(), old)
        self.replace(("agent", "cert"), self.file("renewed"))
        wait_until(lambda: self.shown() == self.certificate("renewed"), "the new one is shown")

    def test_another_authority(self):
        kept, _ = self.connect()
        self.assertIsNone(self.connects("stranger"))
        self.replace(("ca", "cert"), self.file("next-ca"))
        wait_until(lambda: self.connects("stranger"), "its clients are served")
        self.assertIsNone(self.connects("controller"), "one of the authority from before")
        self.assertTrue(self.served(kept), "a connection from before")

    def test_files_that_are_no_good_change_nothing(self):
        old = self.certificate("agent")
        good = {what: self.file(*what) for what in (("agent", "cert"), ("agent", "key"),
                                                    ("ca", "cert"))}
        for what, text in good.items():
            for bad in ("", text[:len(text) // 2], None):
                with self.subTest(file=what, bad=bad):
                    before = self.said()
                    if bad is None:
                        os.remove(self.keys.path(*what))
                    else:
                        self.replace(what, bad)
                    wait_until(lambda: self.said() > before, "the log tells of it")
                    self.assertEqual(self.shown(), old)
            self.replace(what, text)
        self.assertTrue(self.agent.process.alive)
        self.assertEqual(self.shown(), old)


if __name__ == "__main__":
    unittest.main()
