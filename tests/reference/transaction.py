"""One OVSDB transaction that makes tables say what is wanted, touching only what differs."""

from rpc import transact


class Transaction:
    """`rows` is what the transactions before have written, {table: {key: (uuid, value)}}: a key is
    whatever tells a row from the others of its table, a value whatever tells when it has changed.
    """

    def __init__(self, rpc, database, rows):
        self.rpc = rpc
        self.database = database
        self.rows = rows
        self.operations = []
        self.notes = []  # of each operation: (table, key, value), value None: deleted; or None
        self.names = {}  # (table, key): named-uuid of a row that this transaction inserts

    def there(self, table):
        return self.rows.setdefault(table, {})

    def add(self, operation, note=None):
        self.operations.append(operation)
        self.notes.append(note)

    def new_name(self):
        """A name for a row of this transaction, not given before the next operation is added."""
        return f"row{len(self.operations)}"

    def reference(self, table, key):
        """How another row refers to this one."""
        if (table, key) in self.names:
            return ["named-uuid", self.names[(table, key)]]
        return ["uuid", self.there(table)[key][0]]

    def table(self, table, wanted, make_row):
        """Makes the table say `wanted`, {key: value}. `make_row(key, value)` is called for rows
        that are new or have changed, and may itself add what the row refers to."""
        there = self.there(table)
        for key in [key for key in there if key not in wanted]:
            self.add({"op": "delete", "table": table, "where": self._is(there[key][0])},
                     (table, key, None))
        for key, value in wanted.items():
            if key in there and there[key][1] == value:
                continue
            row = make_row(key, value)
            if key in there:
                self.add({"op": "update", "table": table, "row": row,
                          "where": self._is(there[key][0])}, (table, key, value))
            else:
                name = self.names[(table, key)] = self.new_name()
                self.add({"op": "insert", "table": table, "row": row, "uuid-name": name},
                         (table, key, value))

    @staticmethod
    def _is(uuid):
        return [["_uuid", "==", ["uuid", uuid]]]

    def changed(self, table):
        """{key: whether it is there afterwards} of the rows that come or go."""
        return {note[1]: note[2] is not None for operation, note in
                zip(self.operations, self.notes)
                if note and note[0] == table and operation["op"] in ("insert", "delete")}

    def commit(self, counter):
        """Commits it, with the next number in table `counter`; nothing if nothing differs."""
        if not self.operations:
            return
        self.add({"op": "mutate", "table": counter, "where": [],
                  "mutations": [["next_cfg", "+=", 1]]})
        results = transact(self.rpc, self.database, self.operations)
        for operation, result, note in zip(self.operations, results, self.notes):
            if note is None:
                continue
            table, key, value = note
            if value is None:
                del self.there(table)[key]
            elif operation["op"] == "insert":
                self.there(table)[key] = (result["uuid"][1], value)
            else:
                self.there(table)[key] = (self.there(table)[key][0], value)
