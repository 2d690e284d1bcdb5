"""
Make the virtual environment beside this file where it is missing or out of date, and become serve.py in it.

For ./example_project/run, which has put the terminal at descriptor 3. Standard library alone.
"""

import os
import sys
from pathlib import Path

from runner.interrupt import become, handle_signals

HERE = Path(__file__).resolve().parent


def main() -> int:
    try:
        handle_signals()
        os.dup2(3, 2)
        os.close(3)
        from runner.environment import PYTHON, install_if_needed  # Ctrl-C is one line from here on
        from runner.progress import STARTED, Progress

        progress = Progress()
        install_if_needed(progress)
        serve = [str(PYTHON), str(HERE / "serve.py"), *sys.argv[1:]]
        become(serve, {**os.environ, STARTED: str(progress.started)})
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 0


if __name__ == "__main__":
    sys.exit(main())
