"use strict";
/* What the box beside the pointer says. */

const BOX = document.getElementById("box");

/** What a job of a task waits for that lives and is not in the array. */
function waits(run, task, cycle) {
  const other = run.tasks.findIndex((_, i) => spanAt(run, i, cycle) >= 0);
  return other < 0 || other === task ? "no region in the array" : `waits, ${run.tasks[other].name} is in the array`;
}

/** Rows of the box for a job of a run, and for the cycle that is pointed at, if any. */
function aboutJob(run, job, cycle) {
  const { jobs } = run, task = jobs.task[job], facts = run.tasks[task], mhz = run.clock_mhz, rows = [];
  const span = cycle === null ? -1 : spanAt(run, task, cycle), spans = run.index[task].spans;
  if (span >= 0 && spans.job[span] === job) {
    const region = spans.region[span];
    rows.push(["region", `${region}${run.analysed ? ` of 0 … ${facts.prices.length}` : ""}`]);
    rows.push(["in the array", `${figure(spans.start[span])} … ${figure(spans.end[span])}` +
      `${spans.open[span] ? ", the run ends here" : ""}`]);
    rows.push(["takes", lasting(spans.end[span] - spans.start[span], mhz)]);
    const price = priceOf(run, task, region);
    if (price !== null)
      rows.push(["begins", facts.where[region - 1]], ["if preempted", `swap-in of at most ${counted(price)}`]);
  } else if (cycle !== null && cycle >= jobs.release[job] && cycle < endOf(run, job))
    rows.push(["now", waits(run, task, cycle)]);
  rows.push(["released", figure(jobs.release[job]) + (jobs.kept[job] ? ", kept until the job before had ended" : "")]);
  rows.push(["deadline", figure(jobs.deadline[job])]);
  const finish = jobs.finish[job];
  if (finish !== null) {
    rows.push(["finished", figure(finish)], ["response", lasting(finish - jobs.release[job], mhz)]);
    if (facts.bound !== null)
      rows.push(["bound", lasting(facts.bound, mhz)], ["of its bound", share(finish - jobs.release[job], facts.bound)]);
  } else rows.push(["state", jobs.state[job] + (jobs.ended[job] === null ? "" : ` in ${figure(jobs.ended[job])}`)]);
  if (finish === null && facts.bound !== null) rows.push(["bound", lasting(facts.bound, mhz)]);
  const late = finish === null ? "not finished by then" : `by ${lasting(finish - jobs.deadline[job], mhz)}`;
  if (jobs.missed[job]) rows.push(["deadline missed", late, "bad"]);
  const gone = run.switches.job.filter((of, i) => of === job && !run.switches.resumes[i]).length;
  if (gone) rows.push(["preempted", count(gone, "time")]);
  return { title: `${facts.name}, job ${jobs.number[job]}`, colour: laneColour(task), rows };
}

/** The same for a preemption or resumption at position `i` of a task's switches. */
function aboutSwitch(run, task, i) {
  const { cycle, resumes, strategy, region, job } = run.index[task].switches, facts = run.tasks[task];
  const kind = PAGE.strategies[strategy[i]].name, next = resumes[i] ? region[i] : region[i] + 1;
  const rows = [[resumes[i] ? "resumed" : "preempted", `${kind}, ${moment(cycle[i])}`],
    ["goes on with", `region ${next}`]];
  if (facts.where[next - 1]) rows.push(["point", facts.where[next - 1]]);
  const price = priceOf(run, task, next), { spans } = run.index[task];
  if (price !== null) rows.push(["price of the swap-in", `at most ${lasting(price, run.clock_mhz)}`]);
  const first = lowerBound(spans.start, cycle[i]);
  if (resumes[i] && spans.job[first] === job[i])
    rows.push(["here", `${counted(spans.start[first] - cycle[i])} until the array works again`]);
  if (!resumes[i] && resumes[i + 1] && job[i + 1] === job[i])
    rows.push(["absent for", lasting(cycle[i + 1] - cycle[i], run.clock_mhz)]);
  return { title: `${facts.name}, job ${run.jobs.number[job[i]]}`, colour: laneColour(task), rows };
}

/** What is at pixel (x, y) of a timeline: { job, content }, or null. */
function pointedAt(timeline, x, y) {
  const lane = timeline.laneAt(y), { run, scale } = timeline;
  if (!lane || !scale || x < scale.left || x > scale.right) return null;
  const cycle = Math.floor(scale.cycle(x));
  if (cycle < 0 || cycle >= run.horizon) return null;
  const clock = run.clock_mhz, rows = [[CYCLES ? "cycle" : UNIT,
    figure(cycle) + (clock ? ` (${duration(cycle, clock)})` : "")]];
  if (lane.kind === "task") {
    const { cycle: at } = run.index[lane.task].switches, near = lowerBound(at, scale.cycle(x - 4));
    if (near < at.length && scale.x(at[near]) <= x + 4 && scale.pitch * (at[near + 1] - at[near] || 99) > 2) {
      const content = aboutSwitch(run, lane.task, near);
      return { job: run.index[lane.task].switches.job[near], content };
    }
    const job = jobAt(run, lane.task, cycle);
    return job < 0 ? null : { job, content: aboutJob(run, job, cycle) };
  }
  if (lane.kind === "array") {
    const task = run.tasks.findIndex((_, i) => spanAt(run, i, cycle) >= 0);
    if (task < 0) return { job: null, content: { title: "array: no region", rows } };
    const job = run.index[task].spans.job[spanAt(run, task, cycle)];
    return { job, content: aboutJob(run, job, cycle) };
  }
  if (lane.kind === "banks") {
    const { cycle: at, used } = run.lanes.banks;
    rows.push(["in use", `${used[lowerBound(at, cycle + 1) - 1]}, at most ${timeline.most} in this run`]);
    return { job: null, content: { title: "output banks", rows } };
  }
  const work = run.lanes[lane.kind], i = workAt(work, cycle);
  if (i < 0) return { job: null, content: { title: `${lane.kind}: nothing under way`, rows } };
  rows.push(["under way", `${figure(work.start[i])} … ${figure(work.end[i])}`],
    ["takes", lasting(work.end[i] - work.start[i], run.clock_mhz)]);
  const title = `${lane.kind} for ${run.tasks[work.task[i]].name}`;
  return { job: null, content: { title, colour: laneColour(work.task[i]), rows } };
}

/** Show the box near (x, y) of the window. */
function showBox(content, x, y) {
  const title = element("strong", {}, content.title), list = element("dl");
  if (content.colour) title.style.borderLeftColor = content.colour;
  for (const [name, text, kind] of content.rows)
    list.append(element("dt", {}, name), element("dd", kind ? { class: kind } : {}, text));
  BOX.replaceChildren(title, list);
  BOX.hidden = false;
  const { width, height } = BOX.getBoundingClientRect();
  BOX.style.left = `${Math.max(4, x + 18 + width > innerWidth ? x - width - 14 : x + 18)}px`;
  BOX.style.top = `${Math.max(4, Math.min(y + 16, innerHeight - height - 8))}px`;
}

function hideBox() {
  BOX.hidden = true;
}
