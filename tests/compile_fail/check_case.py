#!/usr/bin/python3
"""Check that one source does not compile, for the reason it names, and that its control does.

    check_case.py <compile_commands.json> <case.cpp>
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys


def compile_command(database, case):
    """The project's own command for `case`, without its output files and compiler cache."""
    for entry in json.loads(database.read_text(encoding="utf-8")):
        if pathlib.Path(entry["file"]) == case:
            break
    else:
        sys.exit(f"{case.name}: not in {database}")
    words = [word for word in shlex.split(entry["command"]) if not word.endswith("/ccache")]
    command, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MT", "-MF"):
            skip = True
        elif word not in ("-c", "-MD"):
            command.append(word)
    return [*command, "-fsyntax-only", "-fdiagnostics-color=never"], entry["directory"]


def compile_case(command, directory, *definitions):
    # Plain quotes in the messages, whatever the locale.
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([*command, *definitions], cwd=directory, env=environment, capture_output=True, text=True)


def main():
    database, case = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    expected = re.findall(r"^// expect-error: (.+)$", case.read_text(encoding="utf-8"), re.MULTILINE)
    if not expected:
        sys.exit(f"{case.name}: names no `// expect-error:`")
    command, directory = compile_command(database, case)

    control = compile_case(command, directory, "-DCONTROL")
    if control.returncode != 0:
        sys.exit(f"{case.name}: the control must compile, and does not:\n{control.stderr}")
    refused = compile_case(command, directory)
    if refused.returncode == 0:
        sys.exit(f"{case.name}: COMPILES, and must not")
    errors = re.findall(r"^.*?\berror: (.*)$", refused.stderr, re.MULTILINE)
    unseen = [pattern for pattern in expected if not any(re.search(pattern, error) for error in errors)]
    if unseen or not any(re.search(pattern, errors[0]) for pattern in expected):
        sys.exit(f"{case.name}: does not compile, but not with the expected error {expected}:\n{refused.stderr}")
    print(f"{case.name}: refused as it must be: {errors[0]}")


if __name__ == "__main__":
    main()
