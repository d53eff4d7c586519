"""The recorder of this process: says when the run begins and ends, and makes its calls known."""

from __future__ import annotations

import atexit
import os
import sys
import time

from ao_lsp import paths
from ao_lsp.runner import ancestry, execs, secrets
from ao_lsp.runner.outbox import Outbox
from ao_lsp.taint import names
from ao_lsp.taint.frames import unseen, unseen_methods, unwatched
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import FORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.draws import Draws
    from ao_lsp.runner.gateway import Gateway
    from ao_lsp.runner.groups import Groups, Where
    from ao_lsp.runner.options import Options
    from ao_lsp.runner.places import Place
    from ao_lsp.runner.replay import Plan
    from ao_lsp.runner.values import Values

keep(__name__)


class Recorder:
    """Records one process of a run. Nothing here raises into the program.

    A run begins and ends with its first process; a child says that it is there when it has something to say.
    """

    def __init__(self, options: Options, plan: Plan | None) -> None:
        self.plan = plan
        self._options = options
        self._is_root = options.child is None
        self._parent: str | None = None
        if options.child is None:
            header = plan.header if plan else {}
            self._run: str = header["run"] if plan else os.urandom(6).hex()
            self.session: str = header.get("session") or self._run
        else:
            self._run, self.session, self._parent, *root = options.child.split(":")
            self._is_root = bool(root)
        self._outbox = Outbox(self._run, os.urandom(4).hex())
        self._outcome: dict[str, Any] = {"exit_code": 0, "status": "finished", "error": None}
        self._known_child = False
        self._began = float(options.began or time.time())
        self._draws: Draws | None = None
        self.gateway: Gateway | None = None
        self._groups: Groups | None = None
        self._values: Values | None = None

    @classmethod
    def start(cls, options: Options) -> Recorder:
        """Begin to record the run that `options` describe: install the hooks, tell the daemon."""
        from ao_lsp.taint.frames import HIDES, WHY_NOT

        plan_file = _opened_plan() if options.gateway else None
        plan = _plan(options)
        if paths.moved() is not None:
            from ao_lsp.runner import moved

            moved.begin()
        recorder = cls(options, plan)
        untracked = options.taint and not HIDES
        if untracked:
            options.taint = False
        if options.taint:
            from ao_lsp.taint import hook, scope

            for item in options.rewrite:
                scope.add(item)
            hook.install(_log)
        from ao_lsp.runner import transports

        names.record_draws(recorder.draws, options.taint)
        transports.install(recorder)
        # The first registered is the last that is called: after the program's own.
        atexit.register(unwatched(recorder._finish))
        os.register_at_fork(before=unwatched(recorder._forking), after_in_child=unwatched(recorder._forked))
        execs.install(recorder)
        if options.child is not None:
            ancestry.begin(options.lineage)
            if options.subrun:
                recorder.groups.inherit(options.subrun)
            recorder._reach_gateway(None)
            recorder._offer()
            return recorder
        recorder._outbox.post(recorder._first_event())
        recorder._reach_gateway(plan_file)
        recorder._offer()
        if untracked:
            recorder.note(f"{WHY_NOT}: calls are recorded without edges")
        return recorder

    def _reach_gateway(self, plan_file: int | None) -> None:
        """Start a gateway, if one is wanted; else know of the one that was started around this process."""
        if not self._options.gateway and "AO_GATEWAY_ADDRESS" not in os.environ:
            return
        from ao_lsp.runner import gateway

        self.gateway = gateway.Gateway.of_environment()
        if not self._options.gateway:
            return
        about = {"run": self._run, "parent_stream": self._outbox.stream, "policy": self._options.policy}
        try:
            self.gateway = gateway.start(self._options.server_python or sys.executable, about, plan_file)
        except (OSError, gateway.GatewayError) as error:
            gateway.fail(error)
            self.note(f"there was no gateway: {error}")
        finally:
            if plan_file is not None:
                os.close(plan_file)

    def _first_event(self) -> dict[str, Any]:
        options, header = self._options, self.plan.header if self.plan else {}
        return {
            **self.description(),
            "type": "run.start",
            "run": self._run,
            "name": options.name or header.get("name"),
            "parent_run": header.get("parent_run"),
            "fork_call": header.get("fork_call"),
            **({"path": header["path"]} if header.get("path") else {}),
            **({"version": header["version"]} if header.get("version") else {}),
        }

    def description(self) -> dict[str, Any]:
        """What the start of a run and of a subrun say of the process."""
        options = self._options
        try:
            cwd = os.getcwd()
        except OSError:
            cwd = ""
        program = options.program if options.kind == "script" else f"-{options.kind[0]}"
        return {
            "session": self.session,
            "argv": [program, *options.arguments],
            "target": {"kind": options.kind, "value": options.program},
            "options": options.own(),
            "cwd": cwd,
            "python": sys.executable,
            "python_version": sys.version.split()[0],
            "env": secrets.environment(),
            "pid": os.getpid(),
        }

    def _offer(self) -> None:
        """From now on the program can speak to us (`import ao_lsp`), by functions that nobody sees."""
        import ao_lsp

        ao_lsp._recording = _Offered(self)
        for function in (ao_lsp.launch, ao_lsp.tool, ao_lsp.log):
            unseen(function)
        for cls in (ao_lsp.Launch, ao_lsp._Ready, _Offered):
            unseen_methods(cls)

    @property
    def groups(self) -> Groups:
        """The subruns of this process."""
        if self._groups is None:
            from ao_lsp.runner.groups import Groups

            # Threads may come here at the same moment, and have to be given the same: this is one step.
            self._groups = vars(self).setdefault("_first_groups", Groups(self))
        return self._groups

    def where(self) -> Where | None:
        """Where in the run the program is; None where it has no subruns."""
        if self._groups is None:
            alone = self.plan is not None and self.plan.header.get("path")
            if not alone and not (self.is_child and ancestry.subrun()):
                return None
        return self.groups.where()

    @property
    def is_child(self) -> bool:
        """Whether this is another process than the run's first one."""
        return self._parent is not None

    @property
    def stream(self) -> str:
        """Of this process's events."""
        return self._outbox.stream

    @property
    def tracks(self) -> bool:
        """Whether values are tracked in this run."""
        return self._options.taint

    def post(self, event: dict[str, Any], **parts: bytes) -> None:
        """Queue an event of this run."""
        if self._parent is not None and not self._known_child:
            self._known_child = True
            self._outbox.post(
                {"type": "process.start", "run": self._run, "pid": os.getpid(), "parent_stream": self._parent}
            )
        if event["type"] in ("call.start", "call.end"):
            self._tell_values()
        self._outbox.post(event, **parts)

    def _tell_values(self) -> None:
        """Send in which expressions values of calls were made since the last time."""
        tracking = sys.modules.get("ao_lsp.taint.origins")
        if tracking is None or not tracking.MADE:
            return
        if self._values is None:
            from ao_lsp.runner.values import Values

            self._values = Values()
        self._values.flush(self.post)

    def kind_of(self, method: str, url: str) -> str | None:
        """Which kind of call a request may be; None where it is certainly none."""
        from ao_lsp.runner import calls

        kind = calls.kind_of(method, url)
        return "http" if kind is None and self._options.http and url.startswith("http") else kind

    def call(self, transport: str, method: str, url: str) -> Call | None:
        """A call that is about to be made; None where the request is none."""
        from ao_lsp.runner import calls

        kind = self.kind_of(method, url)
        if kind is None:
            return None
        upstream = None if self.gateway is None else self.gateway.upstream(url)
        if kind == "http":
            from ao_lsp.runner import http_call

            return http_call.HttpCall(self, transport, method, upstream or url) if http_call.is_asked_for() else None
        if upstream is None:
            return calls.Call(self, transport, method, url, kind)
        return calls.Call(self, transport, method, upstream, kind, self.gateway)

    def draws(self) -> Draws:
        """What records values that were drawn by chance."""
        if self._draws is None:
            from ao_lsp.runner.draws import Draws
            from ao_lsp.taint import lineage

            self._draws = Draws(self.post, self.plan, self._began, self._run)
            if FORKS:
                lineage.in_child(ancestry.piece)
        return self._draws

    def begins(self, recorded: str | None, call: str, at: float) -> None:
        """A call begins, at `at`; its recording was called `recorded`."""
        if self._draws is not None:
            self._draws.call(recorded, call, at)

    def go_live(self) -> None:
        """From now on values may come from a recorded call."""
        from ao_lsp.runner import transports

        transports.go_live(self)

    def note(self, message: str) -> None:
        """Something the recorder could not do."""
        try:
            message = secrets.clean_text(message)
        except Exception:  # a module that cannot be loaded any more
            message = "something could not be recorded, and cannot be told"
        self.post({"type": "run.note", "level": "warning", "message": message})

    def refusal(self, request_hash: str, site: Place | None, url: str) -> str:
        """Why a rerun must not make this call, for which it has no recording; "" where it may."""
        policy = self._options.policy or (self.plan.policy if self.plan else "live")
        if policy not in ("strict", "ask"):
            return ""
        from ao_lsp.runner import refusal

        return refusal.of(policy, request_hash, site, url)

    def ended(self, error: BaseException | None) -> None:
        """The main program has ended, by `error` or by itself."""
        if isinstance(error, SystemExit):
            code = error.code
            self._outcome["exit_code"] = code if isinstance(code, int) else 0 if code is None else 1
            self._outcome["status"] = "failed" if self._outcome["exit_code"] else "finished"
        elif error is not None:
            from ao_lsp.runner import crash

            self._outcome = {"exit_code": 1, "status": "failed", "error": crash.described(error)}
            if isinstance(error, KeyboardInterrupt):
                self._outcome["exit_code"] = 130

    def handed_down(self, lineage: str, replaces: bool) -> list[str]:
        """The options of a child that records for this run. `replaces`: it takes the place of this process."""
        options = self._options
        stream = self._parent if self._parent is not None and not self._known_child else self._outbox.stream
        whose = f"{self._run}:{self.session}:{stream}"
        if replaces and self._is_root:
            whose += ":root"
        found = ["--child", whose, "--lineage", lineage, "--began", repr(self._began)]
        for item in options.rewrite:
            found += ["--rewrite", item]
        if not options.taint:
            found.append("--no-taint")
        if options.http:
            found.append("--http")
        if self._groups is not None:
            found += self._groups.options()
        if self.plan is not None and options.plan:
            found += ["--plan", options.plan]
        if options.policy:
            found.append(f"--{options.policy}")
        if replaces and options.json:
            found += ["--json", options.json]
        return found

    def leaving(self) -> None:
        """This process is about to become another program."""
        self._tell_values()
        if self._draws is not None:
            self._draws.flush()
        self._outbox.close()

    def _finish(self) -> None:
        if not self._is_root:
            try:
                self.leaving()
            except Exception:
                pass
            return
        try:
            self._tell_what_is_left()
        except Exception:  # no descriptors left, say: then the end is all there is to say
            pass
        self.post({"type": "run.end", "at": time.time(), **self._outcome})
        self._outbox.close()
        if self._options.plan:
            from ao_lsp.runner import claims

            claims.remove(self._options.plan)
        if self._options.json:
            _write_outcome(self._options.json, {"run": self._run, **self._outcome})

    def _tell_what_is_left(self) -> None:
        self._tell_values()
        tracking = sys.modules.get("ao_lsp.taint.escrow")
        for lost in tracking.LOST[:10] if tracking is not None else ():
            self.note(f"tracking lost {lost}")
        if self.plan is not None:
            from ao_lsp.runner.replay import GATEWAY

            for unused in self.plan.unused_edits(GATEWAY if self.gateway is not None else ""):
                self.note(unused)
        # The files of a rerun on old code are gone when it has ended.
        if "ao_lsp.taint.streams" in sys.modules and paths.moved() is None:
            from ao_lsp.runner import session_files

            session_files.keep(self.session)
        if self.plan is not None and self.plan.header.get("path"):
            outcome = self.groups.outcome
            if outcome is None:
                self.note(f"the program did not come through the subrun {self.plan.header.get('name')!r} again")
            else:
                self._outcome = {**self._outcome, **outcome}
        if self._draws is not None:
            self._draws.flush()

    def _forking(self) -> None:
        ancestry.forking()
        if self._draws is not None:
            self._draws.seed  # noqa: B018  # the children's too, so it has to be known by now

    def _forked(self) -> None:
        ancestry.forked()
        if "ao_lsp.taint.lineage" in sys.modules:
            from ao_lsp.taint import lineage

            lineage.forked()
            lineage.in_child(ancestry.piece)
        if self._groups is not None:
            self._groups.forked()
        if self._parent is None or self._known_child:
            self._parent = self._outbox.stream
        self._is_root = self._known_child = False
        if self.plan is not None:
            self.plan.forked()
        if self._draws is not None:
            self._draws.forked()
        if "ao_lsp.taint.origins" in sys.modules:
            sys.modules["ao_lsp.taint.origins"].MADE.clear()  # the parent sends it
        self._values = None
        self._outbox.forked(os.urandom(4).hex())


