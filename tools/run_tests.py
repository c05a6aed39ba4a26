#!/usr/bin/python3
"""Build everything and run every test. tools/test calls this when the packages are there.

Steps: presubmit, builds of host-asan, host and imx6ul-evk, the image's symbols, sizes and static memory, unit tests and code that must not
compile (ctest), fuzz corpora, system tests (pytest) against the host board and the image under QEMU. Each step writes
build/test-logs/<step>.log, failed system tests add consoles, server logs and captures of both wires beside it.

The last line is `N passed, M failed`; the exit code is 0 only when M is 0 and nothing was left out unasked.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
IMAGE = ROOT / "build" / "imx6ul-evk" / "boards" / "imx6ul-evk" / "sallyport.elf"
PYTHON = "/usr/bin/python3"
PROGRESS_SECONDS = 10  # how often a long step says where it is


class Report:
    """What passed, what failed, what was skipped and why."""

    def __init__(self):
        self.passed = 0
        self.failures = []  # (test, log)
        self.skipped = []

    def add(self, name, ok, log):
        if ok:
            self.passed += 1
        else:
            self.failures.append((name, log))

    def add_junit(self, file, step, log):
        """The cases of a JUnit file by ctest or pytest. No file, or no case in it, is a failure of the step."""
        try:
            cases = list(ElementTree.parse(file).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError):
            cases = []
        if not cases:
            self.add(f"{step}: no test has run", False, log)
        for case in cases:
            name = ".".join(filter(None, (case.get("classname"), case.get("name")))) if step == "system" else case.get("name")
            skipped = case.find("skipped")
            failed = case.find("failure") is not None or case.find("error") is not None
            # ctest: a test whose executable is missing is "notrun" and has <skipped>; that is no reason to be content.
            if skipped is not None and step == "system" and not failed:
                self.skipped.append(f"{name}: {skipped.get('message', '')}")
            else:
                self.add(f"{step}: {name}", not failed and skipped is None, log)

    def print(self):
        if self.skipped:
            print(f"\n{len(self.skipped)} skipped:")
            for line in self.skipped:
                print(f"  {line}")
        if self.failures:
            print("\nfailed:")
            for name, log in self.failures:
                print(f"  {name}    ({log.relative_to(ROOT)})")
        print(f"\n{self.passed} passed, {len(self.failures)} failed", flush=True)


class Runner:
    def __init__(self, report):
        self.report = report
        self.started = time.monotonic()
        self.process = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.give_up)

    def give_up(self, number, _):
        """Steps are process groups of their own: they end with us."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=30)
        sys.exit(f"run_tests: ended by signal {number}")

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)

    def run(self, step, command, minutes, progress=None, every_line=False, environment=None):
        """Runs `command` with its output in the step's log; lines that match `progress` are shown now and then, or all of
        them. Returns (exit code 0?, log). Time's up: the step's own process group is ended."""
        log = LOGS / f"{step}.log"
        self.say(step)
        shown_at, deadline = time.monotonic(), time.monotonic() + 60 * minutes
        self.process = process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                                  start_new_session=True, env={**os.environ, **(environment or {})})
        os.set_blocking(process.stdout.fileno(), False)
        pending = b""
        with open(log, "ab") as file:
            while True:
                ended = process.poll() is not None
                chunk = process.stdout.read() or b""
                file.write(chunk)
                file.flush()
                *lines, pending = (pending + chunk).split(b"\n")
                if lines:
                    shown_at = self.show(lines, progress, every_line, shown_at)
                if ended and not chunk:
                    break
                if time.monotonic() > deadline:
                    os.killpg(process.pid, signal.SIGTERM)
                    file.write(f"\nrun_tests: stopped after {minutes} minutes\n".encode())
                    deadline += 60
                if not chunk:
                    time.sleep(0.05)
        return process.returncode == 0, log

    def show(self, lines, progress, every_line, shown_at):
        matching = [line.decode("utf-8", "replace") for line in lines if progress and re.search(progress, line)]
        if every_line:
            for line in matching:
                self.say(f"  {line.strip()[:150]}")
        elif matching and time.monotonic() - shown_at > PROGRESS_SECONDS:
            self.say(f"  {brief(matching[-1])}")
            return time.monotonic()
        return shown_at

    def check(self, step, command, minutes, progress=None):
        """A step that passes or fails as a whole."""
        ok, log = self.run(step, command, minutes, progress)
        self.report.add(step, ok, log)
        if not ok:
            show_tail(log)
        return ok


def brief(line):
    """A line of ninja without the folders, anything else cut to a terminal's width."""
    building = re.match(r"(\[\d+/\d+\]) (\w+).*?([^/ ]+?)'?$", line.strip())
    return " ".join(building.groups()) if building else line.strip().split(" ..")[0][:150]


def show_tail(log, lines=25):
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in text if re.search(r"\berror: |FAILED:|undefined reference|/ld: |^[\w./-]+: not formatted", line)][:lines]
    for line in errors or text[-lines:]:
        print(f"    {line[:200]}")


def build(runner, preset):
    jobs = str(os.cpu_count() or 2)
    ready = runner.check(f"configure-{preset}", ["cmake", "--preset", preset], 10, rb"fetch")
    return ready and runner.check(f"build-{preset}", ["cmake", "--build", f"build/{preset}", "-j", jobs, "--", "-k", "0"], 40,
                                  rb"^\[\d+/\d+\]")


def unit_tests(runner):
    result = LOGS / "unit.xml"
    _, log = runner.run("unit", ["ctest", "--preset", "host-asan", "-j", str(os.cpu_count() or 2), "--output-junit", str(result),
                                 "--timeout", "120", "--no-tests=error"], 15, rb"Test +#\d+")
    runner.report.add_junit(result, "unit", log)


def system_tests(runner, arguments):
    result = LOGS / "system.xml"
    command = [PYTHON, "-m", "pytest", "tests/system", "-v", "--tb=short", "-p", "no:cacheprovider", f"--junit-xml={result}",
               "--board", "host", "--board", "imx6ul-evk", *arguments]
    _, log = runner.run("system", command, 28, rb"(?:PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS).*%\]", every_line=True)
    runner.report.add_junit(result, "system", log)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the system tests and the host board")
    parser.add_argument("pytest", nargs="*", help="after --: arguments for the system tests, such as -k starttls")
    arguments = parser.parse_args()

    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    report = Report()
    runner = Runner(report)
    runner.check("presubmit", ["tools/presubmit"], 5)
    build(runner, "host-asan")
    unit_tests(runner)
    build(runner, "imx6ul-evk")
    runner.check("image", ["tools/check-image", str(IMAGE)], 2)
    runner.check("memory", ["tools/memory-report"], 2)
    if not arguments.quick:
        build(runner, "host")
        system_tests(runner, arguments.pytest)
    report.print()
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
