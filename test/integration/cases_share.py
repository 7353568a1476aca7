"""One probe serves the backends of several pools."""
import threading
import time
from pathlib import Path

from case import ENGINES, Case
from peers import listen
from rig import require


def one_probe_for_three_pools(rig, case):
    """A server in three pools with the same check gets one probe per interval, and each pool judges the result by its own rise and fall."""
    probes = []
    listener = rig.keep(listen(("127.0.0.1", rig.ports.free()), seconds=None))

    def accept():
        try:
            while True:
                with listener.accept()[0] as probe:
                    probe.recv(1)  # until the probe closes
                probes.append(time.monotonic())
        except OSError:  # closed at the end of the case
            pass
    threading.Thread(target=accept, daemon=True).start()
    path = rig.ini([f"127.0.0.1:{listener.getsockname()[1]}"], [f"127.0.0.1:{rig.ports.free()}"], pool=case.pool)
    text = Path(path).read_text()
    pool = text[text.index("[pool main]"):]
    for number in 2, 3:
        text += f"\n[listener l{number}]\nbind = 127.0.0.1:{rig.ports.free()}\npool = p{number}\n"
        text += pool.replace("[pool main]", f"[pool p{number}]").replace("rise = 1", f"rise = {number}") + "\n"
    penstock = rig.launch(rig.write("shared.ini", text))
    for name, count in (("main", "1 good probe"), ("p2", "2 good probes"), ("p3", "3 good probes")):
        penstock.wait_log(rf"pool {name}: backend b0 .* is up after {count};")
    first = len(probes)
    time.sleep(2)
    require(8 <= len(probes) - first <= 12, f"{len(probes) - first} probes in ten intervals")


CASES = (
    Case("one-probe-for-three-pools", one_probe_for_three_pools.__doc__, body=one_probe_for_three_pools, ways=ENGINES,
         pool={"check": "tcp", "check_interval": "200ms", "check_initial": "down", "check_jitter": "0%", "rise": 1}),
)
