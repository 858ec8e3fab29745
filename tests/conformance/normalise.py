"""Makes two servers' transcripts comparable: what a server chooses by itself gets a plain name.

A UUID that the server made becomes "uuid 1", "uuid 2" in the order of appearance; one that the
request named stays. Sets, maps and rows come in the order of their UUIDs or of a hash table: they
are sorted by what is left when UUIDs that were not seen before are masked.
"""

import json
import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# UUIDs of the tests' own are of this form.
_FIXED = re.compile(r"0000[0-9a-f]{4}-0000-4000-8000-[0-9a-f]{12}")
_ZERO = "00000000-0000-0000-0000-000000000000"
_TWO_ROWS = re.compile(r"First row, (.*)\.  Second row, (.*)\.$")
_WAITED = re.compile(r"timed out after \d+ ms")


def fixed_uuid(number):
    return f"0000{number:04x}-0000-4000-8000-{number:012x}"


class _Names:
    def __init__(self):
        self._names = {}

    def masked(self, value):
        """What a value is sorted by."""
        return _UUID.sub(lambda m: self._known(m[0]) or "uuid", json.dumps(value, sort_keys=True))

    def _known(self, uuid):
        return uuid if uuid == _ZERO or _FIXED.fullmatch(uuid) else self._names.get(uuid)

    def _name(self, match):
        uuid = match[0]
        return self._known(uuid) or self._names.setdefault(uuid, f"uuid {len(self._names) + 1}")

    def text(self, value):
        # Which of two rows comes first is decided by where they are in memory.
        value = _TWO_ROWS.sub(lambda m: " and ".join(sorted(m.groups(), key=self.masked)), value)
        return _WAITED.sub("timed out after some ms", _UUID.sub(self._name, value))

    def plain(self, value):
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            items = sorted(value.items(), key=self.masked)
            return {self.text(key): (self._unordered(item)
                                     if key == "rows" and isinstance(item, list)
                                     else self.plain(item)) for key, item in items}
        if isinstance(value, list):
            if len(value) == 2 and value[0] in ("set", "map") and isinstance(value[1], list):
                return [value[0], self._unordered(value[1])]
            if "_Server" in value:  # Names of databases, in the order of a hash table.
                return self._unordered(value)
            return [self.plain(item) for item in value]
        return value

    def _unordered(self, items):
        if len(items) > 1:
            items = sorted(items, key=self.masked)
        return [self.plain(item) for item in items]


def normalised(transcript):
    """{session: [event, …]} as [(session, text of an event)]; equal lists are equal behaviour."""
    names = _Names()
    return [(session, json.dumps(names.plain(event), sort_keys=True))
            for session, events in sorted(transcript.items()) for event in events]
