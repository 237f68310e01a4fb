"""Running cocotb tests of a component from pytest: seeds, parameters, and waves of failed tests.

Whatever builds and starts simulations is imported when it is called: the simulated tests import this module as well.
"""

import json
import os
import random
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from amaranth.lib import wiring

from derca_sim.model.platform import Platform

#: Environment variable with the parameters of a run, JSON.
PARAMETERS = "DERCA_TEST_PARAMETERS"
#: Assertions that show their values, in files of tests alone: in all modules, as is the default, starting would take
#: four times as long.
ASSERTIONS = {"COCOTB_REWRITE_ASSERTION_FILES": "test_*.py"}
#: Environment variable that replaces the default seed.
SEED = "DERCA_TEST_SEED"


class SimulationFailed(AssertionError):
    """A cocotb test failed; the message names the seed and the waveform file."""


def simulate(factory: Callable[[], wiring.Component], module: str, test: str, *, platform: Platform | None = None,
             seed: int = 1, waves_on_failure: bool = True, models: str = "", synthesis: str = "",
             inside: tuple[str, ...] = (), **parameters) -> None:
    """Run one cocotb test on a component.

    Parameters
    ----------
    factory
        Makes the component.
    module, test
        Module and name of the cocotb test.
    platform, seed, parameters
        Values that the test reads back with `parameters()`; `$DERCA_TEST_SEED` overrides the seed. They must fit JSON.
    waves_on_failure
        Run a failed test again and record a waveform file.
    models, synthesis, inside
        As `build`.

    Raises
    ------
    SimulationFailed
        If the test fails.
    """
    from derca_flow.tools.toolchain import build_directory
    from kit.build import build

    seed = int(os.environ.get(SEED, seed))
    if platform is not None:
        parameters["platform"] = platform.model_dump_json()
    print(f"{module}.{test}: seed {seed} ({SEED} sets another)")
    options = {"models": models, "synthesis": synthesis, "inside": inside}
    binaries = build(factory, **options)
    with tempfile.TemporaryDirectory(prefix="derca-cocotb-") as folder:
        reason = _run(binaries, Path(folder), module, test, seed, parameters, waves=False)
    if reason is None:
        return
    where = ""
    if waves_on_failure:
        folder = build_directory("waves") / f"{module}-{test}-{seed}-{binaries.name[:8]}"
        shutil.rmtree(folder, ignore_errors=True)
        _run(build(factory, waves=True, **options), folder, module, test, seed, parameters, waves=True)
        where = f"; waves: {folder / 'dump.vcd'}"
    raise SimulationFailed(f"{module}.{test} failed with seed {seed}: {reason}{where}")


def _run(binaries: Path, folder: Path, module: str, test: str, seed: int, parameters: dict, waves: bool) -> str | None:
    """Run a binary in the folder `folder`; None when the test passed, else the reason."""
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    from derca_flow.rtl.vpi import library_path
    from kit.build import TOP

    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.xml"
    runner = get_runner("verilator")
    runner.waves = waves
    try:
        runner.test(
            hdl_toplevel=TOP, hdl_toplevel_lang="verilog", test_module=module, testcase=[test], seed=seed,
            build_dir=binaries, test_dir=folder, results_xml=str(results), waves=waves,
            extra_env={PARAMETERS: json.dumps(parameters), "COCOTB_ANSI_OUTPUT": "0", **ASSERTIONS, **library_path()},
        )
    except (Exception, SystemExit) as e:
        return _reason(results) or f"the simulator ended with {type(e).__name__} {e}"
    ran, failed = get_results(results)
    if ran != 1 or failed:
        return _reason(results) or f"{ran} tests ran, {failed} failed"
    return None


def _reason(results: Path) -> str | None:
    """The first failure's message in a results file."""
    if not results.exists():
        return None
    for case in ElementTree.parse(results).iter("testcase"):
        for failure in (*case.iter("failure"), *case.iter("error")):
            return failure.get("error_msg") or failure.get("message") or failure.text
    return None


# -- inside the simulation

def parameters() -> dict:
    """The parameters of this run; `platform` as a `Platform`."""
    out = json.loads(os.environ[PARAMETERS])
    if "platform" in out:
        out["platform"] = Platform.model_validate_json(out["platform"])
    return out


def generator() -> random.Random:
    """A random generator from the run's seed."""
    return random.Random(int(os.environ["COCOTB_RANDOM_SEED"]))
