"""Runs a story of tests/e2e/browser in Chromium, by Playwright, and answers what it asks meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from .program import binary
from .waiting import PATIENCE

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
STORIES = f"{ROOT}/tests/e2e/browser"
# scripts/lib/playwright.sh puts it there.
PLAYWRIGHT = os.environ.get("MUSTER_PLAYWRIGHT", f"{ROOT}/build/playwright")
CHROMIUM = shutil.which("chromium")
NODE = shutil.which("node")

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and NODE and os.path.isdir(f"{PLAYWRIGHT}/node_modules/playwright-core")),
    reason="chromium, nodejs or Playwright is not installed (scripts/test installs them)",
)


def screenshot_folder(name):
    """Beside the program under test, emptied: build/PRESET/screenshots/NAME."""
    folder = f"{os.path.dirname(os.path.dirname(binary()))}/screenshots/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


class Story:
    """One run of STORY.js; `on_ask`: {what the story asks: function that does it}."""

    def __init__(self, arena, name, port, on_ask=None, **settings):
        self._name, self._on_ask = name, on_ask or {}
        home = f"{arena.dir}/browser"
        os.mkdir(home)
        self._settings = {
            "base": f"http://127.0.0.1:{port}",
            "screenshots": screenshot_folder(name),
            "playwright": PLAYWRIGHT,
            "chromium": CHROMIUM,
            "patience": PATIENCE,
            **settings,
        }
        self._environment = {**os.environ, "HOME": home, "TMPDIR": home, "XDG_CONFIG_HOME": home}
        self._stderr = f"{arena.dir}/browser.stderr"

    def run(self, timeout=240):
        """What the story found; its complaints must be none."""
        with open(self._stderr, "wb") as stderr:
            process = subprocess.Popen(
                [NODE, f"{STORIES}/{self._name}.js", json.dumps(self._settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=self._environment,
                start_new_session=True,
                text=True,
            )
        patience = threading.Timer(timeout * PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        patience.start()
        try:
            end = self._listen(process)
        finally:
            patience.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        assert "failed" not in end, f"{end['failed']}\ncomplaints: {end['complaints']}"
        assert end["complaints"] == []
        return end["found"]

    def _listen(self, process):
        for line in process.stdout:
            message = json.loads(line)
            if "ask" not in message:
                process.stdin.close()
                process.wait()
                return message
            self._on_ask[message["ask"]]()
            process.stdin.write("done\n")
            process.stdin.flush()
        with open(self._stderr, encoding="utf-8", errors="replace") as file:
            raise AssertionError(f"the browser has ended:\n{file.read()[-4000:]}")
