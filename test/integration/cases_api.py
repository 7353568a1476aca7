"""The admin API under load: every change is applied, refused or survives a restart, and no client notices."""
import os
import re
from pathlib import Path

import yaml

from admin import Administered, Load
from case import ENGINES, ONCE, Case
from peers import Caller
from rig import require, wait_for

ROOT = Path(__file__).resolve().parents[2]


def changes(rig, case):
    """Each change is applied at once, visible, logged once with its author, and not noticed by clients."""
    stage = Administered(rig, case)
    load = rig.keep(Load(stage.target))
    backends = "/v1/pools/main/backends"
    author = f"admin: uid {os.getuid()} pid {os.getpid()}: pool main: backend "

    def logged(text):
        stage.penstock.wait_log(re.escape(author + text) + "$")

    answer = stage.done("PATCH", f"{backends}/b0", {"state": "drain", "drain_timeout": "60s"})
    require(answer == {"pool": "main", "backend": "b0", "options": {"state": "drain", "drain_timeout": "60s"}}, f"answer {answer}")
    row = stage.backend("b0")
    require(row["state"] == "drain" and not row["serves"], f"after a drain: {row}")
    logged("b0: state = drain, drain_timeout = 60s")
    stage.wait_backend("b0", lambda row: row["sessions"] == 0, "it has no sessions")
    total = stage.accepted("b0")
    load.more()
    require(stage.accepted("b0") == total, "a drained backend got a session")

    stage.done("PATCH", f"{backends}/b0", {"state": "ready", "drain_timeout": None})
    wait_for(lambda: stage.accepted("b0") > total, "it gets sessions again")
    logged("b0: state = ready, drain_timeout = default")

    stage.done("PATCH", f"{backends}/b1", {"weight": 7, "max_connections": "50"})
    row = stage.backend("b1")
    require((row["weight"], row["max_connections"]) == (7, 50), f"weight and limit: {row}")
    stage.done("PATCH", f"{backends}/b1", {"weight": "2", "max_connections": None})
    row = stage.backend("b1")
    require((row["weight"], row["max_connections"]) == (2, 0), f"weight and limit: {row}")

    stage.done("PATCH", f"{backends}/b1", {"state": "maint"})
    require(stage.backend("b1")["state"] == "maint", "not in maintenance")
    address = f"127.0.0.1:{stage.backends[2].address[1]}"
    stage.done("DELETE", f"{backends}/b2")
    logged("b2: removed")
    stage.wait_backend("b2", lambda row: row is None, "it is gone")
    load.more()
    stage.done("POST", backends, {"name": "..", "address": address, "weight": 3}, status=201)
    logged(f"..: added, address = {address}, weight = 3")
    total = stage.accepted("b2")
    wait_for(lambda: stage.accepted("b2") > total, "the new one gets sessions")
    stage.done("PATCH", f"{backends}/%2e%2e", {"weight": 4})
    require(stage.backend("..")["weight"] == 4, "the backend whose name looks like a path was not changed")
    load.more()
    load.finish()


