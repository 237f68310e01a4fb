"use strict";
/* The window of cycles that all timelines show, and the ways to change it. */

const SHORTEST = 24; // cycles that a window has at least
const VIEW = { from: 0, to: HORIZON };
const TIMELINES = PAGE.runs.map((run, i) => new Timeline(run, i));
const OVERVIEW = document.getElementById("overview"), AXIS = document.getElementById("axis");
let pending = false, moving = 0, goal = null, noted = 0;

function draw() {
  pending = false;
  forgetStyles();
  drawAxis(AXIS, VIEW.from, VIEW.to);
  for (const timeline of TIMELINES) timeline.draw(VIEW);
  drawOverview();
  for (const kind of PAGE.strategies)
    document.querySelectorAll(`.kind-${kind.name}`).forEach(sign => { sign.style.color = inkOf(kind); });
  document.getElementById("window").textContent =
    `${UNIT} ${figure(VIEW.from)} … ${figure(VIEW.to)}${CLOCK ? ` (${duration(VIEW.to - VIEW.from, CLOCK)})` : ""}`;
}

function redraw() {
  if (!pending) { pending = true; requestAnimationFrame(draw); }
}

function place(from, to) {
  const length = Math.min(HORIZON, Math.max(SHORTEST, to - from));
  VIEW.from = Math.min(Math.max(0, (from + to - length) / 2), HORIZON - length);
  VIEW.to = VIEW.from + length;
  redraw();
  clearTimeout(noted); // the address keeps the window, so that it can be shared
  const address = `#cycles=${Math.round(VIEW.from)}-${Math.round(VIEW.to)}`;
  noted = setTimeout(() => history.replaceState(null, "", address), 300);
}

/** Show cycles from `from` to `to`, as far as they exist, at once. */
function setView(from, to) {
  moving++;
  goal = null;
  place(from, to);
}

/** The same, in a few steps that the eye can follow. */
function glideTo(from, to) {
  const start = { ...VIEW }, begun = performance.now(), mine = ++moving;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  goal = { from, to };
  const step = now => {
    if (mine !== moving) return;
    const done = still ? 1 : Math.max(0, Math.min(1, (now - begun) / 180)), eased = 1 - (1 - done) ** 3;
    place(start.from + (from - start.from) * eased, start.to + (to - start.to) * eased);
    if (done < 1) requestAnimationFrame(step); else goal = null;
  };
  requestAnimationFrame(step);
}

/** The window, or the one to which it is moving. */
const aim = () => goal ?? VIEW;

/** Where a window of `length` cycles begins that would begin at `from`, moved into the run. */
const within = (from, length) => Math.max(0, Math.min(HORIZON - length, from));

/** Make the window `factor` times as long, with `cycle` where it is; by default the one in the middle. */
function zoom(factor, cycle = null, now = false) {
  const { from, to } = now ? VIEW : aim(), fixed = cycle ?? (from + to) / 2;
  const length = Math.max(SHORTEST, Math.min(HORIZON, (to - from) * factor));
  const first = within(fixed - (fixed - from) * length / (to - from), length);
  (now ? setView : glideTo)(first, first + length);
}

/** Move the window by a part of its length. */
function move(part) {
  const { from, to } = aim(), first = within(from + (to - from) * part, to - from);
  glideTo(first, first + to - from);
}

/** Cycles of the events that a button steps through, over all runs. */
const STEPS = {
  miss: PAGE.runs.flatMap(run => [...run.jobs.deadline.filter((_, i) => run.jobs.missed[i]), ...run.skipped.cycle]),
  preemption: PAGE.runs.flatMap(run => run.switches.cycle.filter((_, i) => !run.switches.resumes[i])),
};
for (const cycles of Object.values(STEPS)) cycles.sort((a, b) => a - b);
const latest = {}; // per kind: the event that was centred last, and the window for it

/** Centre the next event of a kind, in a window that shows its surroundings. */
function showNext(kind) {
  const cycles = STEPS[kind], { from, to } = aim(), before = latest[kind];
  if (!cycles.length) return;
  const after = before && Math.abs(before.from - from) < 2 ? before.cycle : from - 1;
  const cycle = cycles[lowerBound(cycles, after + 1)] ?? cycles[0], length = Math.min(to - from, HORIZON / 12);
  const first = within(cycle - length / 2, length);
  latest[kind] = { cycle, from: first };
  glideTo(first, first + length);
}

const strips = new Map(); // per width: where the bars of the strip are, as [task, y, x0, x1, height]

/** The bars of the strip, which only depend on its width. */
function strip(scale) {
  const out = [], high = 26 / TIMELINES.length;
  TIMELINES.forEach(({ run }, r) => run.index.forEach((own, task) => bars(scale, own.spans.start, own.spans.end,
    (a, b) => out.push([task, 4 + r * high, a, b, Math.max(1, high - 1)]))));
  return out;
}

/** The whole run in a strip, with the window that the timelines show. */
function drawOverview() {
  const { context, width } = prepare(OVERVIEW, 34), scale = new Scale(0, HORIZON, width);
  if (!strips.has(width)) strips.clear();
  if (!strips.has(width)) strips.set(width, strip(scale));
  for (const [task, y, a, b, high] of strips.get(width)) {
    context.fillStyle = laneColour(task);
    context.fillRect(a, y, Math.max(b - a, 0.7), high);
  }
  context.fillStyle = PAGE.colours.miss;
  for (const cycle of STEPS.miss) context.fillRect(scale.x(cycle) - 1, 0, 2, 34);
  const a = scale.x(VIEW.from), b = Math.max(scale.x(VIEW.to), a + 3);
  context.fillStyle = style("veil");
  context.fillRect(scale.left, 0, a - scale.left, 34);
  context.fillRect(b, 0, scale.right - b, 34);
  context.strokeStyle = style("accent");
  context.lineWidth = 1.5;
  context.strokeRect(a, 1, b - a, 32);
  context.fillStyle = style("soft");
  context.textAlign = "right";
  context.fillText("whole run", GUTTER - 15, 17);
}
