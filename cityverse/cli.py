"""The command line: ``python -m cityverse …``.

Errors are one line on stderr; the exit code is 2 for bad usage or input and 1 for
a failure. Heavy modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from cityverse import __version__, settings
from cityverse.domain.people import Role
from cityverse.errors import CityVerseError, InputError
from cityverse.processes import follow_parent
from cityverse.telemetry import start_logging

if TYPE_CHECKING:
    from cityverse.data.client import Dynamo

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers with its exit code."""
    options = _parser().parse_args(arguments)
    try:
        start_logging(settings.current())
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
    _add_users(commands)
    _add_news(commands)
    _add_places(commands)
    _add_map(commands)
    _add_aws(commands)
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
    _command(commands, "app", "be the dashboard alone, in the foreground", _app)
    _command(commands, "worker", "poll the sources until stopped", _worker)


def _add_store(commands: argparse._SubParsersAction[_Parser]) -> None:
    provision = _command(commands, "provision", "create or complete tables and buckets", _provision)
    provision.add_argument("--plan", action="store_true", help="only print what is missing")
    provision.add_argument(
        "--backfill", action="store_true", help="complete older items too; reads every table once"
    )
    provision.add_argument("--units", type=_units, default=100, metavar="N", help=_UNITS_HELP)
    seed = _command(commands, "seed", "fill in the demo city, labelled as such", _seed)
    for kind, default in _demo_sizes().items():
        seed.add_argument(
            f"--{kind}", type=_count, default=default, metavar="N", help=f"how many [{default}]"
        )
    seed.add_argument("--remove", action="store_true", help="take the demo city away again")
    export = _command(commands, "export", "write the whole store into a folder", _export)
    export.add_argument("folder", type=Path, metavar="FOLDER", help="empty, or begun before")
    export.add_argument("--units", type=_units, default=500, metavar="N", help=_UNITS_HELP)
    load = _command(commands, "import", "write an export into this store", _import)
    load.add_argument("folder", type=Path, metavar="FOLDER")
    load.add_argument(
        "--earlier",
        action="store_true",
        help="the folder holds tables of the earlier prototype, one <Table>.jsonl each",
    )
    load.add_argument(
        "--in-place",
        action="store_true",
        help="with --earlier: take them from this store's own tables, kept in FOLDER first",
    )


def _add_users(commands: argparse._SubParsersAction[_Parser]) -> None:
    users = commands.add_parser("users", help="people with an account")
    parts = users.add_subparsers(title="commands", required=True, metavar="COMMAND")
    grant = _command(parts, "grant", "give the account of an e-mail a role", _users_grant)
    grant.add_argument("email", metavar="EMAIL")
    grant.add_argument("role", metavar="ROLE", type=_role, help=f"one of {', '.join(Role)}")
    reset = _command(
        parts,
        "reset-second-factor",
        "take the second factor from the account of an e-mail: its person has lost it",
        _users_reset_second_factor,
    )
    reset.add_argument("email", metavar="EMAIL")
    _command(
        parts,
        "new-key",
        "sign sessions with a new key from the next start on; those signed before still hold",
        _users_new_key,
    )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"one of {', '.join(Role)}") from None


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


def _add_places(commands: argparse._SubParsersAction[_Parser]) -> None:
    places = commands.add_parser("places", help="the gazetteer that news are located with")
    parts = places.add_subparsers(title="commands", required=True, metavar="COMMAND")
    update = _command(
        parts,
        "update",
        "complete the gazetteer from opendata.paris.fr, Île-de-France Mobilités and OpenStreetMap",
        _places_update,
    )
    update.add_argument(
        "--input",
        type=Path,
        metavar="FOLDER",
        help="read files exported from these sources instead of asking them; nothing is fetched",
    )


def _add_map(commands: argparse._SubParsersAction[_Parser]) -> None:
    city_map = commands.add_parser("map", help="building tiles of the 3D map")
    parts = city_map.add_subparsers(title="commands", required=True, metavar="COMMAND")
    build = _command(parts, "build", "build a tile set of buildings", _map_build)
    build.add_argument(
        "--source", required=True, choices=["sample", "overpass", "bdtopo", "geojson"]
    )
    build.add_argument("--output", type=Path, required=True, metavar="FILE.mbtiles")
    build.add_argument(
        "--input",
        type=Path,
        metavar="FILE",
        help="GeoJSON, or an answer of Overpass; else overpass and bdtopo are fetched",
    )
    build.add_argument("--bbox", type=_bbox, metavar="S,W,N,E", help="keep only this part")
    for what in ("height", "levels", "id", "name"):
        build.add_argument(
            f"--{what}-property", metavar="NAME", help=f"of GeoJSON: the property with the {what}"
        )
    build.add_argument("--attribution", default="", metavar="TEXT", help="whose data it is")
    build.add_argument("--endpoint", default="", metavar="URL", help="another server to fetch from")
    build.add_argument(
        "--cells", type=Path, metavar="FOLDER", help="where fetched parts are kept until it is done"
    )
    fetch = _command(parts, "fetch", "fetch the real city into the data folder", _map_fetch)
    fetch.add_argument(
        "--source",
        choices=["auto", "bdtopo", "overpass"],
        default="auto",
        help="auto: bdtopo, or overpass where that fails",
    )
    publish = _command(parts, "publish", "upload a tile set to S3", _map_publish)
    publish.add_argument("name", nargs="?", metavar="NAME", help="a set; else the one on show")
    publish.add_argument("--bucket", required=True, help="an existing bucket")
    publish.add_argument("--prefix", default="tiles", help="where in it [%(default)s]")


