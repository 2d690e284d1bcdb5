"""Prepare the sites and serve them with uWSGI alone, until Ctrl-C or SIGTERM."""

import sys

from runner.interrupt import handle_signals


def main() -> int:
    try:
        handle_signals()
        from runner.serving import run  # Ctrl-C is one line from here on

        return run()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr, flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
