"""`unmix` and `python -m unmix`: the command line, interrupted in one line even while it loads."""

import logging
import os
import signal
import sys
import warnings


def main() -> None:
    """Run the command line on the arguments of this process."""
    code: int | str | None = 130
    try:
        if "--debug" not in sys.argv:  # what libraries remark is not for the user's screen
            warnings.simplefilter("ignore")
            logging.lastResort = None
        from unmix.cli import main as run

        run()
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        print(
            "unmix: interrupted: nothing was written; run the same command again", file=sys.stderr
        )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from here on there is nothing to interrupt
    if code == 130:  # everything is cleaned up; threads still at work are not waited for
        sys.stderr.flush()
        os._exit(130)
    sys.exit(code)


if __name__ == "__main__":
    main()
