"""The one-machine stack at the command line: `python -m dev up|down|status|logs|restart|migrate|address`."""

from __future__ import annotations

import argparse
import os
import sys
import time

from rich.console import Console
from rich.table import Table

from dev.errors import StackError
from dev.layout import PORTS
from dev.stack import PROCESSES, Stack

console = Console(highlight=False)


class Progress:
    """Shows the step in work with a spinner, and each finished step with its seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._began = 0.0
        self._status = console.status("")

    def __call__(self, step: str) -> None:
        self._finish()
        self._step, self._began = step, time.monotonic()
        if console.is_terminal:
            self._status.update(step)

    def __enter__(self) -> Progress:
        self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._status.stop()
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        if self._step:
            console.print(f"{time.monotonic() - self._began:6.1f} s  {self._step}")
        self._step = ""


def up(arguments: argparse.Namespace) -> None:
    with Progress() as progress:
        stack = Stack(report=progress)
        stack.up(stores_only=arguments.stores)
    what = "the stores run" if arguments.stores else f"the shop is at {stack.url('gateway')}/apis/swagger/index.html"
    console.print(f"{what}; files in {stack.layout.folder}")


def down(arguments: argparse.Namespace) -> None:
    with Progress() as progress:
        Stack(report=progress).down()
    console.print("stopped; the data stays")


def restart(arguments: argparse.Namespace) -> None:
    with Progress() as progress:
        stack = Stack(report=progress)
        running = [name for name in PROCESSES if stack.processes.pid(name)]
        names = arguments.process or [name for name in running if name in PROCESSES[3:]]
        progress(f"restarting {', '.join(names) or 'nothing'}")
        stack.restart(*names)
        if names:
            stack.wait_ready(*names)


def migrate(arguments: argparse.Namespace) -> None:
    with Progress() as progress:
        stack = Stack(report=progress)
        stack.wait_ready("mysql", "kafka", timeout=5)
        stack.prepare_stores()


def status(arguments: argparse.Namespace) -> None:
    stack = Stack()
    table = Table(box=None, pad_edge=False)
    for column in ("process", "state", "pid", "ports"):
        table.add_column(column)
    for name in PROCESSES:
        pid = stack.processes.pid(name)
        state = "[red]stopped" if pid is None else "[green]ready" if stack.ready(name) else "[yellow]unready"
        ports = "  ".join(f"{kind} {stack.layout.port(name, kind)}" for kind in PORTS[name])
        table.add_row(name, state, str(pid or ""), ports)
    console.print(table)


def address(arguments: argparse.Namespace) -> None:
    sys.stdout.write(f"{Stack().address(arguments.process, 'http')}\n")


def logs(arguments: argparse.Namespace) -> None:
    """Follows the logs: this process becomes tail."""
    stack = Stack()
    names = arguments.process or [name for name in PROCESSES if stack.layout.log(name).exists()]
    if not names:
        raise StackError("there are no logs yet: start the stack with 'make up'")
    _ = [PORTS[name] for name in names]
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else [])]
    os.execvp("tail", [*command, *(str(stack.layout.log(name)) for name in names)])  # noqa: S606


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev", description="The whole shop on this machine.")
    commands = parser.add_subparsers(required=True, metavar="up|down|status|logs|restart|migrate|address")
    command = commands.add_parser("up", help="start what does not run, wait until everything is ready")
    command.add_argument("--stores", action="store_true", help="MySQL, Redis and Kafka only, with schemas and topics")
    command.set_defaults(run=up)
    commands.add_parser("down", help="stop everything; data stays").set_defaults(run=down)
    commands.add_parser("status", help="what runs, and where").set_defaults(run=status)
    command = commands.add_parser("logs", help="show and follow logs")
    command.add_argument("process", nargs="*", choices=[[], *PROCESSES], metavar="process")
    command.add_argument("--lines", type=int, default=20)
    command.add_argument("--no-follow", dest="follow", action="store_false")
    command.set_defaults(run=logs)
    commands.add_parser("migrate", help="schemas, accounts and topics of the running stores").set_defaults(run=migrate)
    command = commands.add_parser("address", help="host:port of a process's HTTP side, for scripts")
    command.add_argument("process", choices=PROCESSES[3:], metavar="process")
    command.set_defaults(run=address)
    command = commands.add_parser("restart", help="restart coordinators and services, or the named processes")
    command.add_argument("process", nargs="*", choices=[[], *PROCESSES], metavar="process")
    command.set_defaults(run=restart)
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    try:
        arguments.run(arguments)
    except StackError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; 'make down' stops what was started")


if __name__ == "__main__":
    main()
