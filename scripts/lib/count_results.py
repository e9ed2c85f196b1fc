# Reads ctest's JUnit file: prints "passed failed skipped", writes what failed into another file.
import sys
import xml.etree.ElementTree as ElementTree

LINES_SHOWN = 120


def verdict(case):
    """A test that ctest could not run at all has failed, whatever ctest calls it."""
    skipped = case.find("skipped")
    if case.find("failure") is not None:
        return "failed"
    if skipped is not None:
        return "skipped" if "SKIP_" in skipped.get("message", "") else "failed"
    return "passed" if case.get("status") == "run" else "failed"


def failure_text(case):
    output = (case.findtext("system-out") or "").strip().splitlines()
    reasons = [case.find(tag).get("message") or tag
               for tag in ("failure", "skipped") if case.find(tag) is not None]
    head = f"        {case.get('name')}: {', '.join(reasons) or case.get('status')}"
    return "\n".join([head] + ["            " + line for line in output[-LINES_SHOWN:]]) + "\n"


def main(results, failures):
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with open(failures, "w", encoding="utf-8") as report:
        for case in cases:
            counts[verdict(case)] += 1
            if verdict(case) == "failed":
                report.write(failure_text(case))
    if not cases:
        sys.exit("no test has run")
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main(*sys.argv[1:])
