"""``python -m cityverse.engine``: the engine as a process of its own."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from cityverse.engine.server import serve
from cityverse.errors import EngineError
from cityverse.processes import follow_parent


def main(arguments: list[str]) -> int:
    """Run the engine; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cityverse.engine", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the store")
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0 takes a free one")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    follow_parent()
    try:
        return serve(options.data_dir, options.port)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
