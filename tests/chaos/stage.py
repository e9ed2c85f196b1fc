"""A daemon with pools on both kinds of sockets, nginx in front, load on it, and the judgement."""

import os
import shutil
from dataclasses import dataclass

import pytest

from front import KEPT, Front
from harness import processes
from harness.config import free_port
from harness.control import Control, control_path
from harness.program import binary, is_reference
from harness.waiting import wait_until
from load import LONG, LONGEST, PROGRAM, Load, now, summary

PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pages")
WORKERS = 20 if LONG else 8


@dataclass
class Death:
    """A process that was killed: when the signal was sent, and when it was seen to be gone."""

    pid: int
    sent: float
    gone: float

    def during(self, visit, after=0.0):
        """Seconds `after` count as well."""
        return self.sent <= visit.ended and visit.sent <= self.gone + after


class Stage:
    def __init__(self, arena, daemon):
        if PROGRAM is None:
            pytest.skip("MUSTER_CHAOS_LOAD must name the load program")
        self.arena, self.daemon = arena, daemon
        self.journal = f"{arena.scratch}/journal"
        with open(self.journal, "wb"):
            os.chmod(self.journal, 0o666)
        for name in os.listdir(PAGES):
            with open(f"{PAGES}/{name}", encoding="utf-8") as file:
                arena.script(name, file.read())
        self.front = None
        self.tcp = f"127.0.0.1:{free_port()}"

    def pools(self, **directives):
        """Two pools; `directives` for both of them."""
        common = {
            "pm": "static",
            "pm.max_children": str(WORKERS),
            "pm.status_path": "/status",
            "listen.backlog": "4000",
            **directives,
        }
        return {"unix": dict(common), "tcp": {**common, "listen": self.tcp}}

    def install(self):
        """The program in a folder of its own, as a package would put it there; again: another file
        in its place. Returns its path."""
        built = os.path.dirname(os.path.dirname(os.path.realpath(binary())))
        place = f"{self.daemon.dir}/program"
        if not os.path.exists(place):
            os.makedirs(f"{place}/bin")
            shutil.copytree(f"{built}/lib/muster", f"{place}/lib/muster")
        shutil.copy2(binary(), f"{place}/bin/muster.new")
        os.rename(f"{place}/bin/muster.new", f"{place}/bin/muster")
        return f"{place}/bin/muster"

    def start(self, pools=None, globals_=None, **start):
        self.daemon.configure(pools or self.pools(), globals_).start(**start)
        self.raise_curtain()
        return self

    def raise_curtain(self):
        addresses = {name: self.daemon.address(name) for name in self.daemon.pools}
        self.front = Front(self.arena, addresses, self.journal)
        self.arena.nginxes.append(self.front)

    def load(self, routes=None, **more):
        if routes is None:
            # php-fpm stalls when more connections are kept alive than it has workers.
            routes = [r for r in self.front.routes if not (is_reference() and r.endswith("-kept"))]
        return Load(self.arena, self.front.port, routes, **more)

    def settle(self):
        """Nothing is being renewed any more."""
        if is_reference():
            return
        with Control(control_path(self.daemon)) as control:
            wait_until(
                lambda: control.ask({"command": "status"})["result"]["state"] == "serving",
                "the last reload is through",
                60,
            )

    def begun(self):
        """{id of a request: pid of the worker that began it}"""
        with open(self.journal, encoding="ascii") as file:
            return {int(number): int(pid) for number, pid in (line.split() for line in file)}

    def verdict(self, title, load, kills=(), managers=()):
        """Prints the run's line; no request may have failed but those whose own worker was killed.
        `kills`, `managers`: the Deaths of each."""
        load.stop()
        self.settle()
        blameless, lost = self.blame(load, kills)
        if managers:
            lost = [visit for visit in lost if not self.went_with_manager(visit, managers)]
            blameless = [visit for visit in load.failed if visit not in lost]
        print("\n" + summary(title, load, blameless))
        assert not lost, (
            f"{title}: {len(lost)} requests lost, e.g.\n"
            + "\n".join(self.describe(visit) for visit in lost[:12])
            + f"\nnginx:\n{self.front_lines()}\nlog:\n{self.daemon.log.text()[-3000:]}"
        )

    def describe(self, visit):
        return f"  {visit} begun by {self.begun().get(visit.id)}, ran {visit.ended - visit.sent:.3f} s"

    def front_lines(self):
        return "\n".join(self.front.log.lines()[-12:])

    def kill(self, pid, number):
        """Sends a deadly signal; the Death, once the process has gone."""
        sent = now()
        processes.send(pid, number)
        wait_until(lambda: not processes.is_alive(pid), f"{pid} ends on signal {number}", 20)
        return Death(pid, sent, now())

    def blame(self, load, kills):
        """The failed requests, as (those whose worker was killed, those really lost). A killed worker
        can have had one request."""
        begun, free, open_ends = self.begun(), {death.pid: death for death in kills}, []
        blameless, lost = [], []
        for visit in load.failed:
            worker = visit.worker or begun.get(visit.id)
            if worker is None:
                open_ends.append(visit)
            elif free.pop(worker, None):
                blameless.append(visit)
            else:
                lost.append(visit)
        # The script had not begun: somebody was killed while the request was there.
        for visit in open_ends:
            fitting = [death for death in free.values() if death.during(visit)]
            if fitting:
                del free[fitting[0].pid]
                blameless.append(visit)
            else:
                lost.append(visit)
        return blameless, lost

    @staticmethod
    def went_with_manager(visit, deaths):
        """What a manager's death may do: the signal that tells its workers wakes a script from its
        sleep, and idle kept-alive connections, which it holds, are closed."""
        if visit.problem.startswith("answer: cut short"):
            return any(death.during(visit) for death in deaths)
        if visit.status == 502 and visit.route.endswith(KEPT):
            # Those its workers held are closed when these leave.
            return any(death.during(visit, LONGEST / 1000) for death in deaths)
        return False

    def close(self):
        keep = os.environ.get("MUSTER_CHAOS_KEEP")
        if keep and self.front:
            os.makedirs(keep, exist_ok=True)
            for path in (self.front.log.path, self.daemon.log.path, self.journal):
                with open(path, "rb") as source, open(f"{keep}/{os.path.basename(path)}", "wb") as copy:
                    copy.write(source.read())
