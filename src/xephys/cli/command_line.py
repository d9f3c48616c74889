"""The command line as a whole: a wrong one is answered in one sentence, like every other mistake."""

from __future__ import annotations

import sys
from typing import Any

from typer.core import TyperGroup

from ..checks import hint_for, nearest_name
from .console import PARAMETER, say


class CommandLine(TyperGroup):
    """The commands. What cannot be parsed is named with its remedy on the error stream, where Typer draws a box."""

    def main(self, args: Any = None, *more: Any, standalone_mode: bool = True, **options: Any) -> Any:
        if not standalone_mode:
            return super().main(args, *more, standalone_mode=False, **options)
        words = list(sys.argv[1:] if args is None else args)
        if words and not words[0].startswith("-") and words[0] not in self.commands:
            near = hint_for(words[0], self.commands)
            say("error", f"there is no command {words[0]!r}; xephys --help lists the commands{near}")
            sys.exit(PARAMETER)
        try:
            status = super().main(words, *more, standalone_mode=False, **options)
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            called = f"xephys {words[0]}" if words and words[0] in self.commands else "xephys"
            if message := sentence_of(error, called):
                say("error", message)
            sys.exit(PARAMETER)
        sys.exit(status if isinstance(status, int) else 0)


def sentence_of(error: Any, command: str) -> str:
    """What is wrong with a call of a command, and the remedy. Empty for a call without arguments, which gets the help.

    Typer brings its own copy of Click's errors, so they are told apart by their names.
    """
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoArgsIsHelpError":
        error.show()
        return ""
    if kind == "MissingParameter" and parameter is not None:
        described = f", {parameter.help[0].lower()}{parameter.help[1:].rstrip('.')}" if parameter.help else ""
        return f"{command} needs {_name_of(parameter)}{described}; {command} --help lists all that it takes"
    if kind == "NoSuchOption":
        known = [name for known in error.ctx.command.params for name in known.opts if name.startswith("-")]
        near = _parameter_meant(error.option_name, known) or hint_for(error.option_name, [*known, "--help"])
        return f"{command} has no option {error.option_name}; {command} --help lists its options{near}"
    if kind == "BadOptionUsage":
        return f"{error.option_name} stands without a value; {command} --help says what it takes"
    message = (error.message or error.format_message()).rstrip(".")
    message = f"{message[0].lower()}{message[1:]}"
    if kind == "BadParameter" and parameter is not None:
        return f"{_name_of(parameter)} has a value that it cannot have: {message}"
    return f"{message}; {command} --help shows how it is called"


def _parameter_meant(option: str, known: list[str]) -> str:
    """The end of the message if a sorter's parameter was given as an option, however it is spelled; otherwise empty."""
    if not {"--set", "--preset"} <= set(known):
        return ""
    from ..sorter.presets import PRESETS, find_preset

    models = [find_preset(preset).model for preset in PRESETS]
    names = {f"--{name.replace('_', '-')}": name for model in models for name in model.model_fields}
    names = {spelled: name for spelled, name in names.items() if spelled not in known}
    parameter = names.get(nearest_name(option.replace("_", "-"), [*known, *names]) or "")
    return f"; did you mean --set {parameter}=VALUE?" if parameter else ""


def _name_of(parameter: Any) -> str:
    """An option with what it takes, or the name of an argument."""
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        return metavar or str(parameter.human_readable_name)
    return f"{parameter.opts[0]} {metavar}".strip()
