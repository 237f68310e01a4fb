"use strict";
/* The window of cycles that all timelines show, and how pointer, wheel, keys and buttons change it. */

const SHORTEST = 24; // cycles that a window has at least
const VIEW = { from: 0, to: HORIZON };
const TIMELINES = PAGE.runs.map((run, i) => new Timeline(run, i));
const OVERVIEW = document.getElementById("overview"), AXIS = document.getElementById("axis");
let pinned = false, pending = false, glide = 0;

function draw() {
  pending = false;
  forgetStyles();
  drawAxis(AXIS, VIEW.from, VIEW.to);
  for (const timeline of TIMELINES) timeline.draw(VIEW);
  drawOverview();
  document.getElementById("window").textContent =
    `cycles ${figure(VIEW.from)} … ${figure(VIEW.to)}${CLOCK ? ` (${duration(VIEW.to - VIEW.from, CLOCK)})` : ""}`;
}

function redraw() {
  if (!pending) { pending = true; requestAnimationFrame(draw); }
}

/** Show cycles from `from` to `to`, as far as they exist. */
function setView(from, to) {
  const length = Math.min(HORIZON, Math.max(SHORTEST, to - from));
  VIEW.from = Math.min(Math.max(0, (from + to - length) / 2), HORIZON - length);
  VIEW.to = VIEW.from + length;
  redraw();
}

/** The same, in a few steps that the eye can follow. */
function glideTo(from, to) {
  const start = { ...VIEW }, begun = performance.now(), mine = ++glide;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const step = now => {
    if (mine !== glide) return;
    const done = still ? 1 : Math.min(1, (now - begun) / 180), eased = 1 - (1 - done) ** 3;
    setView(start.from + (from - start.from) * eased, start.to + (to - start.to) * eased);
    if (done < 1) requestAnimationFrame(step);
    else history.replaceState(null, "", `#cycles=${Math.round(VIEW.from)}-${Math.round(VIEW.to)}`);
  };
  requestAnimationFrame(step);
}

function zoom(factor, cycle = (VIEW.from + VIEW.to) / 2, now = false) {
  const length = Math.max(SHORTEST, Math.min(HORIZON, (VIEW.to - VIEW.from) * factor));
  const from = cycle - (cycle - VIEW.from) * length / (VIEW.to - VIEW.from);
  if (now) { glide++; setView(from, from + length); } else glideTo(from, from + length);
}

function move(part) {
  const by = (VIEW.to - VIEW.from) * part, from = Math.max(0, Math.min(HORIZON - VIEW.to + VIEW.from, VIEW.from + by));
  glideTo(from, from + VIEW.to - VIEW.from);
}

/** Cycles of the events that a button steps through, over all runs. */
const EVENTS = {
  miss: PAGE.runs.flatMap(run => [...run.jobs.deadline.filter((_, i) => run.jobs.missed[i]), ...run.skipped.cycle]),
  preemption: PAGE.runs.flatMap(run => run.switches.cycle.filter((_, i) => !run.switches.resumes[i])),
};
for (const [name, cycles] of Object.entries(EVENTS)) {
  cycles.sort((a, b) => a - b);
  document.querySelector(`[data-do=${name}]`).disabled = cycles.length === 0;
}
const last = {};

/** Centre the next event of a kind, in a window that shows its surroundings. */
function next(kind) {
  const cycles = EVENTS[kind];
  if (!cycles.length) return;
  const middle = (VIEW.from + VIEW.to) / 2, after = last[kind] !== undefined && Math.abs(last[kind] - middle) < 2 ? last[kind] : VIEW.from - 1;
  const cycle = cycles[lowerBound(cycles, after + 1)] ?? cycles[0];
  const half = Math.min(VIEW.to - VIEW.from, HORIZON / 12) / 2, centre = Math.min(Math.max(cycle, half), HORIZON - half);
  last[kind] = cycle;
  glideTo(centre - half, centre + half);
}

