# SPDX-License-Identifier: GPL-2.0
"""--display web in a real browser: headless Chromium, by its DevTools protocol
over a pipe. What it looks at is a played machine (userspace/tests/test_web.c)."""
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from .labs import TOP

PATIENCE = 90
# The pixel in a corner of noVNC's canvas, 0xrrggbb; -1: there is none yet
PIXEL = """(() => { const c = document.querySelector('#noVNC_container canvas');
if (!c || c.width != 640) return -1;
const d = c.getContext('2d').getImageData(5, 5, 1, 1).data;
return d[0] << 16 | d[1] << 8 | d[2]; })()"""


class Browser:
    """One process, of which each page is a session."""

    def __init__(self, profile):
        theirs, self.to = os.pipe()
        self.at, back = os.pipe()
        # It reads from 3 and writes to 4
        self.process = subprocess.Popen(
            ["sh", "-c", f"exec chromium \"$@\" 3<&{theirs} 4>&{back}", "-",
             "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={profile}",
             "about:blank"], pass_fds=(theirs, back),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(theirs)
        os.close(back)
        self.id = 0
        self.bytes = b""

    def message(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.bytes:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.at], [], [], left)[0]:
                raise OSError("the browser says nothing")
            more = os.read(self.at, 1 << 16)
            if not more:
                raise OSError("the browser has ended")
            self.bytes += more
        one, self.bytes = self.bytes.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, session=None, **arguments):
        self.id += 1
        request = {"id": self.id, "method": method, "params": arguments}
        if session:
            request["sessionId"] = session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.id:
                break
        if "error" in answer:
            raise OSError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        return self.call("Target.attachToTarget", targetId=target,
                         flatten=True)["sessionId"]

    def evaluate(self, session, script):
        return self.call("Runtime.evaluate", session, expression=script,
                         returnByValue=True)["result"].get("value")

    def until(self, session, script, expected):
        """Whether it came to that."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.evaluate(session, script) == expected:
                return True
            time.sleep(0.2)
        return False

    def close(self):
        os.close(self.to)
        os.close(self.at)
        self.process.terminate()
        self.process.wait()


def said(server):
    """The next line; empty if none comes."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([server.stdout], [], [], PATIENCE)[0]:
            return ""
        byte = os.read(server.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode().strip()


def look(results, name, url, server):
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        try:
            pages = [browser.open(url), browser.open(url)]
            for i, page in enumerate(pages):
                results.add(browser.until(page, PIXEL, 0x123456),
                            f"{name}: viewer {i + 1} sees the screen")
            # KEY_A is 30; the machine paints in a colour of it
            browser.call("Page.bringToFront", pages[0])
            browser.call("Emulation.setFocusEmulationEnabled", pages[0],
                         enabled=True)
            browser.evaluate(pages[0], "document.querySelector("
                             "'#noVNC_container canvas').focus()")
            for kind in ("keyDown", "keyUp"):
                browser.call("Input.dispatchKeyEvent", pages[0], type=kind,
                             key="a", code="KeyA", windowsVirtualKeyCode=65)
            typed = [said(server) for _ in range(2)]
            results.add(typed == ["30=1", "30=0"], f"{name}: what is typed arrives",
                        " ".join(typed))
            for i, page in enumerate(pages):
                results.add(browser.until(page, PIXEL, 30 << 16 | 0x80),
                            f"{name}: viewer {i + 1} sees what follows")
        finally:
            browser.close()
            # Its children write to it until they notice
            for _ in range(50):
                shutil.rmtree(profile, ignore_errors=True)
                if not os.path.exists(profile):
                    break
                time.sleep(0.1)
            os.makedirs(profile, exist_ok=True)


def web(results, name):
    """A page in Chromium shows the screen, to two viewers, and types."""
    subprocess.run([f"{TOP}/scripts/setup", "browser"], check=True)
    subprocess.run(["make", "-s", "build/userspace/tests/test_web"], cwd=TOP,
                   check=True)
    with subprocess.Popen([f"{TOP}/build/userspace/tests/test_web", "serve"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE
                          ) as server:
        try:
            look(results, name, said(server), server)
        except OSError as why:
            results.add(False, f"{name}: a browser", str(why))
        finally:
            server.stdin.close()
            server.stdout.close()
