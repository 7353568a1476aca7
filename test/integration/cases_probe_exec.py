"""Health checks that run a program."""
import os
import re
from pathlib import Path

from case import ENGINES, Case, Stage
from cases_balance import CHECKED, greetings, settle
from rig import require, wait_for

SCRIPT = r"""#!/bin/sh
echo "$1 $PENSTOCK_POOL $PENSTOCK_BACKEND $PENSTOCK_ADDRESS:$PENSTOCK_PORT $(env | wc -l)" >> FOLDER/calls.$PENSTOCK_BACKEND
. FOLDER/rule.$PENSTOCK_BACKEND
"""


def exec_check(rig, case):
    """check = exec: the exit status decides, the first line of output is the reason, a program that does not end is killed, and none is left behind."""
    rig.write("check", SCRIPT.replace("FOLDER", rig.folder), 0o755)
    rules = {"b0": "exit 0", "b1": "echo model not loaded; exit 1", "b2": "echo $$ > FOLDER/pid; sleep 1000", "b3": "kill -KILL $$"}
    for name, rule in rules.items():
        rig.write(f"rule.{name}", rule.replace("FOLDER", rig.folder) + "\n")
    case = Case(**{**vars(case), "pool": {**case.pool, "check_command": f"{rig.path('check')}  --deep"}})
    stage = Stage(rig, case)
    for name, reason in (("b1", "exit status 1: model not loaded"), ("b2", "still running after 300ms"), ("b3", "killed by SIGKILL")):
        stage.penstock.wait_log(rf"backend {name} .* is down: {re.escape(reason)} \(")
    settle(stage.target, ["b0"])
    require(greetings(stage.target, 4) == {"b0": 4}, "a session went to a backend that is down")
    address = next(line.split()[3] for line in open(stage.ini) if line.startswith("backend = b0"))
    require(set(Path(rig.path("calls.b0")).read_text().splitlines()) == {f"--deep main b0 {address} 6"}, "wrong arguments or environment")
    for name in "b1", "b2", "b3":
        rig.write(f"rule.{name}", "exit 0\n")
    for name in "b1", "b2", "b3":
        stage.penstock.wait_log(rf"backend {name} .* is up ")
    wait_for(lambda: not os.path.exists(f"/proc/{Path(rig.path('pid')).read_text().strip()}"), "the program that was killed is gone")
    os.remove(rig.path("check"))
    stage.penstock.wait_log(r"cannot probe backend .*: cannot run \S+/check: No such file or directory")
    require(greetings(stage.target, 8) == {f"b{number}": 2 for number in range(4)}, "a backend is down because its check is gone")


CASES = (
    Case("exec-check", exec_check.__doc__, body=exec_check, ways=ENGINES, backends=("greet",) * 4, glob={"allow_exec": "yes"},
         pool={**CHECKED, "check": "exec", "balance": "round_robin", "check_timeout": "300ms"}),
)
