"""`derca bench`: measurements of the product itself, each against something else in the same run."""

from ..commands import lazy_group

bench = lazy_group(__package__, "simulation", "analysis", "control", "data", "history", "estimate")


@bench.callback()
def _bench():
    """Measure the product against something else, both in the same run.

    [bold]Examples[/bold]

        derca bench simulation --json

        derca bench analysis

        derca bench control --quick

        derca bench data

        derca bench history
    """
