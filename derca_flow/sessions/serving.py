"""Networks that stay loaded on an accelerator and compute samples on request, a job at a time."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from derca_sim.compile import Compiled, compile_taskset
from derca_sim.compile.image import areas_of
from derca_sim.errors import CheckFailed, InputError
from derca_sim.events import Kind
from derca_sim.host.driver import Driver
from derca_sim.host.protocol import decode_events
from derca_sim.host.transport import MemoryTransport
from derca_sim.model.network import Network
from derca_sim.model.platform import Platform
from derca_sim.model.registers import Fault, Interrupt
from derca_sim.timing import roofline
from derca_sim.timing.mapping import choose
from derca_sim.workload.arrays import as_given, as_stored
from derca_sim.workload.inference import fed
from derca_sim.workload.taskset import Task, TaskSet

from .inference import results
from .session import load

#: Events with which a job ends.
_ENDS = (Kind.FINISH, Kind.FAIL)
#: How long a job may take by default: seconds, and how many times what array and bus need at least.
PATIENCE, TIMES = 0.1, 20
#: Faults that say nothing of a result.
_HARMLESS = (Fault.EVENTS_LOST,)


def compile_networks(p: Platform, networks: Mapping[str, Network]) -> Compiled:
    """A task for each network, which releases one job at the start of a run: its period is as long as timers go.

    Raises
    ------
    InputError
        If they are too many, or do not fit the platform.
    """
    if not 1 <= len(networks) <= p.scheduler.tasks:
        raise InputError(f"number of networks = {len(networks)}: allowed are 1 .. {p.scheduler.tasks}, scheduler.tasks "
                         f"of {p.where}")
    never = (1 << p.scheduler.time_width - 2) - 1
    tasks = tuple(Task(name, i, choose(p, network), never, never, 0, False, ())
                  for i, (name, network) in enumerate(networks.items()))
    return compile_taskset(TaskSet("networks", Path("networks"), p, never, tasks), "np")


class Service:
    """Networks on an accelerator: loads them, then takes inputs and gives outputs.

    A job runs alone, in a run of its own: the host fills the matrices of the inputs, enables the network's task alone,
    starts, waits for the end of the job, stops, and reads the matrices of the outputs.

    Parameters
    ----------
    host, driver
        The accelerator.
    networks
        By name; their batches are the samples of a job.

    Raises
    ------
    InputError
        As `compile_networks`, and if the host could not see the end of a job.
    AccessRefused, LinkError, TimeoutError
        As the driver.
    """

    def __init__(self, host: MemoryTransport, driver: Driver, networks: Mapping[str, Network]):
        p = driver.platform
        if not (p.supervision.interrupts or p.trace.statistics or host.traced):
            raise InputError(f"{p.where}: supervision.interrupts = false, trace.statistics = false: a host "
                             "without events needs one of them to see the end of a job; set it and build again")
        self._host, self._driver, self._networks = host, driver, dict(networks)
        self._compiled = compile_networks(driver.platform, networks)
        load(host, driver, self._compiled, lambda done, total: None)
        if p.tables.shadow:  # each run takes the other page: both hold the tables
            driver.commit()
            driver.load(self._compiled.host_writes())

    def infer(self, name: str, given: object, timeout: float | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Outputs [count, *shape] of a network for inputs [count, *shape]; by name where there are several.

        The last job is filled up where the network's batch does not divide the samples. A job may take `timeout`
        seconds on the clock of the accelerator; None allows `PATIENCE` and `TIMES` the least that it can take.

        Raises
        ------
        InputError
            If there is no such network, or the inputs do not fit.
        CheckFailed
            If the job failed, or the accelerator reports a fault.
        AccessRefused, LinkError, TimeoutError
            As the driver.
        """
        if name not in self._networks:
            raise InputError(f"{name!r}: there is no such network; allowed are {', '.join(self._networks)}")
        network, task = self._networks[name], list(self._networks).index(name)
        if timeout is None:
            least = roofline.total(roofline.of_layers(self._driver.platform, network.layers))
            timeout = PATIENCE + TIMES * least / (1e6 * self._driver.platform.clock_mhz)
        arrays, floats = as_stored(network, given)
        count, batch = len(next(iter(arrays.values()))), _batch(network)
        jobs = []
        for first in range(0, count, batch):
            rows = np.minimum(np.arange(first, first + batch), count - 1)
            try:
                inputs = fed(network, {key: values[rows] for key, values in arrays.items()}).inputs
            except InputError as e:
                raise InputError(*(f"inputs of {name}: {line}" for line in e.problems)) from None
            self._write_inputs(task, inputs)
            self._run(task, timeout)
            jobs.append(results(self._compiled, self._read_outputs(task), task))
        whole = {key: np.concatenate([job[key] for job in jobs])[:count] for key in jobs[0]}
        return as_given(network, whole, floats)

    def _write_inputs(self, task: int, inputs: tuple[np.ndarray | None, ...]) -> None:
        for matrix, area in areas_of(self._compiled.tasks[task].layers).items():
            if inputs[matrix] is not None:
                data = area.pack(inputs[matrix]).tobytes()
                self._host.write_memory(area.address, data + bytes(-len(data) % 4))

    def _run(self, task: int, timeout: float) -> None:
        """Have one job of a task done."""
        driver, p = self._driver, self._driver.platform
        mode, enabled = driver.registers.tasks, driver.registers["MODE"].pack(enabled=1)
        driver.load([(driver.registers.address("MODE", i), enabled if i == task else 0) for i in range(mode.count)])
        if p.supervision.interrupts:
            driver.write("IRQ_PENDING", driver.read("IRQ_PENDING"))
            driver.enable_interrupts(Interrupt.FINISH, Interrupt.FAULT)
        driver.start()
        self._wait_end(task, timeout)
        driver.stop()
        self._complain(task)

    def _wait_end(self, task: int, timeout: float) -> None:
        """Wait until the job has finished or failed, or a fault stopped it."""
        driver, p, words = self._driver, self._driver.platform, []
        if p.supervision.interrupts:
            while Interrupt.FINISH not in driver.wait_interrupt(Interrupt.FINISH, Interrupt.FAULT, timeout=timeout):
                if driver.fields("STATUS")["safe"]:
                    return
            return

        def ended(status: dict[str, int]) -> bool:
            if p.trace.statistics:
                return status["safe"] or driver.read("FINISHES", task) or driver.read("FAILURES", task)
            words.extend(self._host.events())
            return status["safe"] or any(e.kind in _ENDS and e.task == task for e in decode_events(p, words))

        driver.wait(ended, f"ready with the job of {self._compiled.tasks[task].name}", timeout)

    def _complain(self, task: int) -> None:
        p, name = self._driver.platform, self._compiled.tasks[task].name
        problems = [line for line, fault in zip(self._driver.explain_faults(), self._driver.faults(), strict=True)
                    if fault not in _HARMLESS]
        if p.trace.statistics and self._driver.read("FAILURES", task):
            problems.append(f"the job of {name} failed")
        self._driver.clear_faults()
        if problems:
            raise CheckFailed(*(f"{name}: {line}" for line in problems))

    def _read_outputs(self, task: int) -> np.ndarray:
        """Main memory with the matrices that hold the network's outputs; all else is 0."""
        plan, memory = self._compiled.tasks[task], np.zeros(self._compiled.used, np.uint8)
        model = plan.network.model
        for layer in [len(plan.layers) - 1] if model is None else model.output_layers:
            area = plan.layers[layer].c.area
            data = self._host.read_memory(area.address, area.size)
            memory[area.address:area.address + area.size] = np.frombuffer(data, np.uint8)
        return memory


def _batch(network: Network) -> int:
    """Samples of a job."""
    return network.model.count if network.model is not None else len(network.inputs[0])
