"""The many spellings of one value. Contract: MACs are accepted with colons or dashes, in either
case; addresses and prefixes in any valid spelling, compared by value. GUIDs match with or without
braces and in either case."""

import ipaddress


def known_as(name):
    """What the agent knows a port by: a name, or for every other port a GUID."""
    number = int(name[-1])
    return f"5b5a9a3c-6e0f-4f8e-9c5d-1f2f6c0d7a{number:02x}" if number % 2 else name


class Spelling:
    def __init__(self, random):
        self.random = random

    def _case(self, text):
        return self.random.choice([text, text, text.upper()])

    def mac(self, mac):
        return self._case(mac.replace(":", self.random.choice("::-")))

    def ip(self, text):
        """An address or a prefix; what is empty stays so."""
        if ":" not in text or self.random.random() < 0.5:
            return text
        address, slash, length = text.partition("/")
        return self._case(ipaddress.ip_address(address).exploded) + slash + length

    def port(self, name):
        """The id of a port."""
        if known_as(name) == name:
            return name
        guid = self._case(known_as(name))
        return self.random.choice([guid, "{" + guid + "}"])
