"""What can be set, by which names, and what each may be (docs/configuration.md). Imports the standard library only.

A setting has one value out of several places; the first one that has a right one counts: the command line, an `AO_*`
variable, the editor, `[tool.ao]` in the project's pyproject.toml, the default. A wrong value is a message, and the
next place counts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypeAlias

    Kind: TypeAlias = Literal["flag", "text", "list", "choice", "number"]

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingError(ValueError):
    """A value that a setting cannot have; the message says what it may be."""


class Setting:
    """One setting. `variable` is its name in the environment, or "" where it has none; `project` and `editor` say
    whether pyproject.toml and an editor may have it, too."""

    __slots__ = ("choices", "editor", "kind", "name", "project", "variable")

    def __init__(
        self, name: str, kind: Kind, variable: str, *choices: str, project: bool = False, editor: bool = False
    ) -> None:
        self.name, self.kind, self.variable, self.choices = name, kind, variable, choices
        self.project, self.editor = project, editor

    def from_text(self, text: str) -> Any:
        """The value that a variable's text says: a bool, a str, a list of str or a float.

        Raises:
            SettingError: it says none.
        """
        if self.kind == "flag":
            lower = text.strip().lower()
            if lower not in _ON + _OFF:
                raise SettingError(f"must be 1 or 0, not {text!r}")
            return lower in _ON
        if self.kind == "list":
            return [item for item in text.split(":") if item]
        if self.kind == "number":
            return self._number(text)
        return self.from_value(text)

    def from_value(self, value: Any) -> Any:
        """The value that TOML or JSON says.

        Raises:
            SettingError: it is none.
        """
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise SettingError(f"must be true or false, not {value!r}")
        elif self.kind == "list":
            if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
                raise SettingError(f"must be a list of texts, not {value!r}")
            if self.choices and not set(value) <= set(self.choices):
                raise SettingError(f"must be a list of {_or(self.choices)}, not {value!r}")
        elif self.kind == "number":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SettingError(f"must be a number, not {value!r}")
            return self._number(value)
        elif not isinstance(value, str) or not value or "\0" in value:
            raise SettingError(f"must be a text, not {value!r}")
        elif self.choices and value not in self.choices:
            raise SettingError(f"must be {_or(self.choices)}, not {value!r}")
        return value

    def _number(self, said: str | float) -> float:
        try:
            number = float(said)
        except ValueError:
            raise SettingError(f"must be a number, not {said!r}") from None
        if not 0 <= number < 1e9:  # neither infinite nor no number at all
            raise SettingError(f"must be a number from 0 on, not {said!r}")
        return number


def _or(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


SETTINGS = (
    Setting("python", "text", "AO_PYTHON", project=True, editor=True),
    Setting("rewrite", "list", "AO_REWRITE", project=True),
    Setting("taint", "flag", "AO_TAINT", project=True),
    Setting("gateway", "flag", "AO_GATEWAY", project=True),
    Setting("http", "flag", "AO_HTTP", project=True),
    Setting("on_miss", "choice", "AO_ON_MISS", "live", "strict", "ask", project=True, editor=True),
    Setting("lenses", "flag", "", editor=True),
    Setting("hints", "flag", "", editor=True),
    Setting("variable_hints", "flag", "", editor=True),
    Setting("diagnostics", "list", "", "failed-call", "crash", "unused-output", "stale-recording", editor=True),
    Setting("watch", "flag", "AO_WATCH"),
    Setting("versions", "flag", "AO_VERSIONS", project=True),
    Setting("versions_keep_days", "number", "AO_VERSIONS_KEEP_DAYS"),
    Setting("database", "text", "AO_DATABASE"),
    Setting("idle_s", "number", "AO_IDLE_S"),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}


def of_variables(setting: Setting, environment: Any) -> tuple[Any, str | None]:
    """What the environment (a mapping) says of a setting, None where nothing; and what is wrong with it."""
    text = environment.get(setting.variable) if setting.variable else None
    if not text:
        return None, None
    try:
        return setting.from_text(text), None
    except SettingError as error:
        return None, f"{setting.variable} {error}"


def of_table(table: Any, place: str, where: str) -> tuple[dict[str, Any], list[str]]:
    """The right values of a table (of TOML or JSON), and what is wrong with the others. `place` is `project` or
    `editor`; `where` names the table to the user."""
    if not isinstance(table, dict):
        return {}, [f"{where} must be a table of settings, not {table!r}"]
    values: dict[str, Any] = {}
    problems = []
    for name, value in table.items():
        setting = BY_NAME.get(name)
        if setting is None:
            problems.append(f"{where}: there is no setting {name!r}{_meant(name)}")
        elif not getattr(setting, place):
            hint = f"; set {setting.variable}" if setting.variable else ""
            problems.append(f"{where}: {name} cannot be set here{hint}")
        else:
            try:
                values[name] = setting.from_value(value)
            except SettingError as error:
                problems.append(f"{where}: {name} {error}")
    return values, problems


def _meant(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name.replace("-", "_"), BY_NAME, 1)
    return f" (did you mean {close[0]}?)" if close else ""
