"""Messages that are not what they should be, and very large ones; the connection's fate counts."""

import json

from case import Case, call, delete_all, insert, raw, select, transact
from testschema import DATABASE

ECHO = call("echo", "still here")


def text(data):
    return data if isinstance(data, (bytes, str)) else json.dumps(data)


def broken(name, data):
    return Case(f"malformed: {name}", ECHO, raw(text(data)), call("list_dbs", on="b"))


def message(**members):
    return {"id": 1, "method": "list_dbs", "params": [], **members}


def without(*names):
    return {key: value for key, value in message().items() if key not in names}


def deep(depth, inside="1"):
    return "[" * depth + inside + "]" * depth


LONG = "x" * (16 << 20)

CASES = [
    broken("no JSON", "hello\n"),
    broken("a closing brace", "}"),
    broken("half an object, then another", '{"id":1,"method"{"id":2}'),
    broken("a comma too many", '{"id":1,"method":"echo","params":[],}'),
    broken("a key twice", '{"id":1,"id":2,"method":"echo","params":[]}'),
    broken("single quotes", "{'id':1,'method':'echo','params':[]}"),
    broken("a number that is none", '{"id":1,"method":"echo","params":[01]}'),
    broken("not a number", '{"id":1,"method":"echo","params":[NaN]}'),
    broken("a number beyond all", '{"id":1,"method":"echo","params":[1e999]}'),
    broken("an unknown escape", '{"id":1,"method":"echo","params":["\\x41"]}'),
    broken("half a surrogate pair", '{"id":1,"method":"echo","params":["\\ud800"]}'),
    broken("a newline in a string", '{"id":1,"method":"echo","params":["a\nb"]}'),
    broken("a null byte", b'{"id":1,"method":"echo","params":["a\0b"]}'),
    broken("null bytes alone", b"\0\0\0\0"),
    broken("bytes that are no UTF-8", b'{"id":1,"method":"echo","params":["\xff\xfe"]}'),
    broken("UTF-8 that is cut", b'{"id":1,"method":"echo","params":["\xc3"]}'),
    broken("UTF-8 longer than need be", b'{"id":1,"method":"echo","params":["\xc0\xaf"]}'),
    broken("UTF-8 of a surrogate", b'{"id":1,"method":"echo","params":["\xed\xa0\x80"]}'),
    broken("a byte order mark", b'\xef\xbb\xbf{"id":1,"method":"echo","params":[]}'),
    broken("a list", [1, 2]),
    broken("a string", '"x" '),
    broken("a number", "5 "),
    broken("null", "null "),
    broken("an empty object", {}),
    broken("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    broken("a TLS hello", bytes.fromhex("16030100c8010000c40303")),
    broken("an OpenFlow hello", bytes.fromhex("0400000800000001")),
    *(broken(f"without {names}", without(*names)) for names in
      (("id",), ("method",), ("params",), ("id", "method"), ("method", "params"))),
    *(broken(f"{name} is {value!r}", message(**{name: value})) for name, values in (
        ("id", (None, True, [1], {"a": 1}, "", 1.5)),
        ("method", (None, 1, [], {}, "")), ("params", (None, 1, "x", {}, {"a": 1})))
      for value in values),
    broken("a member that nobody knows", message(more=1)),
    broken("a version of JSON-RPC", message(jsonrpc="2.0")),
    broken("a reply to nothing", {"id": 99, "result": [], "error": None}),
    broken("an error reply to nothing", {"id": 99, "result": None, "error": "x"}),
    broken("a reply with both", {"id": 99, "result": 1, "error": "x"}),
    broken("a reply with neither", {"id": 99, "result": None, "error": None}),
    broken("a request and a reply", message(result=[], error=None)),
    broken("a notification that nobody knows", message(id=None, method="none")),
    *(broken(f"a request as a notification: {method}", message(id=None, method=method, params=params))
      for method, params in (("echo", []), ("list_dbs", []), ("lock", ["x"]), ("transact", [DATABASE]),
                             ("monitor", [DATABASE, "m", {}]), ("monitor_cancel", ["m"]),
                             ("get_schema", [DATABASE]))),
    Case("malformed: two in one piece", raw(text(message(id=1)) + text(message(id=2)))),
    Case("malformed: one in two pieces", raw('{"id":7,"method":"li'), raw('st_dbs","params":[]}')),
    Case("malformed: white space around", raw(" \n\t" + text(message()) + "\r\n \n")),
    Case("malformed: the second is broken", raw(text(message(id=1)) + "}" + text(message(id=2)))),
    *(Case(f"malformed: nested {depth} deep",
           raw(f'{{"id":1,"method":"echo","params":[{deep(depth)}]}}'), call("echo", on="b"))
      for depth in (10, 900, 997, 998, 999, 1000, 1001, 5000)),
    *(Case(f"malformed: a condition nested {depth} deep",
           raw(f'{{"id":1,"method":"transact","params":["{DATABASE}",{{"op":"select",'
               f'"table":"Leaf","where":{deep(depth)}}}]}}'), call("echo", on="b"))
      for depth in (10, 500)),
    Case("malformed: objects nested deep",
         raw('{"id":1,"method":"echo","params":[' + '{"a":' * 2000 + "1" + "}" * 2000 + "]}"),
         call("echo", on="b")),
    Case("large: a set of 100,000 elements",
         transact(DATABASE, insert("Types", {"integer_set": ["set", list(range(100000))]})),
         transact(DATABASE, {"op": "mutate", "table": "Types", "where": [],
                             "mutations": [["integer_set", "delete", ["set", list(range(99990))]]]}),
         transact(DATABASE, select("Types", columns=["integer_set"]))),
    Case("large: a map of 20,000 elements",
         transact(DATABASE, insert("Types", {
             "string_map": ["map", [[f"k{i}", f"v{i}"] for i in range(20000)]]})),
         transact(DATABASE, select("Types", columns=["string_map"]))),
    Case("large: a string of 16 MiB", transact(DATABASE, insert("Types", {"string": LONG})),
         transact(DATABASE, select("Types", ["string", "==", LONG], columns=["integer"])),
         transact(DATABASE, select("Types", columns=["string"])),
         transact(DATABASE, delete_all("Types"))),
    Case("large: 5,000 operations",
         transact(DATABASE, *(insert("Leaf", {"name": f"n{i}"}, uuid=i) for i in range(5000))),
         transact(DATABASE, select("Leaf", ["name", "==", "n4711"])),
         transact(DATABASE, delete_all("Leaf"))),
    Case("large: 200 requests in one piece",
         raw("".join(json.dumps({"id": i, "method": "echo", "params": [i]}) for i in range(200)))),
]