def refusals(rig, case):
    """What is wrong is refused with a status and a sentence, and then nothing has changed."""
    stage = Administered(rig, case)
    load = rig.keep(Load(stage.target, 2))
    backends = "/v1/pools/main/backends"
    before = stage.get("/v1/config")
    for method, path, body, status, words in (
            ("PATCH", f"{backends}/b0", {"weight": 0}, 400, "1 to 256"),
            ("PATCH", f"{backends}/b0", {"weight": 257}, 400, "1 to 256"),
            ("PATCH", f"{backends}/b0", {"weight": 1.5}, 400, "weight must be a whole number"),
            ("PATCH", f"{backends}/b0", {"weight": 2, "stat": "drain"}, 400, "did you mean \"state\""),
            ("PATCH", f"{backends}/b0", {"state": "off"}, 400, "ready"),
            ("PATCH", f"{backends}/b0", {"drain_timeout": "5"}, 400, "needs a unit"),
            ("PATCH", f"{backends}/b0", {"drain_timeout": 5}, 400, "must be a string"),
            ("PATCH", f"{backends}/b0", {"max_connections": "many"}, 400, "max_connections"),
            ("PATCH", f"{backends}/b0", {"check_port": 70000}, 400, "check_port"),
            ("PATCH", f"{backends}/b0", {}, 400, "nothing to change"),
            ("PATCH", f"{backends}/b0", b"", 400, "empty"),
            ("PATCH", f"{backends}/b0", b"{\"weight\": 1, \"weight\": 2}", 400, "duplicate"),
            ("PATCH", f"{backends}/b0", b"{\"weight\": ", 400, "not valid JSON"),
            ("PATCH", f"{backends}/b0", b"\xff\xfe", 400, "not valid JSON"),
            ("PATCH", f"{backends}/b9", {"weight": 1}, 404, "b9"),
            ("PATCH", "/v1/pools/nowhere/backends/b0", {"weight": 1}, 404, "nowhere"),
            ("PATCH", f"{backends}/a%2fb%0a", {"weight": 1}, 400, "letters"),
            ("POST", backends, {"name": "b0", "address": "127.0.0.1:9"}, 409, "b0"),
            ("POST", backends, {"name": "new", "address": "localhost:80"}, 400, "address"),
            ("POST", backends, {"name": "new", "address": "127.0.0.1:9 weight=9"}, 400, ""),
            ("POST", backends, {"name": "new", "address": "127.0.0.1:9\nbackend = evil 127.0.0.1:9"}, 400, ""),
            ("POST", backends, {"name": "new one", "address": "127.0.0.1:9"}, 400, "name"),
            ("POST", backends, {"name": "new", "address": "127.0.0.1:9", "state": "ready\nx"}, 400, ""),
            ("POST", backends, {"name": "new"}, 400, "address is missing"),
            ("DELETE", f"{backends}/b9", None, 404, "b9"),
            ("DELETE", "/v1/sessions", None, 400, "which sessions"),
            ("DELETE", "/v1/sessions?older=5", None, 400, "needs a unit"),
            ("DELETE", "/v1/sessions/7", None, 400, "not the number of a session"),
            ("DELETE", "/v1/sessions/0.999999", None, 404, "no session 0.999999"),
            ("PUT", "/v1/log-level", {"level": "loud"}, 400, "level must be one of"),
            ("GET", "/v1/sessions?clint=1.2.3.4", None, 400, "clint"),
            ("GET", "/v1/pools?pool=nowhere", None, 404, "nowhere"),
            ("GET", "/v1/nothing", None, 404, "path"),
            ("POST", "/v1/pools", {}, 405, "GET")):
        stage.refused(method, path, body, status, words)
    require(stage.get("/v1/config") == before, "the configuration has changed")
    require(stage.backend("b0")["weight"] == 1 and stage.backend("new") is None, "what was refused has an effect")
    require(not stage.penstock.logged(r"admin: uid"), "a refused change is logged as a change")
    stage.done("DELETE", f"{backends}/b1")
    stage.refused("DELETE", f"{backends}/b0", None, 409, "b0")
    load.more()
    load.finish()


def sessions(rig, case):
    """Open sessions are listed, filtered and closed, by number and by backend."""
    stage = Administered(rig, case)
    callers = [rig.keep(Caller(stage.target, key=key)) for key in range(4)]
    for caller in callers:
        caller.call(1000)
    found = stage.get("/v1/sessions", tcp_info=1)
    require(found["matched"] == 4 and found["late_workers"] == 0, f"{found}")
    ports = {row["client"]: row for row in found["sessions"]}
    mine = ports[f"127.0.0.1:{callers[0].sock.getsockname()[1]}"]
    require((mine["listener"], mine["pool"], mine["bytes_in"], mine["bytes_out"]) == ("main", "main", 1000, 1000), f"{mine}")
    require(mine["client_tcp"]["rtt_ms"] > 0 and mine["backend_tcp"]["rtt_ms"] > 0, f"no round-trip times: {mine}")
    require(stage.get("/v1/sessions", client=mine["client"])["matched"] == 1, "not one session of this client")
    require(stage.get("/v1/sessions", client="10.0.0.0/8")["matched"] == 0, "a session of another network")
    require(stage.get("/v1/sessions", older="1h")["matched"] == 0, "a session that is an hour old")
    require(len(stage.get("/v1/sessions", limit=2, sort="bytes")["sessions"]) == 2, "not two rows")
    require(stage.done("DELETE", f"/v1/sessions/{mine['id']}") == {"closed": 1}, "not one session closed")
    require(callers[0].ended() == "reset", "FIN, although nothing had ended")
    stage.penstock.wait_log(rf"admin: uid \d+ pid \d+: session {mine['id']}: closed$")
    wait_for(lambda: stage.get("/v1/sessions")["matched"] == 3, "three sessions are left")
    callers[1].call(100)
    backend = next(row["backend"] for row in stage.get("/v1/sessions")["sessions"])
    count = stage.get("/v1/sessions", backend=backend)["matched"]
    require(stage.done("DELETE", "/v1/sessions", backend=backend, pool="main") == {"closed": count}, f"not {count} closed")
    wait_for(lambda: stage.get("/v1/sessions")["matched"] == 3 - count, "only those of the other backend are left")


