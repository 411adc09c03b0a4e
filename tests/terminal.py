"""Runs a command on a terminal of its own, answers its questions, and ends as it ends: terminal.py ANSWERS COMMAND...

ANSWERS is one letter a question (`ny`: no, then yes; `^` is Ctrl-C). What the terminal shows goes to standard output; a question that no letter
is left for, and letters that nobody asked for, are errors.
"""

import os
import pty
import sys

answers, command = list(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown, asked = b"", 0
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:  # the other side is closed
        break
    if not part:
        break
    shown += part
    while shown.count(b"[y/N]") > asked:
        asked += 1
        answer = answers.pop(0) if answers else sys.exit("one question too many")
        os.write(terminal, b"\x03" if answer == "^" else answer.encode() + b"\n")
_, status = os.waitpid(child, 0)
sys.stdout.write(shown.decode(errors="replace"))
if answers:
    sys.exit(f"nobody asked for {answers}")
sys.exit(os.waitstatus_to_exitcode(status))
