"""Runs cases in parallel, each in a process and process group of its own, and counts the results.

A run that passes its deadline is a failure: its process is asked for a diagnosis, then its whole group is killed."""
import faulthandler
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from typing import Callable

from rig import Failure, PortTaken, Skip


@dataclass
class Job:
    case: str            # the runs of one case are reported together
    way: str             # "io_uring copy" and so on; "" for a case that runs once
    seconds: float       # the deadline
    make: Callable       # () -> Rig or anything with diagnosis(), epilogue(), sanitizer_report() and close()
    body: Callable       # (rig) -> None; raises Failure or Skip


class Running:
    def __init__(self, job):
        self.job = job
        self.began = time.monotonic()
        self.asked = False
        reader, writer = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            # A process group, so that it can be killed as a whole. Not a session, because the kernel may give each session a share of the CPUs (autogroup).
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            _child(job, writer)
        os.close(writer)
        self.reader, self.text = reader, b""

    def overdue(self):
        late = time.monotonic() - self.began - self.job.seconds
        if late > 0 and not self.asked:
            self.asked = True
            os.kill(self.pid, signal.SIGUSR1)
        if late > 8:
            self.kill()

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def finish(self):
        """Called after end of file on the pipe. Kills the processes of the group that are left."""
        self.kill()
        os.waitpid(self.pid, 0)
        os.close(self.reader)
        try:
            return json.loads(self.text)
        except ValueError:
            return {"status": "failed", "text": f"the run died without a word (deadline {self.job.seconds:g} s)"}


def _child(job, writer):
    state = {"rig": None}

    def report(status, text):
        data = json.dumps({"status": status, "text": text}).encode()
        while data:
            data = data[os.write(writer, data):]
        os._exit(0)

    def late(_signal, _frame):
        with tempfile.TemporaryFile("w+") as stacks:
            faulthandler.dump_traceback(stacks)
            stacks.seek(0)
            where = stacks.read()
        text = f"deadline of {job.seconds:g} s passed\n-- the test's own threads:\n{where}"
        try:
            text += state["rig"].diagnosis() if state["rig"] else ""
            state["rig"].close()
        finally:
            report("failed", text)

    signal.signal(signal.SIGUSR1, late)
    for attempt in range(4):
        try:
            rig = state["rig"] = job.make()
            status, text = _run_once(job, rig)
            rig.close()
            report(status, text)
        except PortTaken:
            rig.close()
            continue
        except BaseException:  # the rig itself could not be created or closed
            report("failed", traceback.format_exc())
    report("failed", "no port stayed free")


def _run_once(job, rig):
    try:
        job.body(rig)
        rig.epilogue()
        report = rig.sanitizer_report()
        if report:
            raise Failure(report)
        return "passed", ""
    except PortTaken:
        raise
    except Skip as skip:
        return "skipped", str(skip)
    except BaseException as error:
        text = str(error) if isinstance(error, Failure) else traceback.format_exc()
        trace = traceback.extract_tb(error.__traceback__)
        places = " < ".join(f"{os.path.basename(row.filename)}:{row.lineno}" for row in reversed(trace[-4:]))
        return "failed", f"{text}\n   ({places})\n{rig.diagnosis()}"


class Board:
    """Prints one line for each case after its last run, and all details of a failure at once."""

    def __init__(self, jobs):
        self.left, self.results = {}, {}
        for job in jobs:
            self.left[job.case] = self.left.get(job.case, 0) + 1
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def add(self, job, result, seconds):
        self.counts[result["status"]] += 1
        rows = self.results.setdefault(job.case, [])
        rows.append((job.way, result["status"], result["text"], seconds))
        self.left[job.case] -= 1
        if result["status"] == "failed":
            print(f"FAIL {job.case} [{job.way}] after {seconds:.1f} s: {result['text']}", flush=True)
        if self.left[job.case]:
            return
        states = {row[1] for row in rows}
        word = "FAIL" if "failed" in states else "ok" if "passed" in states else "skip"
        reasons = sorted({row[2] for row in rows if row[1] == "skipped"})
        times = "/".join(f"{row[3]:.1f}" for row in rows)
        print(f"{word:4} {job.case}  ({times} s)" + (f"  skipped: {'; '.join(reasons)}" if reasons else ""), flush=True)


def run(jobs, parallel, quick_end=False):
    """Runs all cases, prints the closing line, and returns the exit status."""
    board, waiting, running = Board(jobs), list(jobs), []
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                running.append(Running(waiting.pop(0)))
            ready, _, _ = select.select([row.reader for row in running], [], [], 0.2)
            for row in list(running):
                if row.reader in ready:
                    data = os.read(row.reader, 65536)
                    row.text += data
                    if not data:
                        running.remove(row)
                        result = row.finish()
                        board.add(row.job, result, time.monotonic() - row.began)
                        if quick_end and result["status"] == "failed":
                            waiting.clear()
                else:
                    row.overdue()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        board.counts["failed"] += 1
    finally:
        for row in running:
            row.kill()
    print(f"{board.counts['passed']} passed, {board.counts['failed']} failed, {board.counts['skipped']} skipped", flush=True)
    return 1 if board.counts["failed"] or not board.counts["passed"] else 0