const ACTIONS = {
  in: () => zoom(0.5), out: () => zoom(2), all: () => glideTo(0, HORIZON), left: () => move(-0.4), right: () => move(0.4),
  miss: () => next("miss"), preemption: () => next("preemption"), perfetto: saveTrace,
  theme: () => {
    const root = document.documentElement, dark = getComputedStyle(root).colorScheme === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
    drawHistograms();
  },
  help: () => {
    const help = document.getElementById("help"), button = document.querySelector("[data-do=help]");
    help.hidden = !help.hidden;
    button.setAttribute("aria-expanded", String(!help.hidden));
  },
};
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", ACTIONS[button.dataset.do]);

/** Point at a job of a timeline, or at none. */
function point(timeline, found, x, y) {
  for (const other of TIMELINES) other.focus = other === timeline && found ? found.job : null;
  if (found) showBox(found.content, x, y); else hideBox();
  redraw();
}

/** Step to another job of the lane that the keyboard has chosen, and show it. */
function stepJob(timeline, by, lanes = 0) {
  const tasks = timeline.run.tasks.length;
  timeline.lane = ((timeline.lane ?? 0) + lanes + tasks) % tasks;
  const { jobs } = timeline.run.index[timeline.lane];
  if (!jobs.length) return;
  const middle = (VIEW.from + VIEW.to) / 2, at = jobs.indexOf(timeline.focus);
  const nearest = Math.min(jobs.length - 1, lowerBound(jobs.map(j => endOf(timeline.run, j)), middle));
  const job = jobs[at < 0 ? nearest : Math.max(0, Math.min(jobs.length - 1, at + by))];
  const { release } = timeline.run.jobs, end = endOf(timeline.run, job);
  if (release[job] < VIEW.from || end > VIEW.to) {
    const half = Math.max(VIEW.to - VIEW.from, (end - release[job]) * 1.2) / 2, centre = (release[job] + end) / 2;
    glide++;
    setView(centre - half, centre + half);
  }
  const frame = timeline.canvas.getBoundingClientRect(), scale = new Scale(VIEW.from, VIEW.to, frame.width);
  pinned = true;
  point(timeline, { job, content: aboutJob(timeline.run, job, null) },
    frame.left + scale.x((release[job] + end) / 2), frame.top + timeline.lanes[timeline.lane].top + 44);
}

/** Wheel, drag and pinch on a timeline. */
function listen(timeline) {
  const { canvas } = timeline, touches = new Map();
  let pressed = null;
  const cycleOf = x => new Scale(VIEW.from, VIEW.to, canvas.clientWidth).cycle(x);
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    const delta = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (event.deltaX || delta) / canvas.clientWidth * (VIEW.to - VIEW.from);
      glide++;
      setView(...(VIEW.from + by < 0 ? [0, VIEW.to - VIEW.from] : [VIEW.from + by, VIEW.to + by]));
    } else zoom(1.0018 ** Math.max(-400, Math.min(400, delta)), cycleOf(event.offsetX), true);
  }, { passive: false });
  canvas.addEventListener("pointerdown", event => {
    touches.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
    pressed = { x: event.offsetX, view: { ...VIEW }, moved: false };
  });
  canvas.addEventListener("pointermove", event => {
    if (touches.has(event.pointerId)) touches.set(event.pointerId, event.offsetX);
    if (touches.size === 2) {
      const [a, b] = [...touches.values()], length = Math.max(20, Math.abs(a - b));
      if (pressed.pinch) zoom(pressed.pinch / length, cycleOf((a + b) / 2), true);
      pressed.pinch = length;
    } else if (pressed) {
      const by = (pressed.x - event.offsetX) * (pressed.view.to - pressed.view.from) / (canvas.clientWidth - GUTTER - MARGIN);
      if (Math.abs(event.offsetX - pressed.x) > 3) pressed.moved = true;
      if (!pressed.moved) return;
      canvas.classList.add("dragged");
      hideBox();
      const from = Math.max(0, Math.min(HORIZON - pressed.view.to + pressed.view.from, pressed.view.from + by));
      glide++;
      setView(from, from + pressed.view.to - pressed.view.from);
    } else if (!pinned) point(timeline, pointedAt(timeline, event.offsetX, event.offsetY), event.clientX, event.clientY);
  });
  const release = event => {
    touches.delete(event.pointerId);
    canvas.classList.remove("dragged");
    if (pressed && !pressed.moved && event.type === "pointerup") { // a click keeps the box, another lets it go
      const found = pointedAt(timeline, event.offsetX, event.offsetY);
      pinned = Boolean(found) && !pinned;
      point(timeline, found, event.clientX, event.clientY);
    }
    if (!touches.size) pressed = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { if (!pinned && !pressed) point(timeline, null); });
  canvas.addEventListener("dblclick", event => {
    const found = pointedAt(timeline, event.offsetX, event.offsetY), { run } = timeline;
    if (!found || found.job === null) return zoom(0.25, cycleOf(event.offsetX));
    const from = run.jobs.release[found.job], to = lastCycle(run, found.job);
    glideTo(from - (to - from) / 12, to + (to - from) / 12);
  });
  canvas.addEventListener("keydown", event => {
    const act = { n: () => stepJob(timeline, 1), b: () => stepJob(timeline, -1),
      PageDown: () => stepJob(timeline, 0, 1), PageUp: () => stepJob(timeline, 0, -1) }[event.key];
    if (act) { act(); event.preventDefault(); }
  });
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) return;
  const act = { "+": ACTIONS.in, "=": ACTIONS.in, "-": ACTIONS.out, 0: ACTIONS.all, ArrowLeft: ACTIONS.left,
    ArrowRight: ACTIONS.right, m: ACTIONS.miss, p: ACTIONS.preemption, "?": ACTIONS.help,
    Escape: () => { pinned = false; point(null, null); } }[event.key];
  if (act) { act(); event.preventDefault(); }
});

