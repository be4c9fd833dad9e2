# SPDX-License-Identifier: GPL-2.0
"""--display web in a real browser: headless Chromium, by its DevTools protocol
over a pipe. What it looks at is a played machine (userspace/tests/test_web.c), or what
"make run" has started."""
import contextlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

from .labs import TOP
from .pc import MENU, rescue

PATIENCE = 90
# The pixel in a corner of noVNC's canvas, 0xrrggbb; -1: there is none yet
PIXEL = """(() => { const c = document.querySelector('#noVNC_container canvas');
if (!c || c.width != 640) return -1;
const d = c.getContext('2d').getImageData(5, 5, 1, 1).data;
return d[0] << 16 | d[1] << 8 | d[2]; })()"""

# In which row of characters the bar of GRUB's menu is; -2: there are a few words, and
# no menu; 0: neither, as while it draws
BAR = """(() => { const c = document.querySelector('#noVNC_container canvas');
if (!c || c.height < 400) return -1;
const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
const lit = (from, to) => { let n = 0;
for (let i = from * c.width; i < to * c.width; i++) n += d[4 * i] > 100;
return n; };
for (let row = 1; row < 25; row++)
if (lit(16 * row + 1, 16 * row + 2) > c.width / 2) return row;
const all = lit(0, c.height);
return all > 100 && all < 1500 ? -2 : 0; })()"""


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

    def until(self, session, script, *expected, patience=PATIENCE):
        """Which of those it came to; None: to none in time."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            value = self.evaluate(session, script)
            if value in expected:
                return value
            time.sleep(0.2)
        return None

    def press(self, session, key, code, number):
        self.call("Page.bringToFront", session)
        self.call("Emulation.setFocusEmulationEnabled", session, enabled=True)
        self.evaluate(session, "document.querySelector("
                      "'#noVNC_container canvas').focus()")
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", session, type=kind, key=key,
                      code=code, windowsVirtualKeyCode=number)

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


@contextlib.contextmanager
def started():
    """A browser."""
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        try:
            yield browser
        finally:
            browser.close()
            # Its children write to it until they notice
            for _ in range(50):
                shutil.rmtree(profile, ignore_errors=True)
                if not os.path.exists(profile):
                    break
                time.sleep(0.1)
            os.makedirs(profile, exist_ok=True)


def look(results, name, url, server):
    with started() as browser:
        pages = [browser.open(url), browser.open(url)]
        for i, page in enumerate(pages):
            results.add(browser.until(page, PIXEL, 0x123456) is not None,
                        f"{name}: viewer {i + 1} sees the screen")
        # KEY_A is 30; the machine paints in a colour of it
        browser.press(pages[0], "a", "KeyA", 65)
        typed = [said(server) for _ in range(2)]
        results.add(typed == ["30=1", "30=0"], f"{name}: what is typed arrives",
                    " ".join(typed))
        for i, page in enumerate(pages):
            results.add(browser.until(page, PIXEL, 30 << 16 | 0x80) is not None,
                        f"{name}: viewer {i + 1} sees what follows")


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


def choose(results, name, url):
    """The menu's second entry, by an arrow and Enter."""
    with started() as browser:
        page = browser.open(url)
        # GRUB may be loading
        bar = browser.until(page, BAR, *range(1, 25), patience=600)
        results.add(bar is not None, f"{name}: the page shows a menu")
        if bar is None:
            return
        browser.press(page, "ArrowDown", "ArrowDown", 40)
        moved = browser.until(page, BAR, bar + 1, patience=300)
        results.add(moved is not None, f"{name}: an arrow moves its bar",
                    f"from {bar} to {browser.evaluate(page, BAR)}")
        browser.press(page, "Enter", "Enter", 13)
        results.add(browser.until(page, BAR, -2, patience=300) is not None,
                    f"{name}: Enter chooses")


def made_run(results, name):
    """"make run SCREEN=web ISO=...", and a browser at the address that it says."""
    subprocess.run([f"{TOP}/scripts/setup", "browser"], check=True)
    image = f"{TOP}/build/{name}.iso"
    with tempfile.TemporaryDirectory() as tree:
        rescue(tree, MENU, image)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = f"{TOP}/build/{name}.log"
    with open(log, "w") as out, subprocess.Popen(
            ["make", "-s", "run", f"SCREEN=web={port}", f"ISO={image}"],
            cwd=TOP, env=dict(os.environ, LAB="qemu"), stdin=subprocess.PIPE,
            stdout=out, stderr=out) as make:
        found = None
        while not found and make.poll() is None:
            time.sleep(1)
            with open(log, errors="replace") as text:
                # What is being written ends anywhere: a word ends before a space
                found = re.search(r"http://127\.0\.0\.1:\d+/\S*(?=\s)",
                                  text.read())
        try:
            results.add(bool(found), f"{name}: the page's address is said")
            if found:
                choose(results, name, found.group())
        except OSError as why:
            results.add(False, f"{name}: a browser", str(why))
        finally:
            # Ctrl-A x, unless it has ended. It is written when this is closed
            with contextlib.suppress(BrokenPipeError):
                make.stdin.write(b"\1x")
                make.stdin.close()
    results.add(make.returncode == 0, f"{name}: Ctrl-A x ends it",
                f"returned {make.returncode}: {log}")
