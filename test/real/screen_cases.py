"""The screens that people look at: the dashboard in Chromium, and `penstock top` in tmux.

The screenshots stay in the folder SCREENSHOTS of the environment, if it is set."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import sandbox
from bench import Load, Server
from browser import Browser
from programs import Case
from rig import Skip, require, wait_for

LOOKS = (("wide", 1200, 1000, False), ("wide-dark", 1200, 1000, True), ("narrow", 390, 1600, False), ("narrow-dark", 390, 1600, True))


class Scene:
    """Two quick backends and a slow one under load, and a Penstock that can be looked at."""

    def __init__(self, rig):
        self.rig = rig
        self.servers = [rig.keep(Server(rig, "rpc", rig.ports.free(), "--name", f"b{number}", "--service", f"fixed:{time}"))
                        for number, time in enumerate(("2ms", "2ms", "60ms"))]
        self.http, self.port, self.socket = rig.ports.free(), rig.ports.free(), rig.path("admin.sock")
        self.ini = rig.ini([f"127.0.0.1:{server.port}" for server in self.servers], [f"127.0.0.1:{self.port}"],
                           {"admin": f"unix:{self.socket}", "http": f"127.0.0.1:{self.http}"},
                           pool={"check": "tcp", "check_interval": "200ms", "check_fast_interval": "100ms", "fall": 2, "balance": "round_robin"})
        self.penstock = rig.launch(self.ini)
        self.load = rig.keep(Load(rig, self.port, "connect", "--connections", "8", "--duration", "60s", "--timeout", "10s"))

    def ask(self, path):
        answer = subprocess.run(["curl", "-sS", "--fail", "--max-time", "10", f"http://127.0.0.1:{self.http}{path}"], capture_output=True, check=True)
        return json.loads(answer.stdout)

    def state(self, backend):
        return {entry["name"]: entry["state"] for entry in self.ask("/v1/pools")["pools"][0]["backends"]}[backend]


# Returns the cells of the backends' rows as texts, and which times are marked as slow.
ROWS = """return [...document.querySelectorAll("#pools tbody tr")].map(row => ({
    name: row.children[0].firstChild.textContent, state: row.children[1].firstChild.textContent, why: row.children[1].lastChild.textContent,
    rate: row.children[3].textContent, firstByte: row.children[7].textContent, slow: row.children[7].className === "slow"}));"""


def keep_screenshots(rig, browser):
    """Each look must show everything without scrolling sideways."""
    folder = os.environ.get("SCREENSHOTS")
    for name, width, height, dark in LOOKS:
        browser.look(width, height, dark)
        wide = browser.run("return document.documentElement.scrollWidth")
        require(wide <= width, f"{name}: the page is {wide} pixels wide")
        background = browser.run("return getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in re.findall(r"\d+", background)[:3])
        require((brightness < 200) == dark, f"{name}: the background is {background}")
        path = rig.path(f"dashboard-{name}.png")
        browser.screenshot(path)
        require(os.path.getsize(path) > 10000, f"{name}: the screenshot is empty")
        if folder:
            os.makedirs(folder, exist_ok=True)
            shutil.copy(path, folder)


def dashboard(rig):
    """The slow backend, and one that is killed, can be found from the page alone. After a restart of Penstock the page goes on by itself."""
    if not shutil.which("chromium"):
        raise Skip("chromium is not installed")
    scene = Scene(rig)
    browser = rig.keep(Browser())
    browser.look(*LOOKS[0][1:])
    browser.open(f"http://127.0.0.1:{scene.http}/")
    wait_for(lambda: [row["name"] for row in browser.run(ROWS)] == ["b0", "b1", "b2"], "the page shows the backends", 20)
    wait_for(lambda: [row["slow"] for row in browser.run(ROWS)] == [False, False, True], "the slow backend is marked", 20)
    scene.servers[1].kill()
    wait_for(lambda: browser.run(ROWS)[1]["state"] == "down", "the page shows that a backend is down", 20)
    require("refused" in browser.run(ROWS)[1]["why"], f"the page does not say why: {browser.run(ROWS)[1]}")
    wait_for(lambda: "b1" in browser.run("return document.querySelector('#events').textContent"), "the page shows the event", 20)
    keep_screenshots(rig, browser)
    require(not browser.complaints(), "the page has written errors to its console")
    require(browser.run("return performance.getEntriesByType('resource').every(entry => new URL(entry.name).origin === location.origin)"),
            "the page has loaded something from elsewhere")
    scene.load.process.kill()
    scene.penstock.stop()
    wait_for(lambda: browser.run("return document.querySelector('#state').textContent") == "unreachable", "the page says that nothing answers", 20)
    rig.launch(scene.ini)
    wait_for(lambda: browser.run("return document.querySelector('#state').textContent") == "running", "the page goes on after a restart", 20)


class Terminal:
    """A program in tmux, with a server of its own."""

    def __init__(self, rig, command, width=120, height=30):
        self.tmux = ["tmux", "-S", rig.path("tmux.sock"), "-f", "/dev/null"]
        self.server = subprocess.Popen([*self.tmux, "-D"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       preexec_fn=sandbox.die_with_parent, env={**os.environ, "TERM": "screen"})
        wait_for(lambda: os.path.exists(rig.path("tmux.sock")), "tmux listens")
        self.status = rig.path("status")  # tmux sometimes forgets the exit status
        self._call("new-session", "-d", "-x", str(width), "-y", str(height), "-s", "top", "sh", "-c", '"$@"; echo $? >"$0"', self.status, *command)
        self._call("set-option", "-t", "top", "remain-on-exit", "on")

    def _call(self, *arguments):
        return subprocess.run([*self.tmux, *arguments], capture_output=True, text=True, check=True, timeout=10).stdout

    def keys(self, *keys):
        self._call("send-keys", "-t", "top", *keys)

    def resize(self, width, height):
        self._call("resize-window", "-t", "top", "-x", str(width), "-y", str(height))

    def screen(self):
        return self._call("capture-pane", "-p", "-t", "top")

    def line(self, pattern):
        """Returns the match of the first line that has one."""
        return next((match for match in map(re.compile(pattern).search, self.screen().splitlines()) if match), None)

    def exit_status(self):
        """None while the program runs."""
        try:
            return int(Path(self.status).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def close(self):
        self.server.terminate()
        self.server.wait()


def top(rig):
    """A backend is drained, watched and taken back from `penstock top`, which survives a restart of Penstock and a change of its size."""
    scene = Scene(rig)
    terminal = rig.keep(Terminal(rig, [rig.penstock, "top", "-s", scene.socket]))
    wait_for(lambda: terminal.line(r"b2 +up .* 6\dms "), "the mean time of the slow backend is shown", 20)
    require(terminal.line(r"^main: round_robin"), "the pool is not shown")
    terminal.keys("Down", "Down")
    wait_for(lambda: terminal.line(r"^> b2 "), "b2 is selected")
    terminal.keys("d")
    wait_for(lambda: terminal.line(r"drain main/b2.*y/n"), "it asks first")
    terminal.keys("n")
    wait_for(lambda: terminal.line(r"up/down select"), "the question is gone")
    require(scene.state("b2") == "up", "it was drained without a yes")
    terminal.keys("d")
    wait_for(lambda: terminal.line(r"drain main/b2.*y/n"), "it asks again")
    terminal.keys("y")
    wait_for(lambda: terminal.line(r"^> b2 +drain +\d+s +0 "), "it drains, and is empty", 20)
    terminal.keys("r")
    wait_for(lambda: terminal.line(r"^> b2 +up "), "it is back", 20)
    terminal.keys("+")
    wait_for(lambda: terminal.line(r"main/b2: weight 2"), "its weight is changed")
    terminal.resize(80, 14)
    wait_for(lambda: max(map(len, terminal.screen().splitlines())) <= 80 and terminal.line(r"^> b2 "), "it is drawn for the new size")
    scene.load.process.kill()
    scene.penstock.stop()
    wait_for(lambda: terminal.line("nothing answers at"), "it says that nothing answers", 20)
    rig.launch(scene.ini)
    wait_for(lambda: terminal.line(r"^Penstock .* running"), "it goes on after a restart", 20)
    terminal.keys("q")
    wait_for(lambda: terminal.exit_status() is not None, "it ends")
    require(terminal.exit_status() == 0, f"its exit status is {terminal.exit_status()}")


CASES = (
    Case("dashboard", ("curl", "chromedriver"), dashboard),
    Case("top", ("tmux", "curl"), top),
)
