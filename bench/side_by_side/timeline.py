# What became of each request of a constant load over time: the table of bench/reloads and its picture.
import dataclasses
import math
import subprocess

from load import longest_gap, quantile, visits_of  # tests/chaos

__all__ = ["begin", "finish", "markdown", "raw", "svg", "visits_of"]

WIDTH, HEIGHT, LEFT, TOP = 1000, 300, 70, 40
LOWEST_MS, HIGHEST_MS = 1, 100_000
STYLE = """
text { font: 13px sans-serif; fill: #333 }
.title { font-weight: bold; font-size: 15px }
.grid { stroke: #ddd }
.reload { stroke: #e69f00; stroke-width: 1.5; stroke-dasharray: 4 3 }
.answer { stroke: #0072b2; stroke-width: 3; stroke-linecap: round; opacity: .45; fill: none }
.failed { stroke: #d00000; stroke-width: 2; fill: none }
"""


def begin(command):
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def finish(process):
    """Waits for the last answer."""
    if process.wait(180) != 0:
        raise RuntimeError(f"the load ended with {process.returncode}")


def raw(courses):
    return {
        name: {"reloads": reloads, "visits": [dataclasses.asdict(visit) for visit in visits]}
        for name, (visits, reloads) in courses.items()
    }


def markdown(courses, rate, reloads):
    lines = [
        f"| {rate:g} requests/s, {reloads} × USR2 | requests | failed | longest time without an answer, ms "
        "| 5 ms scripts, ms: p50 | p99 | p99.9 | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, (visits, _) in courses.items():
        quick = [v.latency * 1000 for v in visits if v.sort == "quick" and not v.problem]
        failed = sum(1 for visit in visits if visit.problem)
        lines.append(
            f"| {name} | {len(visits)} | {failed} | {1000 * longest_gap(visits):.0f} "
            f"| {quantile(quick, 0.5):.1f} | {quantile(quick, 0.99):.0f} "
            f"| {quantile(quick, 0.999):.0f} | {max(quick):.0f} |"
        )
    return "\n".join(lines)


class Panel:
    """Latency (logarithmic) over time of one daemon."""

    def __init__(self, name, visits, reloads, number, seconds):
        self._name, self._visits, self._reloads = name, visits, reloads
        self._start = min(visit.due for visit in visits)
        self._seconds = seconds
        self._top = TOP + number * (HEIGHT + TOP + 30)

    def x(self, when):
        return LEFT + (when - self._start) / self._seconds * WIDTH

    def y(self, ms):
        share = math.log(max(ms, LOWEST_MS) / LOWEST_MS) / math.log(HIGHEST_MS / LOWEST_MS)
        return self._top + HEIGHT * (1 - share)

    def draw(self):
        bottom = self._top + HEIGHT
        failed = [visit for visit in self._visits if visit.problem]
        yield f'<text class="title" x="{LEFT}" y="{self._top - 10}">{self._name}: {len(self._visits)} requests, {len(failed)} failed</text>'
        for ms in (1, 10, 100, 1000, 10_000, 100_000):
            y, label = self.y(ms), f"{ms} ms" if ms < 1000 else f"{ms // 1000} s"
            yield f'<path class="grid" d="M{LEFT} {y:.1f}h{WIDTH}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        for second in range(0, int(self._seconds) + 1, max(1, int(self._seconds) // 10)):
            x = LEFT + second / self._seconds * WIDTH
            yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{second} s</text>'
        for when in self._reloads:
            yield f'<path class="reload" d="M{self.x(when):.1f} {self._top}V{bottom}"/>'
        yield self._marks("answer", "h0", [v for v in self._visits if not v.problem])
        yield self._marks("failed", "m-4 -4l8 8m0 -8l-8 8", failed)

    def _marks(self, kind, mark, visits):
        places = (f"M{self.x(v.due):.1f} {self.y(v.latency * 1000):.1f}{mark}" for v in visits)
        return f'<path class="{kind}" d="{"".join(places)}"/>'


def svg(courses):
    """One panel below the other: each request at the time it was due; reloads are dashed lines."""
    seconds = max(
        max(visit.due for visit in visits) - min(visit.due for visit in visits)
        for visits, _ in courses.values()
    )
    width, height = LEFT + WIDTH + 30, len(courses) * (HEIGHT + TOP + 30) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (name, (visits, reloads)) in enumerate(courses.items()):
        lines += Panel(name, visits, reloads, number, seconds).draw()
    return "\n".join([*lines, "</svg>\n"])
