"""The command line: one command, `unmix`.

Exit codes: 0 done, 1 the work failed, 2 the input is wrong (one line on standard error says what,
where, and what to do), 130 interrupted. `--debug` shows the traceback.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from unmix.checks import InputError
from unmix.cli.execution import said
from unmix.interrupt import is_interrupted

__all__ = ["app", "main"]

_LONGEST = 1500  # characters of a message: a line that quotes a whole file helps nobody
_PLACE_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
}
_UsageError: Any = typer.BadParameter.__mro__[1]  # of the click typer brings, or of click itself

app = typer.Typer(
    name="unmix",
    help="What a hyperspectral scene is made of: endmembers, abundance maps, a report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import unmix

        typer.echo(f"unmix {unmix.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True),
) -> None:
    """What a hyperspectral scene is made of: endmembers, abundance maps, a report."""


def _say(kind: str, message: object) -> None:
    """One line on standard error."""
    text = " ".join(str(message).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
    print(f"unmix: {kind}: {text}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, standalone_mode=False)
        if sys.stdout is not None:  # it is where the shell closed it
            sys.stdout.flush()
    except Exception as error:  # the last resort: whatever goes wrong ends in one line
        if "--debug" in arguments:
            traceback.print_exc()
        code = 130 if is_interrupted() else _explain(error)
    except KeyboardInterrupt:
        code = 130  # which typer gives, too
    except SystemExit:  # typer's way when the reader of our output left
        code = 0
    if code == 130:
        _say("interrupted", said["interrupted"])
    raise SystemExit(code if isinstance(code, int) else 0)


def _explain(error: Any) -> int:
    """Print why it ended; the exit code that goes with it."""
    if isinstance(error, typer.Abort):
        return 130
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return 0
    if isinstance(error, _UsageError):
        _say("error", f"{error.format_message()} (see {_command_of(error)} --help)")
        return 2
    if isinstance(error, InputError):
        _say("error", error)
        return 2
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError) and error.errno in _PLACE_ERRORS:
        _say("error", f"{error.filename or 'output'}: {error.strerror}; choose another place")
        return 2
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):  # torch's
        _say("failed", "not enough memory for this scene; crop it or use a larger machine")
        return 1
    _say("failed", f"{type(error).__name__}: {error} (unmix --debug ... shows where)")
    return 1


def _command_of(error: Any) -> str:
    """The command that was typed wrong: "unmix run", say."""
    path = "" if error.ctx is None else error.ctx.command_path
    return " ".join(["unmix", *path.split()[1:]])


import unmix.cli.benchmark  # noqa: E402  (these register their commands on `app`)
import unmix.cli.identify  # noqa: E402
import unmix.cli.inspect  # noqa: E402
import unmix.cli.make  # noqa: E402
import unmix.cli.results  # noqa: E402
import unmix.cli.simulate  # noqa: E402
import unmix.cli.work  # noqa: E402, F401
