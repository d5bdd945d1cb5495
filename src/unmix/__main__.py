"""`unmix` and `python -m unmix`: the command line, interrupted in one line even while it loads."""

import atexit
import io
import logging
import os
import sys
import warnings

from unmix.interrupt import ignore, listen


def main() -> None:
    """Run the command line on the arguments of this process."""
    code: int | str | None = 130
    for name in ("stdin", "stdout", "stderr"):  # those the shell closed: no other file takes them
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))
    try:
        if "--debug" not in sys.argv:
            _hush()
        listen()
        from unmix.cli import main as run

        run()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        print(
            "unmix: interrupted: nothing was written; run the same command again", file=sys.stderr
        )
    ignore()  # from here on there is nothing to interrupt
    if isinstance(code, str) or "--debug" in sys.argv:
        sys.exit(code)
    if code != 130:  # interrupted: threads still at work are not waited for
        atexit._run_exitfuncs()
    _leave(code or 0)


def _leave(code: int) -> None:
    """End at once: all is written, and taking down what is loaded takes most of a second."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120  # as the interpreter's own end has it
    os._exit(code)


def _hush() -> None:
    """Keep what libraries remark, even from C, off the user's screen; our own lines stay."""
    warnings.simplefilter("ignore")
    logging.lastResort = logging.NullHandler()
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold any bytes
        sys.stdout.reconfigure(errors="backslashreplace")
    ours = os.dup(2)
    sys.stderr = open(ours, "w", 1, sys.stderr.encoding, "backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


if __name__ == "__main__":
    main()
