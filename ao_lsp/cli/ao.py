"""`ao`: look at recorded runs, edit calls, rerun (docs/commands.md)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ao_lsp import __version__
from ao_lsp.cli import client, events, in_editor, show, show_code, show_diff, show_output, terminal
from ao_lsp.cli.client import CommandError
from ao_lsp.connect import environment


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process: 0, 1 with a reason, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    client.run("ao", options.json, lambda: options.command(options))


def _runs(options: argparse.Namespace) -> None:
    params = {"limit": options.limit, **({"name": options.name} if options.name else {})}
    if options.within:
        params["within"] = options.within
    if options.grep is not None:
        params["grep"] = options.grep
    result = client.connected().request("ao.runs", params)
    client.print_json(result) if options.json else show.runs(result)


def _graph(options: argparse.Namespace) -> None:
    form = "json" if options.json else options.format
    params: dict[str, Any] = {"run": options.run, "format": form, "evidence": options.evidence}
    params["subruns"] = options.subruns
    if form == "text":
        params |= {"color": terminal.colored(sys.stdout), "width": terminal.width()}
    result = client.connected().request("ao.graph", params)
    if form == "json":
        client.print_json(result)
    else:
        sys.stdout.write(result["text"])


def _call(options: argparse.Namespace) -> None:
    params = {"run": options.run, "call": options.call, "raw": options.raw}
    result = client.connected().request("ao.call", params)
    part = "request" if options.request else "response"
    if options.json:
        client.print_json(result)
    elif options.raw:
        show.raw(result, part)
    elif options.request or options.response:
        show.body(result, part)
    else:
        show.call(result)


def _why(options: argparse.Namespace) -> None:
    start, end = options.part
    result = client.connected().request(
        "ao.why", {"run": options.run, "call": options.call, "start": start, "end": end}
    )
    client.print_json(result) if options.json else show.why(result)


def _origins(options: argparse.Namespace) -> None:
    file, line = options.where
    asked = {"run": options.run, "file": os.path.abspath(file), "line": line, "name": options.name}
    result = client.connected().request("ao.origins", asked)
    client.print_json(result) if options.json else show.origins(result)


def _where(text: str) -> tuple[str, int | None]:
    """`FILE` or `FILE:LINE`."""
    file, colon, line = text.rpartition(":")
    return (file, int(line)) if colon and line.isdecimal() else (text, None)


def _part(text: str) -> tuple[int | None, int | None]:
    """`120:260`, `120:` or `:260`: characters."""
    start, colon, end = text.partition(":")
    if not colon or not all(side.isdecimal() or not side for side in (start, end)):
        raise argparse.ArgumentTypeError(f"{text} is not START:END")
    return int(start) if start else None, int(end) if end else None


def _edit(options: argparse.Namespace) -> None:
    field = "input" if options.input is not None else "output"
    named = options.output if options.input is None else options.input
    connection = client.connected()
    if named in (None, in_editor.EDITOR):
        result = in_editor.edit(connection, options.run, options.call, field)
    else:
        params = {"run": options.run, "call": options.call, "field": field, "content": _content(named)}
        result = connection.request("ao.edit", params)
    if options.json:
        client.print_json(result)
    elif result.get("unchanged"):
        print("nothing was changed", file=sys.stderr)
    elif "fields" in result:
        print(f"took back the edited {field} of call {result['number']}: it is as it was recorded")
    else:
        print(f"stored the edited {field} of call {result['number']}; rerun with: ao rerun {result['run']}")


def _content(path: str) -> str:
    """The text in a file, or on stdin for `-`, without the line end that editors and `echo` add."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise CommandError("bad_params", f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError("bad_params", f"{path} is not UTF-8 text ({error.reason} at byte {error.start})") from None


def _unedit(options: argparse.Namespace) -> None:
    params = {"run": options.run, "call": options.call, **({"field": options.field} if options.field else {})}
    result = client.connected().request("ao.unedit", {**params, "all": options.all})
    if options.json:
        client.print_json(result)
    else:
        kept = f"; the {' and '.join(result['restored'])} edited before counts again" if result["restored"] else ""
        print(f"took back the edited {' and '.join(result['fields'])} of call {result['number']}{kept}")


