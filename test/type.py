"""Type lines at a shell's prompt: type.py SHELL [ARG ...]; the lines come on standard input, as python escapes (\\t is the
tabulator), and each gets an Enter. What the terminal shows is printed, without control sequences.

The shell must show the prompt "READY> " (its start-up file says so): a line is typed when it is there.
"""
import os
import pty
import re
import select
import sys
import time

LIMIT_S = 120
PROMPT = b"READY> "


def await_prompt(fd, seen, count):
    end = time.monotonic() + LIMIT_S
    while seen.count(PROMPT) < count:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit(f"no prompt within {LIMIT_S} s after: {bytes(seen)!r}")
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            sys.exit(f"the shell ended after: {bytes(seen)!r}")
        seen += data


def main():
    lines = sys.stdin.read().splitlines()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(sys.argv[1], sys.argv[1:])
    seen = bytearray()
    for count, line in enumerate(lines, 1):
        await_prompt(fd, seen, count)
        os.write(fd, line.encode().decode("unicode_escape").encode("latin-1") + b"\r")
    await_prompt(fd, seen, len(lines) + 1)
    os.write(fd, b"exit\r")
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass
    os.waitpid(pid, 0)
    sys.stdout.buffer.write(re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", b"", bytes(seen)))


main()