def survives(rig, case):
    """What was changed is in the saved configuration, and a penstock that starts with it has it."""
    stage = Administered(rig, case)
    stage.done("PATCH", "/v1/pools/main/backends/b0", {"weight": 9, "state": "drain", "drain_timeout": "90s", "max_connections": 17})
    stage.done("POST", "/v1/pools/main/backends", {"name": "b2", "address": "127.0.0.1:9", "backup": True}, status=201)
    before = stage.get("/v1/config")
    saved = rig.path("saved.ini")
    stage.cli("save", saved)
    require(Path(saved).read_text() == before, "the file is not the configuration")
    stage.penstock.stop()
    rig.main = stage.penstock = rig.launch(saved)
    require(stage.get("/v1/config") == before, "the restarted penstock has another configuration")
    row = stage.backend("b0")
    require((row["weight"], row["state"], row["max_connections"]) == (9, "drain", 17), f"{row}")
    require(stage.backend("b2")["backup"], "no backup")


def check_schema(schema, value, components, where):
    """Requires that a value is what its schema says, member by member in both directions."""
    for name in ("allOf", "oneOf"):
        if name in schema and len(schema[name]) == 1:
            schema = {**schema, **schema[name][0]}
    if "$ref" in schema:
        schema = {**schema, **components[schema["$ref"].rsplit("/", 1)[1]]}
    if value is None:
        require(schema.get("nullable"), f"{where} is null")
        return
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    kind = schema["type"]
    require(isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool)), f"{where} is {value!r} and no {kind}")
    require(value in schema.get("enum", [value]), f"{where} is {value!r}")
    if kind == "array":
        for number, item in enumerate(value):
            check_schema(schema["items"], item, components, f"{where}[{number}]")
    if kind == "object" and "properties" in schema:
        described, served = schema["properties"], set(value)
        require(served <= set(described), f"{where}: {served - set(described)} are served and not described")
        require(set(schema.get("required", ())) <= served, f"{where}: {set(schema.get('required', ())) - served} are described and not served")
        for name, item in value.items():
            check_schema(described[name], item, components, f"{where}.{name}")


def described(rig, case):
    """etc/openapi.yaml has exactly the paths that are served, and its schemas fit the answers, with traffic of both protocols."""
    document = yaml.safe_load((ROOT / "etc/openapi.yaml").read_text())
    components = document["components"]["schemas"]
    rows = re.findall(r'\{HTTP_(\w+), "([^"]+)"', (ROOT / "src/admin/routes.c").read_text())
    served = {(method.lower(), path) for method, path in rows if path != "/"}
    known = {(method, path) for path, methods in document["paths"].items() for method in methods}
    require(served == known, f"served or described, but not both: {served ^ known}")
    stage = Administered(rig, case)
    callers = [rig.keep(Caller(stage.target, key=key)) for key in range(2)]
    for caller in callers:
        caller.call(500)
    stage.done("PATCH", "/v1/pools/main/backends/b0", {"state": "drain"})
    stage.done("PATCH", "/v1/pools/main/backends/b0", {"state": "ready"})
    wait_for(lambda: stage.get("/v1/events")["events"], "there is an event")
    checked = 0
    for method, path in sorted(known):
        content = document["paths"][path][method]["responses"]["200" if method != "post" else "201"]["content"]
        if method != "get" or "application/json" not in content:
            continue
        query = {"tcp_info": 1} if path == "/v1/sessions" else {}
        check_schema(content["application/json"]["schema"], stage.get(path, **query), components, path)
        checked += 1
    require(checked >= 7, f"only {checked} answers were checked")
    for name, schema in components.items():
        require(set(schema.get("required", ())) <= set(schema.get("properties", ())), f"{name} requires what it does not describe")


CASES = (
    Case("api-changes", "every change is applied, visible and logged, and no client notices it", body=changes, backends=("echo", "echo", "echo"),
         ways=ENGINES),
    Case("api-refusals", "wrong requests are refused with a sentence and change nothing", body=refusals, backends=("echo", "echo"), ways=ENGINES),
    Case("api-sessions", "sessions are listed, filtered and closed", body=sessions, backends=("echo", "echo"), pool={"balance": "round_robin"}, ways=ENGINES),
    Case("api-survives", "the saved configuration has the changes, and a restart with it too", body=survives, backends=("echo", "echo"), ways=ONCE),
    Case("openapi", "etc/openapi.yaml describes what is served, in both directions", body=described, backends=("echo", "echo"), ways=ONCE),
)