def _add_aws(commands: argparse._SubParsersAction[_Parser]) -> None:
    from cityverse.aws.templates import STACKS

    template = _command(commands, "template", "print a CloudFormation template", _template)
    template.add_argument("stack", choices=STACKS, metavar="STACK", help=", ".join(STACKS))
    template.add_argument(
        "--billing",
        choices=["on-demand", "provisioned"],
        default="on-demand",
        help="of data: pay by request, or for capacity that is scaled [%(default)s]",
    )

    _command(commands, "cost", "what a month on AWS costs, for three sizes of city", _cost)


def _add_checks(commands: argparse._SubParsersAction[_Parser]) -> None:
    _command(commands, "doctor", "check the installation and say what is wrong", _doctor)
    bench = _command(commands, "bench", "measure, side by side in one run", _bench)
    bench.add_argument("name", nargs="?", metavar="NAME", help="one benchmark instead of all")
    bench.add_argument("--json", action="store_true", help="print the rows as JSON")
    bench.add_argument(
        "--labelled",
        type=Path,
        metavar="FILE",
        help="with the name news: judge locating on this labelled set (forms in docs/news.md)",
    )


_UNITS_HELP = "read units a second it may take [%(default)s]"


def _units(text: str) -> int:
    units = int(text)
    if not 1 <= units <= 1_000_000:
        raise argparse.ArgumentTypeError("a number between 1 and 1000000")
    return units


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


def _app(_: argparse.Namespace) -> int:
    from cityverse import run

    run.dashboard(settings.current())


def _engine(options: argparse.Namespace) -> int:
    from cityverse.engine.server import serve

    follow_parent()
    return serve(options.data_dir, options.port)


def _worker(_: argparse.Namespace) -> int:
    from cityverse import worker

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
        return _backfill(current, options.units) if options.backfill and not options.plan else 0


def _backfill(current: settings.Settings, units: int) -> int:
    from cityverse.data.backfill import backfill
    from cityverse.data.store import connect

    report = backfill(connect(current), told=print, units=units)
    for problem in report.problems:
        print(_one_line(Exception(problem)), file=sys.stderr)
    print(f"{report.seen} items seen, {report.completed} completed")
    return 1 if report.problems else 0


def _export(options: argparse.Namespace) -> int:
    from cityverse.data import objects
    from cityverse.data.export import export
    from cityverse.data.store import connect

    with _store_in_reach() as current, _progress() as told:
        store = connect(current)
        made = export(
            store.dynamo,
            objects.connect(current),
            options.folder,
            told=told,
            units=options.units,
        )
    lines = {name: file["lines"] for name, file in made["files"].items()}
    print(f"exported {sum(lines.values())} items and objects to {options.folder}")
    return 0


def _import(options: argparse.Namespace) -> int:
    from cityverse.data import objects, provision
    from cityverse.data.imports import ClaimsTaken, Report, import_
    from cityverse.data.store import connect

    if options.in_place and not options.earlier:
        raise InputError("--in-place goes with --earlier")
    with _store_in_reach() as current, _progress() as told:
        provision.apply(current)
        store = connect(current)
        if options.earlier:
            return _import_earlier(store.dynamo, options, told)
        report = Report()
        try:
            import_(
                store.dynamo, objects.connect(current), options.folder, told=told, report=report
            )
        except ClaimsTaken as error:
            report.conflicts = [*dict.fromkeys([*error.conflicts, *report.conflicts])]
            raise
        finally:  # an import that stops half-way says how far it came
            for conflict in report.conflicts:
                print(f"differs here: {_one_line(Exception(conflict))}", file=sys.stderr)
            if report.written or report.known:
                print(f"{report.written} written, {report.known} there already")
    return 1 if report.conflicts else 0


