"""nginx as the server, curl and wrk as clients."""
import os
import random
import re
import time
import zlib
from pathlib import Path

from programs import Case, Program, finish, front, must, start
from rig import require, wait_for

MB = 1 << 20

CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr; {user}
events {{ worker_connections 1000; }}
http {{
    access_log off; sendfile on; default_type application/octet-stream; keepalive_requests 1000000;
    client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy; fastcgi_temp_path {folder}/{name}.fastcgi;
    uwsgi_temp_path {folder}/{name}.uwsgi; scgi_temp_path {folder}/{name}.scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/site;
        add_header X-Backend {name};
        location = /small {{ return 200 "hello from {name}\\n"; }}
    }}
}}
"""


def servers(rig):
    os.mkdir(rig.path("site"))
    result = []
    for name in ("web0", "web1"):
        port = rig.ports.free()
        config = rig.write(f"{name}.conf", CONFIG.format(folder=rig.folder, name=name, port=port,
                                                         user="user root;" if os.getuid() == 0 else ""))
        path = "/usr/sbin/nginx" if os.access("/usr/sbin/nginx", os.X_OK) else "nginx"
        result.append(rig.keep(Program(rig, name, [path, "-c", config, "-p", rig.folder, "-e", "stderr"], port)))
    return result


def make_file(rig, name, size):
    """A file of that size with marks all over it and holes between them, so that it costs little disk; returns its checksum."""
    chance, checksum, hole = random.Random(size), 0, bytes(61440)
    with open(rig.path(f"site/{name}"), "wb") as file:
        for at in range(0, size, 65536):
            mark = chance.randbytes(4096)[:size - at]
            file.seek(at)
            file.write(mark)
            checksum = zlib.crc32(hole[:max(0, size - at - 4096)], zlib.crc32(mark, checksum))
        file.truncate(size)
    return checksum


def curl(port, path, *more):
    return ["curl", "-sS", "--fail", "--max-time", "50", *more, f"http://127.0.0.1:{port}{path}"]


class Download:
    """A curl whose output is checked as it comes."""

    def __init__(self, rig, number, port, path, *more):
        self.headers = rig.path(f"headers{number}")
        self.process = start(curl(port, path, "-D", self.headers, *more), stderr=open(os.devnull, "wb"))

    def backend(self):
        try:
            found = re.search(r"X-Backend: (\S+)", Path(self.headers).read_text())
            return found and found[1]
        except FileNotFoundError:
            return None

    def checksum(self):
        """None when curl failed."""
        checksum = 0
        while data := self.process.stdout.read(MB):
            checksum = zlib.crc32(data, checksum)
        return checksum if self.process.wait(30) == 0 else None


def gigabyte(rig):
    """One download of 1 GB with the right checksum, eight smaller ones beside it, and an upload's worth of parallel requests."""
    port = front(rig, servers(rig))
    size = 128 * MB if rig.sanitized else 1024 * MB
    big, small = make_file(rig, "big", size), make_file(rig, "medium", 30 * MB + 13)
    rows = [Download(rig, number, port, "/medium") for number in range(8)]
    main = Download(rig, 99, port, "/big")
    for row in rows:
        require(row.checksum() == small, "a medium download is wrong")
    require(main.checksum() == big, "the big download is wrong")
    output = must(curl(port, "/small?[1-400]", "--parallel", "--parallel-max", "20", "--no-keepalive"))
    require(output.count("hello from web") == 400, f"{output.count('hello from web')} of 400 small requests were answered")


def killed_under_downloads(rig):
    """One server is killed under slow downloads: only those that it served fail, the others' bytes are right, new ones work."""
    first, second = servers(rig)
    port = front(rig, (first, second))
    checksum = make_file(rig, "medium", 40 * MB + 7)
    rows = [Download(rig, number, port, "/medium", "--limit-rate", "15M") for number in range(8)]
    wait_for(lambda: all(row.backend() for row in rows), "every download has begun")
    on_first = [row for row in rows if row.backend() == "web0"]
    require(len(on_first) == 4, f"{len(on_first)} of 8 downloads are on the first server")
    first.kill()
    for _ in range(20):
        require("web1" in must(curl(port, "/small")), "a new request was not answered by the server that lives")
    for row in rows:
        got = row.checksum()
        if row in on_first:
            require(got is None, "a download from the killed server ended as if it were whole")
        else:
            require(got == checksum, "a download from the server that lives is wrong")


def wrk_and_kill(rig):
    """wrk at full speed; a server is killed in the middle: no more errors than connections it held, none in connecting."""
    first, second = servers(rig)
    port = front(rig, (first, second))
    client = start(["wrk", "-t", "1", "-c", "20", "-d", "4s", "--timeout", "20s", f"http://127.0.0.1:{port}/small"])
    wait_for(lambda: first.connections() + second.connections() == 20, "wrk is connected")
    time.sleep(0.5)
    first.kill()
    status, output = finish(client)
    rig.main.sessions_gone()
    # While the kernel tears the dead server down, its port still takes a connection or two: those count as well.
    held = sum(row["backend"] == "b0" and row["bytes_in"] != "0" for row in rig.access(20))
    requests = re.search(r"(\d+) requests in", output)
    require(status == 0 and requests and int(requests[1]) > 500, f"wrk: {output}")
    require("Non-2xx" not in output, f"wrk: {output}")
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    if errors:
        connect, read, write, timeout = map(int, errors.groups())
        # A write error is wrk meeting its own socket, just opened anew, with an event of the old one.
        require(connect == 0 and timeout == 0 and read <= held and write <= held, f"{held} connections died, wrk says: {errors[0]}")
    require(held < 20, f"{held} connections met the server that was killed")


CASES = (Case("nginx-curl-1gb", ("nginx", "curl"), gigabyte),
         Case("nginx-killed-under-curl", ("nginx", "curl"), killed_under_downloads),
         Case("nginx-killed-under-wrk", ("nginx", "wrk"), wrk_and_kill))
