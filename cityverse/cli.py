"""The command line: ``python -m cityverse …``.

Errors are one line on stderr; the exit code is 2 for bad usage or input and 1 for
a failure. Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from cityverse import __version__, settings
from cityverse.errors import CityVerseError

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers with its exit code."""
    options = _parser().parse_args(arguments)
    try:
        logging.basicConfig(
            level=settings.current().log_level,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        command: Command = options.command
        return command(options)
    except CityVerseError as error:
        print(f"cityverse: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away; close quietly, as `head` expects.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cityverse",
        description="CityVerse: the life of Paris on one 3D map and one list.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_running(commands)
    _add_store(commands)
    _add_news(commands)
    _add_map(commands)
    _add_checks(commands)
    return parser


def _settings_help() -> str:
    width = max(len(setting.name) for setting in settings.SETTINGS)
    lines = [
        f"  {s.name:{width}}  {s.meaning}" + (f" [{s.default}]" if s.default else "")
        for s in settings.SETTINGS
    ]
    return "\n".join(["settings, from the environment or .env:", *lines])


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, text: str, run: Command
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=run)
    return parser


def _add_running(commands: argparse._SubParsersAction[_Parser]) -> None:
    _command(commands, "run", "start everything and open the dashboard", _run)
    engine = _command(commands, "engine", "be the embedded engine, in the foreground", _engine)
    engine.add_argument("--data-dir", type=Path, required=True, help="folder of its data")
    engine.add_argument("--port", type=_port, default=0, help="port on loopback; 0 chooses one")
    _command(commands, "worker", "poll the sources until stopped", _worker)


def _add_store(commands: argparse._SubParsersAction[_Parser]) -> None:
    provision = _command(commands, "provision", "create or complete tables and buckets", _provision)
    provision.add_argument("--plan", action="store_true", help="only print what is missing")
    seed = _command(commands, "seed", "fill in the demo city, labelled as such", _seed)
    for kind, default in _demo_sizes().items():
        seed.add_argument(
            f"--{kind}", type=_count, default=default, metavar="N", help=f"how many [{default}]"
        )
    seed.add_argument("--remove", action="store_true", help="take the demo city away again")


def _demo_sizes() -> dict[str, int]:
    from cityverse.community.demo import SIZES

    return dict(SIZES)


def _add_news(commands: argparse._SubParsersAction[_Parser]) -> None:
    news = commands.add_parser("news", help="local news: poll sources, parse, locate")
    parts = news.add_subparsers(title="commands", required=True, metavar="COMMAND")
    poll = _command(parts, "poll", "ask the sources that are due", _news_poll)
    poll.add_argument("--once", action="store_true", help="ask every source now, once, and stop")
    poll.add_argument("--source", metavar="ID", help="ask only this source, now")
    parse = _command(parts, "parse", "print the entries of a feed file as JSON lines", _news_parse)
    parse.add_argument("file", type=Path, metavar="FILE")
    _command(parts, "locate", "locate JSON lines of id, title, summary from stdin", _news_locate)


def _add_map(commands: argparse._SubParsersAction[_Parser]) -> None:
    city_map = commands.add_parser("map", help="building tiles of the 3D map")
    parts = city_map.add_subparsers(title="commands", required=True, metavar="COMMAND")
    build = _command(parts, "build", "build a tile set of buildings", _map_build)
    build.add_argument("--source", required=True, choices=["sample", "overpass"])
    build.add_argument("--input", type=Path, metavar="FILE", help="answer of the Overpass API")
    build.add_argument("--bbox", type=_bbox, metavar="S,W,N,E", help="keep only this part")
    build.add_argument("--output", type=Path, required=True, metavar="FILE.mbtiles")


def _add_checks(commands: argparse._SubParsersAction[_Parser]) -> None:
    _command(commands, "doctor", "check the installation and say what is wrong", _doctor)
    bench = _command(commands, "bench", "measure, side by side in one run", _bench)
    bench.add_argument("name", nargs="?", metavar="NAME", help="one benchmark instead of all")
    bench.add_argument("--json", action="store_true", help="print the rows as JSON")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError("a port lies between 0 and 65535")
    return port


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= 100_000:
        raise argparse.ArgumentTypeError("a number between 0 and 100000")
    return count


def _bbox(text: str) -> tuple[float, float, float, float]:
    parts = [float(part) for part in text.split(",")]
    if len(parts) != 4 or not (parts[0] < parts[2] and parts[1] < parts[3]):
        raise argparse.ArgumentTypeError("four numbers: south,west,north,east")
    return parts[0], parts[1], parts[2], parts[3]


@contextlib.contextmanager
def _store_in_reach() -> Iterator[settings.Settings]:
    """The settings, with an embedded engine running on the data folder meanwhile."""
    current = settings.current()
    if current.store == "aws":
        yield current
        return
    from cityverse.engine.launch import borrowed

    with borrowed(current.data_dir):
        yield current


def _run(_: argparse.Namespace) -> int:
    from cityverse import run

    return run.run(settings.current())


def _engine(options: argparse.Namespace) -> int:
    from cityverse.engine.server import serve
    from cityverse.processes import follow_parent

    follow_parent()
    return serve(options.data_dir, options.port)


def _worker(_: argparse.Namespace) -> int:
    from cityverse import worker
    from cityverse.processes import follow_parent

    follow_parent()
    with _store_in_reach() as current:
        return worker.run(current)


def _provision(options: argparse.Namespace) -> int:
    from cityverse.data import provision

    with _store_in_reach() as current:
        if options.plan:
            steps = provision.plan(current)
            for step in steps:
                print(step.description)
        else:
            provision.apply(current, print)
    return 0


def _seed(options: argparse.Namespace) -> int:
    from cityverse.community import demo
    from cityverse.data import provision
    from cityverse.data.store import connect

    with _store_in_reach() as current:
        provision.apply(current)
        store = connect(current)
        if options.remove:
            print(f"removed {demo.remove(store)} demo items")
        else:
            sizes = {kind: getattr(options, kind) for kind in demo.SIZES}
            print(f"added {demo.fill(store, sizes)} demo items")
    return 0


def _news_poll(options: argparse.Namespace) -> int:
    from cityverse import worker
    from cityverse.data import provision

    with _store_in_reach() as current:
        provision.apply(current)
        results = worker.poll_now(current, source=options.source, all_sources=options.once)
    for result in results:
        print(result)
    return 0 if all(result.error is None for result in results) else 1


def _news_parse(options: argparse.Namespace) -> int:
    from cityverse.news.parse_file import parse_file

    parse_file(options.file, sys.stdout)
    return 0


def _news_locate(_: argparse.Namespace) -> int:
    from cityverse.news.locate import locate_lines

    locate_lines(sys.stdin, sys.stdout)
    return 0


def _map_build(options: argparse.Namespace) -> int:
    from cityverse.map.build import build

    def told(text: str, share: float) -> None:
        print(f"\r\x1b[K{text} {share:4.0%}", end="", file=sys.stderr, flush=True)

    silent = not sys.stderr.isatty()
    report = build(
        options.source,
        options.output,
        input=options.input,
        bbox=options.bbox,
        progress=(lambda _text, _share: None) if silent else told,
    )
    if not silent:
        print(file=sys.stderr)
    print(report)
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from cityverse import doctor

    findings = doctor.examine(settings.current())
    for finding in findings:
        print(f"{'ok' if finding.good else '!!'}  {finding.text}")
    return 0 if all(finding.good for finding in findings) else 1


def _bench(options: argparse.Namespace) -> int:
    from cityverse import bench

    rows = bench.run(options.name)
    print(json.dumps(rows, indent=2) if options.json else bench.as_table(rows))
    return 0 if all(row["held"] is not False for row in rows) else 1
