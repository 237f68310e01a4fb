"""Runs proofs and prints a table. Exit code 0: every answer is the expected one; 2: there is no proof of that name."""

import argparse
import sys
import time

from rich.console import Console
from rich.table import Table

from formal.catalogue import PROOFS


def main() -> int:
    parser = argparse.ArgumentParser(prog="prove", description="Runs the proofs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="proofs whose names begin so; default: all")
    parser.add_argument("--quick", action="store_true", help="only the quick ones, that ./scripts/test runs")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--limit", type=float, default=900, help="seconds for each answer (default 900)")
    arguments = parser.parse_args()
    chosen = [
        p
        for p in PROOFS.values()
        if (p.quick or not arguments.quick)
        and (not arguments.names or any(p.name.startswith(name) for name in arguments.names))
    ]
    if not chosen:
        print(f"no proof begins with {' or '.join(arguments.names)}; --list prints all names", file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(proof.name for proof in chosen))
        return 0
    table = Table("proof", "properties", "N", "width", "method", "depth", "seconds", "result")
    console, failures, started = Console(), 0, time.monotonic()
    for proof in chosen:
        begun = time.monotonic()
        answer = proof.run(arguments.limit)
        result = "holds" if answer.holds else f"FAILS: {', '.join(answer.failed) or 'no answer'} ({answer.folder})"
        if proof.method == "planted" and answer.holds:
            result = f"found: {answer.failed[0].split(' ')[0]}"
        failures += not answer.holds
        seconds = f"{time.monotonic() - begun:.1f}"
        print(f"{proof.name}: {result} ({seconds} s)", file=sys.stderr, flush=True)
        table.add_row(
            proof.name,
            proof.properties,
            str(proof.tasks),
            str(proof.width),
            proof.method,
            str(proof.depth),
            seconds,
            result,
        )
    console.print(table)
    console.print(f"{len(chosen)} proofs, {failures} failed, {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
