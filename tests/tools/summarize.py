"""Sums up a JUnit file of ctest: what ran, what failed, what was left out and why.

usage: summarize.py RESULTS.xml. Exit code 1 when a test failed or none ran.
"""

import collections
import sys
import xml.etree.ElementTree as ElementTree


def main(path):
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    left_out = collections.Counter()
    for case in cases:
        lines = [line.strip() for line in (case.findtext("system-out") or "").splitlines()]
        reasons = {line[line.index("left out: ") + 10:] for line in lines if "left out: " in line}
        if case.find("skipped") is not None and not reasons:
            reasons = {f"{case.get('name')} was skipped and gives no reason"}
        left_out.update(reasons)
    slow = sorted(cases, key=lambda case: -float(case.get("time") or 0))[:5]

    print(f"tests: {len(cases) - len(skipped)} run, {len(failed)} failed, {len(skipped)} skipped")
    print("slowest: " + ", ".join(f"{case.get('name')} {float(case.get('time') or 0):.1f} s" for case in slow))
    for reason, count in sorted(left_out.items()):
        print(f"left out: {reason}" + (f" ({count} tests)" if count > 1 else ""))
    for name in failed:
        print(f"FAILED: {name}")
    return 1 if failed or len(cases) == len(skipped) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
