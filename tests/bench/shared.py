"""The acceptance tests' throw-away sshd and what goes with it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import porter  # noqa: E402,F401  (for those who import it from here)
