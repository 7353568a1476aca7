"""Two workers against one at the same offered rate: does sharing the work out cost anything, and is it shared out evenly?"""
from echoes import Setup, measured
from rows import Bar, Contender, Row

CONNECTIONS, RATE = 100, 15000


def measure(rig, contender):
    with Setup(rig, contender) as setup:
        options = ("--work", "rpc", "--size", "128", "--connections", str(CONNECTIONS), "--rate", str(RATE))
        result = measured(setup, rig.seconds, *options)
        before = setup.proxy.sessions_per_worker(2 * CONNECTIONS)  # all are gone: what follows is shared out from the beginning
        setup.run(*options, "--duration", "100ms")
        after = setup.proxy.sessions_per_worker(3 * CONNECTIONS)
    shares = [late - early for early, late in zip(before, after)]
    mean = sum(shares) / len(shares)
    result["uneven_percent"] = (max(shares) - min(shares)) / mean * 100
    return result


ROWS = [Row("workers-2", "two workers against one at the same rate: CPU per request, sessions per worker",
            [Contender("two", "penstock", workers=2, access_log=True), Contender("one", "penstock", workers=1, access_log=True)], measure,
            [Bar("cpu_us", 1.1, "us/req", against="one"), Bar("uneven_percent", unit="%", at_most=10.0), Bar("p99_us", unit="us")])]
