"""`derca bench`: measurements of the product itself, each against something else in the same run."""

from ..console.group import lazy_group

bench = lazy_group(__package__, {
    "simulation": "simulation.command", "analysis": "analysis.command", "control": "control.command",
    "data": "accelerator.command", "history": "history.command", "estimate": "estimate.command",
})


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
