"""unbound, dig and dnsperf over UDP and TCP; iperf3 with UDP; openssl with DTLS."""
import json
import re
import subprocess
from pathlib import Path

from programs import Case, Program, finish, front, must, start
from rig import Failure, require, wait_for

NAMES = 200
UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    port: {port}
    directory: "{folder}"
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    access-control: 127.0.0.0/8 allow
    max-udp-size: 4096
    edns-buffer-size: 4096
    num-threads: 1
    local-zone: "test." static
    local-data: "who.test. TXT {name}"
    {records}
remote-control:
    control-enable: no
"""
FLOWS = {"udp_idle_timeout": "1s"}


def name_servers(rig):
    records = [f'local-data: "n{number}.test. A 192.0.2.{number % 250}"' for number in range(NAMES)]
    records += [f'local-data: "big.test. TXT {str(number) * 100}"' for number in range(10, 22)]
    result = []
    for name in ("dns0", "dns1"):
        port = rig.ports.free()
        config = rig.write(f"{name}.conf", UNBOUND.format(port=port, folder=rig.folder, name=name, records="\n    ".join(records)))
        result.append(rig.keep(Program(rig, name, ["unbound", "-d", "-c", config], port)))
    return result


def dig(port, *words):
    return must(["dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=5", "+nocookie", *words])


def who(port):
    return dig(port, "+short", "who.test", "TXT").strip().strip('"')


def dig_names(rig):
    """dig asks for names over UDP and over TCP at one port, gets a large answer whole over UDP, and repeats a truncated one over TCP."""
    port = front(rig, name_servers(rig), "tcp+udp", **FLOWS)
    lines = "".join(f"n{number}.test A\n" for number in range(NAMES))
    for transport in ("+notcp", "+tcp"):
        output = dig(port, transport, "+short", "-f", rig.write("names", lines))
        require(output.split() == [f"192.0.2.{number % 250}" for number in range(NAMES)], f"{transport}: other answers: {output[:300]}")
    for words in (("+notcp", "+bufsize=4096", "+ignore"), ("+notcp", "+bufsize=512")):
        output = dig(port, *words, "big.test", "TXT")
        require(len(set(re.findall(r'"(\d+)"', output))) == 12, f"{words}: not all records: {output[-600:]}")
        require("malformed" not in output.lower(), f"{words}: {output[:300]}")
        require(("(TCP)" in output) == ("+bufsize=512" in words), f"{words}: not by the transport that was due: {output[-300:]}")
    require({who(port) for _ in range(10)} == {"dns0", "dns1"}, "one server gave all answers")


def dig_killed(rig):
    """A server is killed. dig's retries are answered by the other one, and from then on every question is, at once."""
    first, second = name_servers(rig)
    port = front(rig, (first, second), "udp", check="tcp", rise=1, fall=1, **FLOWS)
    require({who(port) for _ in range(10)} == {"dns0", "dns1"}, "one server gave all answers")
    first.kill()
    for _ in range(10):
        output = must(["dig", "@127.0.0.1", "-p", str(port), "+tries=5", "+time=1", "+short", "who.test", "TXT"])
        require("dns1" in output, f"answer: {output}")
    rig.main.wait_log(r"\bb0\b.*\bdown", 5)
    require([who(port) for _ in range(20)] == ["dns1"] * 20, "not every question is answered by the other server")


def measured(output):
    found = {word: float(re.search(rf"{word}:\s+([\d.]+)", output)[1]) for word in ("Queries sent", "Queries completed", "Queries lost", "Queries per second")}
    return found["Queries sent"], found["Queries completed"], found["Queries lost"], found["Queries per second"]


def dns_load(**pool):
    def body(rig):
        """dnsperf at half of its measured maximum loses nothing."""
        port = front(rig, name_servers(rig), "udp", check="tcp", **FLOWS, **pool)
        queries = rig.write("queries", "".join(f"n{number}.test A\n" for number in range(NAMES)))
        load = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-c", "8", "-T", "1", "-q", "50"]
        most = measured(must([*load, "-l", "3"]))[3]
        sent, completed, lost, rate = measured(must([*load, "-l", "4", "-Q", str(int(most / 2))]))
        require(lost == 0 and sent == completed > 1000, f"{sent:.0f} sent, {completed:.0f} completed, {lost:.0f} lost at {rate:.0f} per second")
    return body


def iperf(rig):
    """iperf3 measures UDP in both directions, with one and with several streams, while its control connection is TCP on the same port."""
    servers = []
    for name in ("iperf0", "iperf1"):
        port = rig.ports.free()
        servers.append(rig.keep(Program(rig, name, ["iperf3", "-s", "-p", str(port)], port)))
    port = front(rig, servers, "tcp+udp", balance="consistent_hash", check="none", **FLOWS)
    # A socket's buffer holds some 20 datagrams of 8000 bytes. At 50 Mbit/s that is 25 ms, which a process may have to wait for a CPU beside other cases.
    for words in (("-b", "50M"), ("-b", "50M", "-R"), ("-b", "10M", "-P", "4"), ("-b", "10M", "-l", "8000")):
        result = json.loads(must(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-u", "-t", "2", "--json", *words]))
        total = result["end"]["sum"]
        require(total["packets"] > 100 and total["lost_packets"] == 0, f"{words}: {total}")


def hear_line(stream, word, what):
    """Reads lines until one begins with the word. Returns it."""
    for line in stream:
        if line.startswith(word):
            return line.decode().strip()
    raise Failure(f"the {what} heard no line that begins with {word!r}")


def dtls(rig):
    """DTLS sessions of openssl, one after another, are set up and carry lines both ways, through a flow each."""
    key, cert = rig.path("key.pem"), rig.path("cert.pem")
    must(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
          "-subj", "/CN=penstock"])
    servers = []
    for name in ("dtls0", "dtls1"):
        port = rig.ports.free()
        servers.append(rig.keep(Program(rig, name, ["openssl", "s_server", "-dtls", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", cert, "-quiet"], port,
                                        udp=True, stdin=subprocess.PIPE)))
    port = front(rig, servers, "udp", check="none", balance="round_robin", **FLOWS)
    heard = {server.name: [] for server in servers}
    for turn in range(6):
        client = start(["openssl", "s_client", "-dtls", "-connect", f"127.0.0.1:{port}", "-quiet", "-verify_quiet", "-no_ign_eof"], stdin=subprocess.PIPE)
        question = f"question {turn}"
        client.stdin.write(f"{question}\n".encode())
        client.stdin.flush()
        server = wait_for(lambda: next((one for one in servers if question in Path(one.log).read_text()), None), "a server has heard the question")
        heard[server.name].append(turn)
        server.process.stdin.write(b"answer %d\n" % turn)
        server.process.stdin.flush()
        require(hear_line(client.stdout, b"answer", "client") == f"answer {turn}", "another answer")
        # communicate() closes the standard input, which ends the session and the client.
        finish(client)
    require(all(heard.values()), f"one server had all sessions: {heard}")


DNS = ("unbound", "dig")
CASES = (
    Case("dns-names", DNS, dig_names),
    Case("dns-server-killed", DNS, dig_killed),
    Case("dns-load", (*DNS, "dnsperf"), dns_load()),
    Case("dns-load-one-request", (*DNS, "dnsperf"), dns_load(udp_requests=1, udp_responses=1)),
    Case("udp-iperf3", ("iperf3",), iperf),
    Case("udp-dtls", ("openssl",), dtls),
)