/** The whole run in a strip, with the window that the timelines show. */
function drawOverview() {
  const { context, width } = prepare(OVERVIEW, 34), scale = new Scale(0, HORIZON, width), rows = TIMELINES.length;
  const high = 26 / rows;
  TIMELINES.forEach(({ run }, r) => run.index.forEach((own, task) => {
    context.fillStyle = laneColour(task);
    bars(scale, own.spans.start, own.spans.end,
      (a, b) => context.fillRect(a, 4 + r * high, Math.max(b - a, 0.7), Math.max(1, high - 1)));
  }));
  context.fillStyle = PAGE.colours.miss;
  for (const cycle of EVENTS.miss) context.fillRect(scale.x(cycle) - 1, 0, 2, 34);
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

{
  let drag = null;
  const at = event => new Scale(0, HORIZON, OVERVIEW.clientWidth).cycle(event.offsetX);
  OVERVIEW.addEventListener("pointerdown", event => {
    const cycle = at(event), inside = cycle >= VIEW.from && cycle <= VIEW.to && VIEW.to - VIEW.from < 0.98 * HORIZON;
    drag = { cycle, view: { ...VIEW }, inside };
    OVERVIEW.setPointerCapture(event.pointerId);
  });
  OVERVIEW.addEventListener("pointermove", event => {
    if (!drag) return;
    const cycle = at(event), by = cycle - drag.cycle, { from, to } = drag.view;
    glide++;
    if (drag.inside) setView(Math.max(0, Math.min(HORIZON - to + from, from + by)), Math.max(0, Math.min(HORIZON - to + from, from + by)) + to - from);
    else if (Math.abs(by) > SHORTEST) setView(Math.max(0, Math.min(cycle, drag.cycle)), Math.min(HORIZON, Math.max(cycle, drag.cycle)));
  });
  OVERVIEW.addEventListener("pointerup", () => { drag = null; });
}

function start() {
  const place = document.getElementById("timelines");
  for (const timeline of TIMELINES) {
    place.append(runHead(timeline.run), timeline.canvas);
    listen(timeline);
  }
  fillPage();
  const wanted = /^#cycles=(\d+)-(\d+)$/.exec(location.hash);
  if (wanted) setView(Number(wanted[1]), Number(wanted[2]));
  new ResizeObserver(() => { redraw(); drawHistograms(); }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { redraw(); drawHistograms(); });
  draw();
  drawHistograms();
  document.documentElement.dataset.ready = "yes";
}

start();
