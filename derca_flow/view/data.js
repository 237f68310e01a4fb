"use strict";
/* The data of the page, indexed by task, and the words in which figures are shown. */

const PAGE = JSON.parse(document.getElementById("data").textContent);
if (PAGE.version !== 1) throw new Error(`data of version ${PAGE.version}: this page shows version 1`);

/** The largest of many values, and at least `least`. */
const largest = (values, least = 0) => values.reduce((a, b) => Math.max(a, b), least);
const HORIZON = largest(PAGE.runs.map(run => run.horizon), 1);

/** The first position in sorted `values` whose value is at least `wanted`. */
function lowerBound(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

/** Rows of `columns` with these numbers, as typed arrays by name. */
function pick(columns, names, numbers) {
  return Object.fromEntries(names.map(name => [name, Float64Array.from(numbers, i => columns[name][i])]));
}

/** Per task of a run: its jobs by release, its regions by start, its preemptions and resumptions by cycle. */
function index(run) {
  const jobs = run.jobs, by = column => (a, b) => column[a] - column[b];
  const mine = (owners, task) => [...owners.keys()].filter(i => jobs.task[owners[i]] === task);
  return run.tasks.map((_, task) => {
    const numbers = [...jobs.task.keys()].filter(i => jobs.task[i] === task).sort(by(jobs.release));
    const spans = mine(run.spans.job, task).sort(by(run.spans.start));
    const switches = mine(run.switches.job, task).sort(by(run.switches.cycle));
    const skipped = run.skipped.cycle.filter((_, i) => run.skipped.task[i] === task);
    return {
      jobs: numbers, releases: Float64Array.from(numbers, i => jobs.release[i]),
      spans: pick(run.spans, ["job", "start", "end", "region", "open"], spans),
      switches: pick(run.switches, ["job", "cycle", "resumes", "strategy", "region"], switches), skipped,
      widest: largest(spans.map(i => run.spans.end[i] - run.spans.start[i])),
      longest: largest(numbers.map(i => lastCycle(run, i) - jobs.release[i])),
    };
  });
}

/** The cycle in which a job ended, or the end of the run. */
const endOf = (run, job) => run.jobs.ended[job] ?? run.horizon;
/** The last cycle in which something of a job is drawn. */
const lastCycle = (run, job) => Math.max(endOf(run, job), run.jobs.deadline[job]);

for (const run of PAGE.runs) run.index = index(run);

/** The job of a task that lives in a cycle, the latest one; else -1. */
function jobAt(run, task, cycle) {
  const { jobs, releases } = run.index[task];
  for (let i = lowerBound(releases, cycle + 1) - 1; i >= 0 && i >= lowerBound(releases, cycle + 1) - 3; i--)
    if (cycle < endOf(run, jobs[i])) return jobs[i];
  return -1;
}

/** The position of the region of a task that is in the array in a cycle; else -1. */
function spanAt(run, task, cycle) {
  const { spans } = run.index[task], i = lowerBound(spans.start, cycle + 1) - 1;
  return i >= 0 && cycle < spans.end[i] ? i : -1;
}

/** The position of the interval of a lane that holds a cycle; else -1. */
function workAt(lane, cycle) {
  const i = lowerBound(lane.start, cycle + 1) - 1;
  return i >= 0 && cycle < lane.end[i] ? i : -1;
}

/** The most that a task's resumption at a region may cost, as the analysis charges it; null where it is not known. */
const priceOf = (run, task, region) => run.tasks[task].prices[region - 1] ?? null;

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const figure = value => value === null || value === undefined ? "–" : GROUPED.format(value);
const share = (part, whole) => whole ? `${(100 * part / whole).toFixed(1)} %` : "–";
const count = (number, noun) => `${figure(number)} ${noun}${number === 1 ? "" : "s"}`;

/** A number of cycles as time at a clock, with three digits. */
function duration(cycles, mhz) {
  if (!mhz) return "";
  const us = cycles / mhz, [value, unit] = us >= 1e6 ? [us / 1e6, "s"] : us >= 1e3 ? [us / 1e3, "ms"] : [us, "µs"];
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}

/** What all times count, in the singular where it has one. */
const UNIT = PAGE.runs[0].unit, CYCLES = UNIT === "cycles";

/** A number of cycles, or of the unit of the task sets. */
const counted = cycles => CYCLES ? count(cycles, "cycle") : `${figure(cycles)} ${UNIT}`;

/** A moment. */
const moment = cycle => CYCLES ? `cycle ${figure(cycle)}` : `${figure(cycle)} ${UNIT}`;

/** Cycles, and in brackets the time that they take. */
const lasting = (cycles, mhz) => `${counted(cycles)}${mhz ? ` (${duration(cycles, mhz)})` : ""}`;

/** The deadlines of a run in words. */
const met = run => run.misses ? `${count(run.misses, "deadline")} missed`
  : run.finished ? "every deadline met" : "no deadline judged: no job ended";

/** The clock that all runs share; null if they differ. */
const CLOCK = PAGE.runs.every(run => run.clock_mhz === PAGE.runs[0].clock_mhz) ? PAGE.runs[0].clock_mhz : null;
const laneColour = task => PAGE.colours.lanes[task % PAGE.colours.lanes.length];

/** An element with attributes, and text or elements inside. */
function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside.filter(part => part !== null && part !== undefined));
  return made;
}