def _opened_plan() -> int | None:
    """The file of the plan, for whoever reads it after it is gone; None where there is none."""
    try:
        return os.open(os.environ["AO_PLAN"], os.O_RDONLY | os.O_CLOEXEC)
    except (KeyError, OSError):
        return None


class _Offered:
    """What `ao_lsp` calls for the program. A debugger is not led through it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def enter(self, launch: Any) -> None:
        _told(self._recorder, "enter", launch)

    def leave(self, launch: Any, error: BaseException | None) -> None:
        _told(self._recorder, "leave", launch, error)

    def log(self, result: object, note: object) -> None:
        _told(self._recorder, "log", result, note)

    def tool(self, function: Any, name: str | None, replay: bool) -> Any:
        return _told(self._recorder, "tool", function, name, replay)

    def launched(self, launch: Any, function: Any) -> Any:
        return _told(self._recorder, "launched", launch, function)


def _tell(recorder: Recorder, what: str, *args: Any) -> Any:
    return getattr(recorder.groups, what)(*args)


_told = unwatched(_tell)


def _plan(options: Options) -> Plan | None:
    if options.child is not None:
        if options.plan is None:
            return None
        from ao_lsp.runner import replay

        return replay.ChildsPlan(options.plan, options.policy or "live")
    path = os.environ.pop("AO_PLAN", None)
    if not path:
        return None
    from ao_lsp.runner import replay

    try:
        plan = replay.load(path)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"ao-record: the replay plan cannot be read ({error}); make a new one with: ao rerun\n")
        raise SystemExit(1) from None
    if plan.header.get("moved"):
        paths.move(*plan.header["moved"])
    options.plan = os.path.abspath(path)
    options.policy = options.policy or plan.policy
    return plan


def _write_outcome(where: str, outcome: dict[str, Any]) -> None:
    from ao_lsp import protocol

    line = protocol.line(outcome)
    try:
        if where.isdigit():
            os.write(int(where), line)
        else:
            with open(where, "ab") as handle:
                handle.write(line)
    except OSError as error:
        sys.stderr.write(f"ao-record: cannot write {where}: {error.strerror}\n")


def _log(message: str) -> None:
    """One line in the rewrite log; a log that cannot be written is no reason to say anything."""
    try:
        folder = paths.log_dir()
        os.makedirs(folder, 0o700, exist_ok=True)
        with open(os.path.join(folder, "rewrite.log"), "a", encoding="utf-8", errors="replace") as handle:
            handle.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {os.getpid()} {message}\n")
    except Exception:  # a program may also have forbidden it
        pass
