"""What a run is doing, and for how long: a line for each step, which counts the seconds on a terminal."""

import os
import sys
import time

STARTED = "EXAMPLE_STARTED"  # install.py hands it to serve.py, so that seconds count from the command


class Progress:
    def __init__(self) -> None:
        self.started = float(os.environ.get(STARTED) or time.monotonic())
        self.is_terminal = sys.stderr.isatty()
        self.words = ""

    def begin(self, words: str) -> None:
        """Begin the next step."""
        self.end()
        self.words = words
        if self.is_terminal:
            self.show()
        else:
            print(self.line(), file=sys.stderr, flush=True)

    def show(self) -> None:
        """Let a person who waits see the seconds; called now and then."""
        if self.is_terminal and self.words:
            print(f"\r{self.line()}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line of the last step as it is."""
        if self.is_terminal and self.words:
            print(file=sys.stderr, flush=True)
        self.words = ""

    def line(self) -> str:
        return f"{time.monotonic() - self.started:6.1f} s  {self.words} …"
