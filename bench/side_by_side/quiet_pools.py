# A daemon with many ondemand pools that nobody asks anything, and what it costs.
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import fastcgi, procfs
from .daemon import as_root, pool_user

PATIENCE = 120.0


class QuietPools:
    """Started in the foreground, in a session of its own, stopped by pid."""

    def __init__(self, program, run, count, more):
        self.run = run / f"pools-{count}-{len(os.listdir(run))}"
        self.run.mkdir()
        self.run.chmod(0o755)
        self.program = self._reachable(Path(program).resolve())
        self.count = count
        self.more = more
        self.log = self.run / "error.log"
        self.process = None

    def _reachable(self, program):
        """A build tree may lie where the pool's user cannot go: such a program is copied."""
        plugins = program.parent.parent / "lib" / "muster"
        if not plugins.is_dir():
            return program
        home = self.run / "program"
        shutil.copytree(plugins, home / "lib" / "muster")
        (home / "bin").mkdir()
        for name in (program.name, "musterctl"):
            shutil.copy2(program.parent / name, home / "bin")
        return home / "bin" / program.name

    def socket(self, number):
        return self.run / f"p{number}.sock"

    def write(self, changed=None):
        """One file with all pools; `changed`: the number of one that may have more workers."""
        lines = ["[global]", f"pid = {self.run}/d.pid", f"error_log = {self.log}"]
        user = pool_user()
        for number in range(self.count):
            lines += [f"[p{number}]", f"listen = {self.socket(number)}", "listen.mode = 0666"]
            lines += [f"user = {user}", f"group = {user}"] if as_root() else []
            lines += ["pm = ondemand", f"pm.max_children = {6 if number == changed else 5}"]
            lines += [f"{key} = {value}" for key, value in self.more.items()]
        (self.run / "d.conf").write_text("\n".join(lines) + "\n")

    def _readies(self):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text.count("ready to handle connections")

    def _wait_readies(self, wanted):
        """Seconds from now until it has said so that often."""
        began = time.perf_counter()
        while self._readies() < wanted:
            if self.process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"it does not become ready:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.001)
        return time.perf_counter() - began

    def start(self):
        """Milliseconds from before the exec until it is ready."""
        self.write()
        began = time.perf_counter()
        with open(self.run / "output", "ab") as output:
            self.process = subprocess.Popen(
                [str(self.program), "-F", "-y", str(self.run / "d.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_readies(1)
        return (time.perf_counter() - began) * 1000

    def first_answer(self, number, script):
        began = time.perf_counter()
        if b"Hello" not in fastcgi.get(self.socket(number), script, PATIENCE):
            raise RuntimeError(f"pool {number} does not answer")
        return (time.perf_counter() - began) * 1000

    def reload_one(self):
        """muster renews what changed; php-fpm can only start everything anew."""
        self.write(changed=self.count - 1)
        control = self.program.parent / "musterctl"
        if not control.exists():
            return self.reload_all()
        began = time.perf_counter()
        subprocess.run([control, "-s", self.run / "d.ctl", "reload"], check=True, capture_output=True)
        return (time.perf_counter() - began) * 1000

    def reload_all(self):
        wanted = self._readies() + 1
        self.process.send_signal(signal.SIGUSR2)
        return self._wait_readies(wanted) * 1000

    def tree(self):
        return procfs.tree_of(self.process.pid)

    def settle(self):
        """Until the old generations have gone and the CPU has been quiet for a moment."""
        before = -1.0
        quiet = 0.02 + 0.0005 * self.count  # each manager looks around once a second
        for _ in range(int(PATIENCE)):
            time.sleep(1)
            now = procfs.tree_cpu_seconds(self.process.pid)
            if abs(now - before) < quiet:
                return
            before = now

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


def measure(pools, script, idle_seconds):
    figures = {}
    try:
        figures["ready_ms"] = pools.start()
        pools.settle()
        tree = pools.tree()
        figures["processes"] = len(tree)
        figures["pss_mib"] = sum(procfs.pss_kib(pid) for pid in tree) / 1024
        spent = procfs.tree_cpu_seconds(pools.process.pid)
        time.sleep(idle_seconds)
        figures["idle_cpu_ms"] = (procfs.tree_cpu_seconds(pools.process.pid) - spent) * 1000
        figures["reload_one_ms"] = pools.reload_one()
        pools.settle()
        figures["reload_all_ms"] = pools.reload_all()
        pools.settle()
        figures["first_answer_ms"] = pools.first_answer(pools.count // 2, script)
    finally:
        pools.stop()
    return figures