def _rerun(options: argparse.Namespace) -> None:
    params = {"run": options.run, **({"from": options.from_call} if options.from_call else {})}
    params |= {"python": _interpreter(options.python)} if options.python else {}
    params |= {"at_version": True} if options.at_version else {}
    if options.dry_run:
        result = client.connected(**environment()).request(
            "ao.plan", {**params, "policy": options.policy, "dry_run": True}
        )
        client.print_json(result) if options.json else show.plan(result)
    elif options.json:
        _rerun_behind({**params, "policy": options.policy})
    else:
        connection = client.connected(**environment())
        plan = connection.request("ao.plan", {**params, "policy": options.policy})
        connection.close()
        _become(plan)


def _interpreter(named: str) -> str:
    """The path of an interpreter, which the daemon would look for in other places."""
    import shutil

    return os.path.abspath(shutil.which(named) or named)


def _rerun_behind(params: dict[str, Any]) -> None:
    """In the background, because the program's stdout cannot be ours too; answers when it has ended."""
    if params["policy"] == "ask":
        raise CommandError("bad_params", "--ask needs a terminal, which a rerun with --json has not")
    connection = client.connected(**environment())
    client.print_json(connection.request("ao.rerun", {**params, "wait": True}))


def _become(plan: dict[str, Any]) -> NoReturn:
    """Become the program: this process ends where it ends, in this terminal."""
    if plan["obstacle"]:
        os.unlink(plan["plan"])
        raise CommandError("conflict", plan["obstacle"]["message"], plan["obstacle"]["hint"])
    show.notes(plan)
    print(f"ao: {show.planned(plan)}; this is run {plan['run']}", file=sys.stderr, flush=True)
    try:
        os.chdir(plan["cwd"])
        os.execve(plan["argv"][0], plan["argv"], {**os.environ, **plan["env"]})  # noqa: S606 - to become it
    except OSError as error:
        os.unlink(plan["plan"])
        raise CommandError("conflict", f"the program cannot be started in {plan['cwd']}: {error.strerror}") from None


def _output(options: argparse.Namespace) -> None:
    connection = client.connected()
    show_output.output(connection, options.run, follow=options.follow, as_json=options.json)


def _events(options: argparse.Namespace) -> None:
    if options.all and (options.run != "last" or options.after):
        raise CommandError("bad_params", "--all has no numbers that it could begin from, and is of no one run")
    run = None if options.all else options.run
    events.events(run, options.after, follow=options.follow or options.all, as_json=options.json)


def _stop(options: argparse.Namespace) -> None:
    result = client.connected().request("ao.stop", {"run": options.run})
    if options.json:
        client.print_json(result)
    elif result["subrun"] is None:
        print(f"stopped run {result['run']}")
    else:
        print(f"stopped run {result['run']}, the program of subrun {result['subrun']}")


def _diff(options: argparse.Namespace) -> None:
    if options.code:
        result = client.connected().request("ao.diffCode", {"a": options.a, "b": options.b})
        client.print_json(result) if options.json else show_code.diff(result)
        return
    result = client.connected().request("ao.diff", {"a": options.a, "b": options.b or "last"})
    client.print_json(result) if options.json else show_diff.diff(result)


def _versions(options: argparse.Namespace) -> None:
    project = {"project": os.path.abspath(options.project)} if options.project else {}
    result = client.connected().request("ao.versions", {"limit": options.limit, **project})
    client.print_json(result) if options.json else show_code.versions(result)


def _show(options: argparse.Namespace) -> None:
    # A path that is one from here is meant so; any other is one in the project.
    here = options.file and os.path.lexists(options.file)
    file = os.path.abspath(options.file) if here else options.file
    result = client.connected().request("ao.show", {"version": options.version, "file": file})
    if options.json:
        client.print_json(result)
    elif options.file is None:
        show_code.files(result)
    else:
        show_code.contents(result)


def _checkout(options: argparse.Namespace) -> None:
    params = {"version": options.version, "folder": os.path.abspath(options.folder), "force": options.force}
    result = client.connected().request("ao.checkout", params)
    if options.json:
        client.print_json(result)
    else:
        count = result["files"]
        said = (
            f"wrote the {count} file{'' if count == 1 else 's'} of version {result['version'][:10]} to {options.folder}"
        )
        print(terminal.printable(said))


