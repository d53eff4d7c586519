"""What is not the same in every run, as the user's code asks for it: random numbers, identifiers, the clock.

Nobody is patched for it but `random.seed`: rewritten code asks `callee` what to call (calls.py; before recorded
calls are possible, names.py), and for the functions of this file gets a model. So library code keeps its own
values. Two kinds:

- **What a seed decides** (`random`, unseeded `Random()` and `numpy.random`) is not recorded but seeded, by one
  number that is the run's own: the global generator when `random` is imported, and for each strand but the main
  thread a generator of its own (lineage.py), because how threads take turns is not the same in every run. A
  generator that starts from a random number gives random numbers. Whoever seeds the global one has it for himself.
- **What comes from outside** (clocks, `uuid1`, `uuid4`, `os.urandom`, `secrets`, `SystemRandom`) is recorded by value,
  by its place in the code and its strand, the first `LIMIT` values of each.

In a rerun a clock that has no more recorded values runs on from where the recording was: otherwise what was
measured from a recorded moment on would take as long as the recording is old.
"""

from __future__ import annotations

import os
import sys
import time
from _functools import partial
from sys import _getframe

from ao_lsp.taint import lineage
from ao_lsp.taint.frames import HIDES, disguised, unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import BuiltinFunctionType, FunctionType, MethodType, ModuleType, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _collections import deque
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any, Protocol, TypeAlias, TypeVar

    Drawn = TypeVar("Drawn", str, int, float)
    Key: TypeAlias = tuple[str, str, str, str, int]
    Value: TypeAlias = str | int | float

    class Draws(Protocol):
        """Records values, and has those of the run that is replayed."""

        behind: float
        """Seconds by which the program's clock is behind that of the machine."""

        @property
        def seed(self) -> bytes:
            """The run's own random number."""

        def recorded(self, key: Key, /) -> deque[Value] | None:
            """The values of a place that are still to be served."""

        def note(self, key: Key, value: Value, /) -> bool:
            """Record a value; False where no more are recorded."""


keep(__name__)

LIMIT = 1000
"""How many values of one place are recorded in one strand."""
LONG = 4096
"""A value of more characters is not recorded, and none after it at that place."""
_CALLS = 20_000
"""After so many calls a place is left alone, in whichever strand."""

_draws: list[Draws] = []
_full: set[tuple[int, int]] = set()
_calls: dict[tuple[int, int, str], int] = {}
_codes: list[CodeType] = []
"""Those whose `id` is in a key."""

_clock, _clock_ns, _localtime = time.time, time.time_ns, time.localtime


def begin(draws: Draws) -> None:
    """From now on `draws` records."""
    _draws[:] = [draws]


class _Site:
    """One place in the code, in one strand."""

    __slots__ = ("generator", "key", "left", "waiting")

    def __init__(self, key: Key, waiting: deque[Value] | None) -> None:
        self.key = key
        self.left = LIMIT
        self.waiting = waiting
        self.generator: Any = None

    def next(self, kind: type[Drawn]) -> Drawn | None:
        """The next recorded value, if it is of that kind."""
        value = self.waiting.popleft() if self.waiting else None
        return value if type(value) is kind else None

    def bytes(self, count: object) -> bytes | None:
        """The next recorded bytes, if they are so many."""
        value = self.next(str)
        try:
            found = bytes.fromhex(value or "")
        except ValueError:
            return None
        return found if value is not None and len(found) == count else None

    def note(self, value: Value) -> None:
        self.left -= 1
        if (type(value) is str and len(value) > LONG) or not _draws[0].note(self.key, value):
            self.left = 0


def _site(frame: FrameType | None, kind: str) -> _Site | None:
    """The place that `frame` is at; None where nothing more is recorded and nothing to be served."""
    if frame is None or not _draws:
        return None
    try:
        return _place(frame, kind)
    except Exception:  # close to the limit of recursion, say
        return None


def _place(frame: FrameType, kind: str) -> _Site | None:
    code = frame.f_code
    place = id(code), frame.f_lasti
    if place in _full:
        return None
    where = (*place, kind)
    strand = lineage.current()
    site: _Site | None = strand.sites.get(where)
    if site is None:
        if where not in _calls:
            _codes.append(code)
        function = kind, code.co_filename, getattr(code, "co_qualname", code.co_name)
        # By the order in which they are come by: lines and instructions move when the code is edited.
        number = strand.sites[function] = strand.sites.get(function, -1) + 1
        key = (*function, strand.name, number)
        site = strand.sites[where] = _Site(key, _draws[0].recorded(key))
    _calls[where] = calls = _calls.get(where, 0) + 1
    if calls > _CALLS:
        _full.add(place)
    return site if site.left > 0 else None


