"""Chromium without a window, driven by chromedriver's WebDriver protocol (Debian packages chromium and chromium-driver)."""
import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request


def found():
    return bool(shutil.which("chromedriver") and shutil.which("chromium"))


class Browser:
    """One page. Everything waits for the page, and fails after TIMEOUT_S."""
    TIMEOUT_S = 30
    ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", "--hide-scrollbars")

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.session = None
        try:
            self.base = "http://127.0.0.1:%s" % self._port()
            options = {"args": list(self.ARGUMENTS), "binary": shutil.which("chromium")}
            capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def _port(self):
        for line in self.driver.stdout:
            match = re.search(r"successfully on port (\d+)", line)
            if match:
                return match.group(1)
        raise RuntimeError("chromedriver did not start")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self.TIMEOUT_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError("chromedriver: " + error.read().decode(errors="replace")[:500]) from None

    def _do(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}{path}", body)

    def chrome(self, command, **parameters):
        """Sends a command of the Chrome DevTools Protocol."""
        return self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self._do("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function in the page and returns its result."""
        return self._do("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def look(self, width, height, dark=False):
        """Sets the size of the page and the colours that its user prefers."""
        self.chrome("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.chrome("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self._do("GET", "/screenshot")))

    def complaints(self):
        """What the page has written to its console since the last call: errors and warnings."""
        return [entry["message"] for entry in self._do("POST", "/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def close(self):
        if self.session:
            try:
                self._do("DELETE", "")
            except (OSError, RuntimeError):
                pass
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
