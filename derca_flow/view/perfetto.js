"use strict";
/* The runs as trace events, as `derca view --perfetto` writes them. */

/** Microseconds of a unit; a cycle without a clock counts as one. */
const MICROSECONDS = { ns: 1e-3, us: 1, ms: 1e3 };

function traceEvents(page) {
  const events = [];
  let id = 0;
  page.runs.forEach((run, r) => {
    const cycle = run.clock_mhz ? 1 / run.clock_mhz : MICROSECONDS[run.unit] ?? 1;
    const pid = r + 1, { jobs, spans, switches } = run;
    const instant = (job, at, name) =>
      events.push({ ph: "i", s: "t", pid, tid: jobs.task[job] + 1, ts: at * cycle, name });
    events.push({ ph: "M", pid, name: "process_name", args: { name: run.label } });
    run.tasks.forEach((task, i) =>
      events.push({ ph: "M", pid, tid: i + 1, name: "thread_name", args: { name: task.name } }));
    jobs.task.forEach((task, job) => {
      const common = { cat: "job", id: ++id, pid, tid: task + 1, name: `${run.tasks[task].name} ${jobs.number[job]}` };
      events.push({ ph: "b", ...common, ts: jobs.release[job] * cycle, args: {
        state: jobs.state[job], deadline_cycle: jobs.deadline[job], release_cycle: jobs.release[job],
        missed: Boolean(jobs.missed[job]) } });
      events.push({ ph: "e", ...common, ts: (jobs.ended[job] ?? run.horizon) * cycle });
      instant(job, jobs.release[job], "release");
      if (jobs.missed[job]) instant(job, jobs.deadline[job], "deadline missed");
    });
    spans.job.forEach((job, i) => events.push({
      ph: "X", pid, tid: jobs.task[job] + 1, ts: spans.start[i] * cycle, dur: (spans.end[i] - spans.start[i]) * cycle,
      name: `region ${spans.region[i]}`,
      args: { job: jobs.number[job], start_cycle: spans.start[i], end_cycle: spans.end[i] } }));
    switches.job.forEach((job, i) => instant(job, switches.cycle[i],
      `${switches.resumes[i] ? "resumed" : "preempted"}: ${page.strategies[switches.strategy[i]].name}`));
  });
  return { displayTimeUnit: "ns", traceEvents: events };
}

/** Let the browser save the trace. */
function saveTrace() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(traceEvents(PAGE))], { type: "application/json" }));
  element("a", { href: url, download: "derca-trace.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
