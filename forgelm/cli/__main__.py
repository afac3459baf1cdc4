"""`python -m forgelm.cli`, and the `forgelm` script."""

from __future__ import annotations

import sys

from forgelm.cli._parser import run

__all__ = ["main"]


def main() -> None:
    """Run the command line on the arguments of this process and exit with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
