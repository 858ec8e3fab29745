"""Keys and certificates of a lab: authorities, and names that they vouch for."""

import os
import ssl

from .shell import run


class Certificates:
    """Files NAME-key.pem and NAME-cert.pem in a directory, made by openssl."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, mode=0o700)

    def path(self, name, what):
        return os.path.join(self.directory, f"{name}-{what}.pem")

    def _openssl(self, *words):
        run(["openssl", *words], timeout=30)

    def authority(self, name):
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                      f"/CN={name}", "-keyout", self.path(name, "key"), "-out",
                      self.path(name, "cert"))

    def certify(self, name, authority="ca", days=2):
        """A certificate for `name`; with 0 days it expires within a second."""
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                      self.path(name, "key"), "-out", self.path(name, "request"))
        self._openssl("x509", "-req", "-in", self.path(name, "request"), "-days", str(days),
                      "-CA", self.path(authority, "cert"), "-CAkey", self.path(authority, "key"),
                      "-CAcreateserial", "-out", self.path(name, "cert"))

    def options(self, name, authority="ca"):
        """What Open vSwitch's programs, and the agent, call them."""
        return (f"--private-key={self.path(name, 'key')}",
                f"--certificate={self.path(name, 'cert')}",
                f"--ca-cert={self.path(authority, 'cert')}")

    def context(self, name=None, authority="ca"):
        """A TLS client's, with the certificate of `name`, or none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.path(authority, "cert"))
        if name:
            context.load_cert_chain(self.path(name, "cert"), self.path(name, "key"))
        return context
