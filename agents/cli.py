"""The command line: the commands under one name, and one line for whatever goes wrong. Nothing is computed here.

Each command imports what it needs inside, so that `intergreen --help` is quick and works without the learning stack.
Exit status: 0 done, 1 a check failed, 2 wrong input (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from intergreen.agents.commands import deploy, learning, runs, speed, watch
from intergreen.agents.interrupts import kept_interrupts
from intergreen.agents.versions import versions_of
from intergreen.envs.errors import AnswerError, CapacityError, InputError, SimulationError, one_line

WRONG_INPUT, INTERRUPTED = 2, 130

# Whatever the parser of options raises: ClickException, which typer takes from click or from a copy of its own.
_PARSER_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def _show_version(asked: bool) -> None:
    if asked:
        print(", ".join(f"{name} {version}" for name, version in reversed(versions_of("numpy", "intergreen").items())))
        raise typer.Exit


def _of_all_commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="what to name in a report of a bug")
    ] = False,
) -> None:
    """Options before the command."""


app = typer.Typer(
    name="intergreen",
    callback=_of_all_commands,
    help="Reinforcement learning for traffic signals: simulate, train, compare.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    runs.scenarios,
    runs.evaluate,
    runs.compare,
    runs.verify,
    runs.timing,
    watch.replay,
    learning.train,
    learning.distil,
    learning.refine,
    learning.transfer,
    learning.published,
    learning.demo,
    deploy.export,
    deploy.shadow,
    speed.benchmark,
):
    app.command()(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal without a dash or a multiplication sign shows "?" for it
            stream.reconfigure(errors="replace")
    try:
        with kept_interrupts():
            status = app(args=arguments or ["--help"], prog_name="intergreen", standalone_mode=False)
    except InputError as error:
        return _refuse(str(error))
    except (CapacityError, SimulationError) as error:
        return _refuse(f"simulation: {error}")
    except FloatingPointError as error:
        return _refuse(f"training: {error}")
    except MemoryError:
        return _refuse("memory: not enough for this network, demand and horizon; make one of them smaller")
    except _PARSER_ERROR as error:
        return _refuse(f"command line: {_parser_message(error)}; see intergreen --help")
    except OSError as error:
        if error.strerror is None:
            raise
        place = error.filename or "output"  # standard output has no name
        return _refuse(f"{place}: {error.strerror}; check the path, its permissions and the free space")
    except AnswerError as error:
        return _refuse(f"controller: {error}")
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        return _refuse(_of_own_controller(error))
    if status == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _of_own_controller(error: Exception) -> str:
    """What a controller of the user's raised; anything else is ours, and is raised again with all that it tells."""
    from intergreen.agents.controllers.own import failure_of_own

    words = failure_of_own(error)
    if words is None:
        raise error
    return words


def _refuse(message: str) -> int:
    print(one_line(message), file=sys.stderr)
    return WRONG_INPUT


def _parser_message(error: Exception) -> str:
    """The parser's complaint without its line breaks and closing full stop."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(text.split()).rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