# -- the clock


def now() -> float:
    """The time of the program: the machine's, or in a rerun the recording's."""
    return _clock() - _draws[0].behind if _draws else _clock()


def _instant(frame: FrameType | None, kind: str) -> float:
    site = _site(frame, kind)
    if site is None:
        return now()
    value = site.next(float)
    if value is None:
        value = now()
    else:
        # It never goes back, but a recorded moment may be later: the calls before it took no time.
        draws = _draws[0]
        draws.behind = min(draws.behind, _clock() - value)
    site.note(value)
    return value


@unseen
def read_time(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs:
        return function(*args, **kwargs)
    return _instant(_getframe(1), "time")


@unseen
def read_time_ns(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    site = None if args or kwargs else _site(_getframe(1), "time_ns")
    if site is None:
        behind = _draws[0].behind if _draws else 0.0
        return function(*args, **kwargs) - int(behind * 1e9)
    value = site.next(int)
    if value is None:
        value = function() - int(_draws[0].behind * 1e9)
    else:
        _draws[0].behind = min(_draws[0].behind, (_clock_ns() - value) / 1e9)
    site.note(value)
    return value


@unseen
def of_moment(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`localtime`, `gmtime` and `ctime`: of now, unless told otherwise."""
    if kwargs or len(args) > 1 or (args and args[0] is not None):
        return function(*args, **kwargs)
    return function(_instant(_getframe(1), "time"))


@unseen
def asctime(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs:
        return function(*args, **kwargs)
    return function(_localtime(_instant(_getframe(1), "time")))


@unseen
def strftime(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if kwargs or len(args) != 1:
        return function(*args, **kwargs)
    return function(args[0], _localtime(_instant(_getframe(1), "time")))


@unseen
def of_now(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`datetime.now`, `datetime.today` and `date.today`."""
    zone = [*args, *kwargs.values()]
    if not _is_date(function.__self__) or len(zone) > 1 or kwargs.keys() - {"tz"} or (zone and not _has_zone(function)):
        return function(*args, **kwargs)
    return function.__self__.fromtimestamp(_instant(_getframe(1), "time"), *zone)


@unseen
def utcnow(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)  # which warns, from 3.12 on
    if not _is_date(function.__self__):
        return result
    zone = sys.modules["datetime"].timezone.utc
    moment = function.__self__.fromtimestamp(_instant(_getframe(1), "time"), zone)
    return moment.replace(tzinfo=None)


def _is_date(cls: Any) -> bool:
    """Not a class of somebody's own that is made from it."""
    dates = sys.modules.get("datetime")
    return dates is not None and (cls is dates.datetime or cls is dates.date)


def _has_zone(function: Any) -> bool:
    return bool(function.__name__ == "now")


# -- identifiers and random bytes


@unseen
def identifier(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`uuid.uuid1` and `uuid.uuid4`."""
    site = _site(_getframe(1), function.__name__)
    value = None if site is None else site.bytes(16)
    made = function(*args, **kwargs) if value is None else function.__globals__["UUID"](bytes=value)
    if site is not None:
        site.note(made.hex)
    return made


@unseen
def token(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`secrets.token_hex` and `token_urlsafe`."""
    site = _site(_getframe(1), function.__name__)
    value = None if site is None else site.next(str)
    # A program that asks for something else by now gets something else.
    if value is None or kwargs or len(value) != _length(function.__name__, *args):
        value = function(*args, **kwargs)
    if site is not None:
        site.note(value)
    return value


def _length(name: str, count: object = None, *_: object) -> int | None:
    count = 32 if count is None else count
    if type(count) is not int:
        return None
    return 2 * count if name == "token_hex" else (4 * count + 2) // 3


@unseen
def random_below(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`secrets.randbelow`."""
    site = _site(_getframe(1), function.__name__)
    value = None if site is None else site.next(int)
    if value is None or len(args) != 1 or type(args[0]) is not int or value >= args[0]:
        value = function(*args, **kwargs)
    if site is not None:
        site.note(value)
    return value


@unseen
def random_bytes(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`os.urandom` and `secrets.token_bytes`."""
    site = _site(_getframe(1), function.__name__)
    value = None
    if site is not None and not kwargs:
        value = site.bytes(args[0] if args and args[0] is not None else 32)
    made = function(*args, **kwargs) if value is None else value
    if site is not None:
        site.note(made.hex())
    return made


def _recording_system_random() -> Any:
    module: Any = sys.modules["random"]

    @unseen_methods
    class Recording(module.SystemRandom):  # type: ignore[misc]  # known when it is imported
        """What draws its bits from a place's recording. The algorithms on top are the library's."""

        def _bytes(self, count: int) -> bytes:
            value = self.site.bytes(count)
            found = os.urandom(count) if value is None else value
            self.site.note(found.hex())
            return found

        def random(self) -> float:
            return (int.from_bytes(self._bytes(7), "big") >> 3) * float(2**-53)

        def getrandbits(self, k: int) -> int:
            if k < 0:
                return int(module.SystemRandom.getrandbits(self, k))  # which says what is wrong
            count = (k + 7) // 8
            return int.from_bytes(self._bytes(count), "big") >> (count * 8 - k)

        def randbytes(self, n: int) -> bytes:
            return self._bytes(n)

    return Recording


_recording_class: list[Any] = []


def _system_random(site: _Site) -> Any:
    if site.generator is None:
        if not _recording_class:
            _recording_class.append(_recording_system_random())
        site.generator = _recording_class[0]()
        site.generator.site = site
    return site.generator


# -- generators


@unseen
def directly(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


_calling: list[Callable[..., Any]] = [directly, directly]
"""How Python code, and compiled code, of a library is called."""


def call_through(library: Callable[..., Any], native: Callable[..., Any]) -> None:
    """From now on values are followed through calls."""
    _calling[:] = library, native


@unseen
def of_generator(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """A method of a generator that is written in Python."""
    return _calling[0](_chosen(function, _getframe(1)), *args, **kwargs)


@unseen
def of_generator_compiled(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`random` and `getrandbits`."""
    if not lineage.SEVERAL and function.__self__ is _global():
        return function(*args, **kwargs)
    chosen = _chosen(function, _getframe(1))
    return _calling[1](chosen, *args, **kwargs) if args else chosen(**kwargs)


def _global() -> Any:
    return _seeding[0].__self__ if _seeding else None


def _chosen(function: Any, frame: FrameType | None) -> Any:
    """The method of the generator that the running strand has for itself, or of one that records."""
    owner = function.__self__
    if owner is _global():
        if not lineage.SEVERAL or _seeded or function.__name__ in ("seed", "setstate"):
            return function
        return getattr(_generator(lineage.current()), function.__name__)
    module = sys.modules.get("random")
    if module is not None and type(owner) is module.SystemRandom:
        site = _site(frame, function.__name__)
        if site is not None:
            return getattr(_system_random(site), function.__name__)
    return function


def _generator(strand: lineage.Strand) -> Any:
    made = strand.generator
    if made is None or made[0] is not _turn[0]:
        is_main = strand.name == lineage.main_name()
        own = _global() if is_main else sys.modules["random"].Random(_derived(strand.name))
        strand.generator = made = _turn[0], own
    return made[1]


_turn: list[object] = [object()]
"""Another one each time that the run gets another number."""


@unseen
def generator(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`random.Random`, without a seed of the program's."""
    if kwargs or len(args) > 1 or (args and args[0] is not None):
        return _calling[0](function, *args, **kwargs)
    made = function(*args)
    site = _site(_getframe(1), "Random")
    if site is not None:
        made.seed(_derived(f"{site.key}{site.left}"))
        site.left -= 1
    return made


@unseen
def numpy_generator(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`numpy.random.default_rng`, without a seed of the program's."""
    if kwargs or len(args) > 1 or (args and args[0] is not None):
        return _calling[0](function, *args, **kwargs)
    site = _site(_getframe(1), "default_rng")
    if site is None:
        return function(*args)
    site.left -= 1
    return function(_derived(f"{site.key}{site.left}"))


def _derived(name: str) -> int:
    """A number of 256 bits, of the run and `name`."""
    from _blake2 import blake2b

    digest = blake2b(_draws[0].seed + name.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    return int.from_bytes(digest, "big")


# -- the global generators


_seeding: list[Any] = []
"""What seeds the global generator: its own bound method."""
_seeded: list[bool] = []
"""True while the program has seeded it."""
_again: list[None] = []


def seed_global(module: Any) -> None:
    """`random` has been imported: its generator starts from the run's own number."""
    original, restore = module.seed, module.setstate
    _seeding[:] = [original]
    _seed_anew()
    # After that of `random`, which seeds a child's generator from outside.
    os.register_at_fork(after_in_child=_seed_anew)
    if not HIDES:
        return

    @unseen
    def seed(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG001  # bound, as the one in whose place it is
        original(*args, **kwargs)
        if kwargs.get("a", args[0] if args else None) is None:
            _again.append(None)
            _seed_anew()
        else:
            _seeded[:] = [True]

    @unseen
    def setstate(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG001  # likewise
        restore(*args, **kwargs)
        _seeded[:] = [True]

    for made, replaced in ((seed, original), (setstate, restore)):
        disguised(made, replaced.__func__)
        setattr(module, made.__name__, MethodType(made, replaced.__self__))


def seed_numpy(module: Any) -> None:
    """The same for `numpy.random`."""
    number = _derived("numpy")
    module.seed([number >> shift & 0xFFFFFFFF for shift in range(0, 256, 32)])


def _seed_anew() -> None:
    _seeded.clear()
    if _draws and _seeding:
        _seeding[0](_derived(f"random {lineage.main_name()} {len(_again)}"))


def reseeded() -> None:
    """The run has another number from now on."""
    _turn[0] = object()
    # Where frames cannot be hidden nobody has seen whether the program seeded it.
    if not _seeded and HIDES:
        _seed_anew()


# -- who gets a model

_METHODS_OF_RANDOM = (
    "betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getstate",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "randrange", "sample", "shuffle",
    "triangular", "uniform", "vonmisesvariate", "weibullvariate",
)  # fmt: skip

NAMED: dict[str, Callable[..., Any]] = {
    "uuid.uuid1": identifier,
    "uuid.uuid4": identifier,
    "secrets.token_hex": token,
    "secrets.token_urlsafe": token,
    "secrets.randbelow": random_below,
    "secrets.token_bytes": random_bytes,
    **{f"random.Random.{name}": of_generator for name in _METHODS_OF_RANDOM},
    **{f"random.SystemRandom.{name}": of_generator for name in ("random", "getrandbits", "randbytes")},
}
"""Functions of Python code, by module and name."""

COMPILED: dict[Any, Callable[..., Any]] = {
    time.time: read_time,
    time.time_ns: read_time_ns,
    **dict.fromkeys((time.localtime, time.gmtime, time.ctime), of_moment),
    time.asctime: asctime,
    time.strftime: strftime,
    os.urandom: random_bytes,
}
"""Functions of compiled modules."""

METHODS: dict[str, dict[str, Callable[..., Any]]] = {
    "random": {"random": of_generator_compiled, "getrandbits": of_generator_compiled},
    "builtins": {"now": of_now, "today": of_now, "utcnow": utcnow},
}
"""Methods of compiled code, by the module of their object's class and their name. A class is an object of
`builtins.type`."""

TYPES: dict[str, Callable[..., Any]] = {"random.Random": generator}


def is_numpy_generator(function: Any) -> bool:
    """Whether it is `numpy.random.default_rng`."""
    return name_of(type(function)) == "cython_function_or_method" and bool(
        function.__name__ == "default_rng" and function.__module__ in ("numpy.random", "numpy.random._generator")
    )


_asked: dict[tuple[int, int], int] = {}
_over: set[tuple[int, int]] = set()


def callee(function: Any) -> Any:
    """What rewritten code calls in place of `function` while no value can be tagged; never raises."""
    try:
        frame = _getframe(1)
        place = id(frame.f_code), frame.f_lasti
        if place in _over:
            return function
        model = _model(function)
        if model is None:
            return function
        _asked[place] = asked = _asked.get(place, 0) + 1
        if asked > _CALLS and not (_draws and _draws[0].behind):
            # A loop that does nothing but look at the clock, say, goes on nearly as fast as it would.
            _codes.append(frame.f_code)
            _over.add(place)
    except Exception:
        return function
    return partial(model, function)


def _model(function: Any) -> Callable[..., Any] | None:
    cls = type(function)
    if cls is BuiltinFunctionType:
        receiver = function.__self__
        if type(receiver) is ModuleType:
            return COMPILED.get(function)
        of_module = METHODS.get(type(receiver).__module__)
        return None if of_module is None else of_module.get(function.__name__)
    if cls is MethodType:
        function, cls = function.__func__, type(function.__func__)
    if cls is FunctionType:
        return NAMED.get(f"{function.__module__}.{function.__qualname__}")
    if cls is type:
        return TYPES.get(f"{function.__module__}.{function.__name__}")
    return numpy_generator if is_numpy_generator(function) else None