def _export(options: argparse.Namespace) -> None:
    result = client.connected().request("ao.export", {"run": options.run, "format": options.format}, show.progress)
    show.progress_done()
    data = result["text"].encode("utf-8")
    if options.file in (None, "-"):
        sys.stdout.buffer.write(data)
        return
    try:
        with open(options.file, "wb") as file:
            file.write(data)
    except OSError as error:
        raise CommandError("unavailable", f"{options.file}: {error.strerror}") from None
    written = {"run": result["run"], "format": result["format"], "file": os.path.abspath(options.file)}
    if options.json:
        client.print_json({**written, "bytes": len(data)})
    else:
        print(f"wrote {terminal.size(len(data))} to {options.file}", file=sys.stderr)


def _rm(options: argparse.Namespace) -> None:
    connection = client.connected()
    if not options.yes and not options.json and sys.stdin.isatty():
        client.confirm(f"Delete {', '.join(options.runs)}?")
    result = connection.request("ao.rm", {"runs": options.runs})
    if options.json:
        client.print_json(result)
    else:
        count = len(result["deleted"])
        said = f"deleted {count} run{'' if count == 1 else 's'}: {', '.join(result['deleted'])}"
        print(f"{said}; {terminal.size(result['freed_bytes'])} freed")


def _exec(options: argparse.Namespace) -> None:
    text = sys.stdin.read() if options.params == "-" else options.params
    try:
        params = json.loads(text) if text else {}
    except ValueError as error:
        raise CommandError("bad_params", f"the parameters are not JSON: {error}") from None
    connection = client.connected(**environment())
    try:
        result = connection.request(options.name, params, show.progress)
    finally:
        show.progress_done()
    client.print_json(result)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="one JSON document on stdout, errors too")
    parser = argparse.ArgumentParser(prog="ao", description="Look at recorded runs, edit calls, rerun.")
    parser.add_argument("--version", action="version", version=f"ao {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Any, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[shared])
        made.set_defaults(command=command)
        return made

    def add_run(to: argparse.ArgumentParser, **more: Any) -> None:
        to.add_argument("run", metavar="RUN", help="id, beginning of an id, name, or `last`", **more)

    def add_version(to: argparse.ArgumentParser) -> None:
        to.add_argument("version", metavar="VERSION|RUN", help="a version or the beginning of one, or a run")

    def add_call(to: argparse.ArgumentParser) -> None:
        to.add_argument("call", metavar="CALL", help="number, id, or beginning of an id")

    made = add("runs", _runs, "List recorded runs, newest first.")
    made.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default: 20)")
    made.add_argument("--name", metavar="RE", help="only those whose name matches, subruns too")
    made.add_argument("--within", metavar="RUN", help="only the subruns of this run")
    made.add_argument("--grep", metavar="TEXT", help="only those whose prompts or outputs contain this text")

    made = add("graph", _graph, "Show the calls of a run and which output reached which input.")
    add_run(made, nargs="?", default="last")
    made.add_argument("--format", choices=("text", "json", "mermaid", "dot", "svg"), default="text")
    made.add_argument("--evidence", choices=("tracked", "all"), default="all", help="which edges (default: all)")
    made.add_argument("--subruns", action="store_true", help="each call of subruns, not one line for each subrun")

    made = add("call", _call, "Show one call, whole.")
    add_run(made)
    add_call(made)
    which = made.add_mutually_exclusive_group()
    which.add_argument("--request", action="store_true", help="the request body only, as JSON")
    which.add_argument("--response", action="store_true", help="the response body only, as JSON (streams put together)")
    made.add_argument("--raw", action="store_true", help="the body byte for byte (the response's, or with --request)")

    made = add("why", _why, "Show where the input of a call came from, line by line.")
    add_run(made)
    add_call(made)
    made.add_argument(
        "part", metavar="START:END", nargs="?", type=_part, default=(None, None),
        help="only what is in these characters of the input, from 0; either may be left out",
    )  # fmt: skip

    made = add("origins", _origins, "Show which calls the values of variables came from, line by line.")
    add_run(made)
    made.add_argument("where", metavar="FILE[:LINE]", type=_where, help="a source file, and a line of it")
    made.add_argument("name", metavar="NAME", nargs="?", help="only variables of this name")

    made = add("edit", _edit, "Store an edit: what a rerun receives from a call, or sends in it.")
    add_run(made)
    add_call(made)
    field = made.add_mutually_exclusive_group()
    field.add_argument(
        "--output", metavar="FILE", nargs="?", const=in_editor.EDITOR,
        help="new text, or whole response as JSON; - is stdin; without FILE (and without --input): $EDITOR opens",
    )  # fmt: skip
    field.add_argument(
        "--input", metavar="FILE", nargs="?", const=in_editor.EDITOR,
        help="new text of the user's, messages, or whole request as JSON; - is stdin; without FILE: $EDITOR opens",
    )  # fmt: skip

    made = add("unedit", _unedit, "Take the last edit of a call back.")
    add_run(made)
    add_call(made)
    made.add_argument("--all", action="store_true", help="all edits, back to the recording")
    taken = made.add_mutually_exclusive_group()
    taken.add_argument("--output", dest="field", action="store_const", const="output", help="this edit only")
    taken.add_argument("--input", dest="field", action="store_const", const="input", help="this edit only")

    made = add("rerun", _rerun, "Run a recorded program again: edits applied, the rest replayed.")
    add_run(made, nargs="?", default="last")
    made.add_argument("--from", dest="from_call", metavar="CALL", help="this call and what depends on it go live")
    made.add_argument("--dry-run", action="store_true", help="only say what would happen")
    made.add_argument("--python", metavar="PATH", help="the interpreter to use in place of the recorded one")
    made.add_argument("--at-version", action="store_true", help="the code that the run had, not the code of now")
    policy = made.add_mutually_exclusive_group()
    made_it = "make it (default, if on_miss is not set)"
    for name, text in (("live", made_it), ("strict", "fail"), ("ask", "ask on the terminal")):
        policy.add_argument(
            f"--{name}", dest="policy", action="store_const", const=name,
            help=f"a call without a recording: {text}",
        )  # fmt: skip

    made = add("output", _output, "Show what a rerun in the background prints.")
    add_run(made, nargs="?", default="last")
    made.add_argument("--follow", "-f", action="store_true", help="until the run has ended")

    made = add("events", _events, "Show what was committed of a run and its session, one change a line.")
    add_run(made, nargs="?", default="last")
    made.add_argument("--after", type=int, default=0, metavar="N", help="only what is numbered higher")
    made.add_argument("--follow", "-f", action="store_true", help="go on with what is yet to come")
    made.add_argument("--all", action="store_true", help="of all runs, from now on")

    made = add("stop", _stop, "End the program of a run and what it started.")
    add_run(made, nargs="?", default="last")

    made = add("diff", _diff, "Show what changed between two runs.")
    made.add_argument("a", metavar="RUN")
    made.add_argument("b", metavar="RUN", nargs="?", help="default: the latest; with --code: the files as they are now")
    made.add_argument("--code", action="store_true", help="what changed in the code, not in the calls")

    made = add("versions", _versions, "List the states of the code that was run, newest first.")
    made.add_argument("--project", metavar="DIR", help="only of the project that this folder belongs to")
    made.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default: 20)")

    made = add("show", _show, "Show a file as it was in a run, or which files there were.")
    add_version(made)
    made.add_argument("file", metavar="FILE", nargs="?", help="its name in the project, or its path")

    made = add("checkout", _checkout, "Write the code of a run into a new or empty folder.")
    add_version(made)
    made.add_argument("folder", metavar="DIR")
    made.add_argument("--force", action="store_true", help="also into one that is not empty")

    made = add("export", _export, "Write a whole run as one file, for other tools and people.")
    add_run(made, nargs="?", default="last")
    made.add_argument("--format", choices=("json", "html", "otlp"), default="json", help="default: json")
    made.add_argument("--output", "-o", dest="file", metavar="FILE", help="default: stdout")

    made = add("rm", _rm, "Delete runs with all that belongs to them, and give the space back.")
    made.add_argument("runs", metavar="RUN", nargs="+", help="id, beginning of an id, name, or `last`")
    made.add_argument("--yes", action="store_true", help="do not ask")

    made = add("exec", _exec, "Run any command of the daemon, as an editor would.")
    made.add_argument("name", metavar="COMMAND", help="ao.graph, for example")
    made.add_argument("params", metavar="JSON", nargs="?", default="", help="its parameters; - is stdin")
    return parser


if __name__ == "__main__":
    main()