def _import_earlier(
    dynamo: Dynamo, options: argparse.Namespace, told: Callable[[str, int, int], None]
) -> int:
    from cityverse.data import legacy

    if options.in_place:
        legacy.set_aside(dynamo, options.folder, told=told)
    report = legacy.import_earlier(dynamo, options.folder, in_place=options.in_place, told=told)
    print(f"{report.written} items written, {len(report.problems)} remarks in {report.file}")
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on one line of a terminal; nothing where stderr is none."""
    silent = not sys.stderr.isatty()

    def told(part: str, done: int, total: int) -> None:
        if not silent:
            share = min(1.0, done / total) if total else 0.0
            bar = "#" * int(24 * share)
            print(f"\r\x1b[K[{bar:24}] {part} {done}", end="", file=sys.stderr, flush=True)

    try:
        yield told
    finally:
        if not silent:
            print(file=sys.stderr)


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


def _users_grant(options: argparse.Namespace) -> int:
    from cityverse.accounts import accounts
    from cityverse.data import provision
    from cityverse.data.store import connect

    with _store_in_reach() as current:
        provision.apply(current)
        user = accounts.over(current, connect(current)).grant(options.email, options.role)
    print(f"{user.email} is {user.role} now")
    return 0


def _users_reset_second_factor(options: argparse.Namespace) -> int:
    from cityverse.accounts import accounts, letter
    from cityverse.data import provision
    from cityverse.data.store import connect

    with _store_in_reach() as current:
        provision.apply(current)
        here = accounts.Client("local", letter.DEFAULT)
        user = accounts.over(current, connect(current)).reset_second_factor(options.email, here)
    print(f"{user.email} signs in with the password alone now; sessions were ended")
    return 0


def _users_new_key(_: argparse.Namespace) -> int:
    from cityverse.accounts.tokens import rotate

    rotate(settings.current())
    print("the next start signs sessions with a new key; a second new key ends older sessions")
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
    from cityverse.news.locate import Locator, locate_lines
    from cityverse.news.places import load_completed

    locate_lines(sys.stdin, sys.stdout, Locator(load_completed(settings.current().data_dir)))
    return 0


def _places_update(options: argparse.Namespace) -> int:
    from cityverse.news.places import update

    with _shares() as told:
        report = update(settings.current().data_dir, input_dir=options.input, told=told)
    print(report)
    for failure in report.failed:
        print(_one_line(Exception(failure)), file=sys.stderr)
    return 1 if report.failed else 0


def _map_build(options: argparse.Namespace) -> int:
    from cityverse.map.build import Input, build
    from cityverse.map.geojson import Properties

    names = {what: getattr(options, f"{what}_property") for what in ("height", "levels", "id")}
    endpoints = {"overpass": settings.current().overpass_url, "bdtopo": settings.current().wfs_url}
    fetched = options.input is None and options.source in endpoints
    wanted = Input(
        options.source,
        options.input,
        options.bbox,
        properties=Properties(name=options.name_property, **names),
        attribution=options.attribution,
        endpoint=options.endpoint or (endpoints[options.source] if fetched else ""),
        cells=options.cells,
    )
    with _ended_whole(), _shares() as told:
        report = build(wanted, options.output, progress=told)
    print(report)
    return 0


def _map_fetch(options: argparse.Namespace) -> int:
    from cityverse.map import realcity

    with _ended_whole(), _shares() as told:
        report = realcity.fetch(settings.current(), options.source, progress=told)
    print(report)
    return 0


def _map_publish(options: argparse.Namespace) -> int:
    from cityverse.data.tilesets import connect
    from cityverse.map.publish import publish

    with _store_in_reach() as current, _progress() as told:
        target = connect(current, options.bucket, options.prefix)
        folder = current.data_dir / "tiles"
        published = publish(folder, options.name, target, lambda n, all_: told("tiles", n, all_))
    print(f"{published.tiles} tiles of {published.name} are in {options.bucket}")
    print(f"CITYVERSE_TILES_URL is the address that leads to s3://{published.place}")
    return 0


def _template(options: argparse.Namespace) -> int:
    from cityverse.aws.cloudformation import as_text
    from cityverse.aws.templates import template_of

    print(as_text(template_of(options.stack, options.billing)), end="")
    return 0


def _cost(_: argparse.Namespace) -> int:
    from cityverse.aws.cost import as_table

    print(as_table(), end="")
    return 0


@contextlib.contextmanager
def _ended_whole() -> Iterator[None]:
    """Let SIGTERM end this process as Ctrl-C does: with everything cleaned up, once."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    follow_parent()
    yield


@contextlib.contextmanager
def _shares() -> Iterator[Callable[[str, float], None]]:
    """What is done and the share of the whole on one line of a terminal; else nothing."""
    silent = not sys.stderr.isatty()

    def told(text: str, share: float) -> None:
        if not silent:
            print(f"\r\x1b[K{text} {share:4.0%}", end="", file=sys.stderr, flush=True)

    try:
        yield told
    finally:
        if not silent:
            print(file=sys.stderr)


def _doctor(_: argparse.Namespace) -> int:
    from cityverse import doctor

    findings = doctor.examine(settings.current())
    for finding in findings:
        print(f"{'ok' if finding.good else '!!'}  {finding.text}")
    return 0 if all(finding.good for finding in findings) else 1


def _bench(options: argparse.Namespace) -> int:
    from cityverse import bench

    rows = bench.run(options.name, options.labelled)
    print(json.dumps(rows, indent=2) if options.json else bench.as_table(rows))
    return 0 if all(row["held"] is not False for row in rows) else 1
