"use strict";
/* Pointer, wheel, keys and buttons, and the start of the page. */

let pinned = false; // whether the box stays

const ACTIONS = {
  in: () => zoom(0.5), out: () => zoom(2), all: () => glideTo(0, HORIZON),
  left: () => move(-0.4), right: () => move(0.4),
  miss: () => showNext("miss"), preemption: () => showNext("preemption"), perfetto: saveTrace,
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

/** Point at a job of a timeline, or at none. */
function point(timeline, found, x, y) {
  for (const other of TIMELINES) other.focus = other === timeline && found ? found.job : null;
  if (found) showBox(found.content, x, y); else hideBox();
  redraw();
}

/** Let the box go. */
function release() {
  pinned = false;
  point(null, null);
}

/** Step to another job of the lane that the keyboard has chosen, and show it. */
function stepJob(timeline, by, lanes = 0) {
  const { run, canvas } = timeline, tasks = run.tasks.length;
  timeline.lane = ((timeline.lane ?? 0) + lanes + tasks) % tasks;
  const { jobs } = run.index[timeline.lane], at = jobs.indexOf(timeline.focus);
  if (!jobs.length) return;
  const middle = lowerBound(jobs.map(j => endOf(run, j)), (VIEW.from + VIEW.to) / 2);
  const job = jobs[Math.max(0, Math.min(jobs.length - 1, at < 0 ? middle : at + by))];
  const first = run.jobs.release[job], end = endOf(run, job);
  if (first < VIEW.from || end > VIEW.to) {
    const length = Math.min(HORIZON, Math.max(VIEW.to - VIEW.from, (end - first) * 1.2));
    const from = within((first + end - length) / 2, length);
    setView(from, from + length);
  }
  const frame = canvas.getBoundingClientRect(), scale = new Scale(VIEW.from, VIEW.to, frame.width);
  pinned = true;
  point(timeline, { job, content: aboutJob(run, job, null) },
    frame.left + scale.x((first + end) / 2), frame.top + timeline.lanes[timeline.lane].top + 44);
}

/** Wheel, drag, pinch, click and keys on a timeline. */
function listen(timeline) {
  const { canvas } = timeline, touches = new Map();
  let pressed = null;
  const cycleOf = x => new Scale(VIEW.from, VIEW.to, canvas.clientWidth).cycle(x);
  const shift = (view, pixels) => {
    const length = view.to - view.from, from = view.from + pixels * length / (canvas.clientWidth - GUTTER - MARGIN);
    setView(within(from, length), within(from, length) + length);
  };
  canvas.addEventListener("wheel", event => {
    if (event.offsetX < GUTTER - 6) return; // over the names, the wheel moves the page
    event.preventDefault();
    const delta = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) shift(VIEW, event.deltaX || delta);
    else zoom(1.0018 ** Math.max(-400, Math.min(400, delta)), cycleOf(event.offsetX), true);
  }, { passive: false });
  canvas.addEventListener("pointerdown", event => {
    touches.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
    pressed = { x: event.offsetX, view: { ...VIEW }, moved: false };
  });
  canvas.addEventListener("pointermove", event => {
    const { pointerId, offsetX: x, offsetY: y } = event;
    if (touches.has(pointerId)) touches.set(pointerId, x);
    if (touches.size === 2) {
      const [a, b] = [...touches.values()], length = Math.max(20, Math.abs(a - b));
      if (pressed.pinch) zoom(pressed.pinch / length, cycleOf((a + b) / 2), true);
      Object.assign(pressed, { pinch: length, moved: true });
    } else if (pressed) {
      pressed.moved ||= Math.abs(x - pressed.x) > 3;
      if (!pressed.moved || pressed.pinch) return;
      canvas.classList.add("dragged");
      if (!pinned) hideBox();
      shift(pressed.view, pressed.x - x);
    } else if (!pinned) point(timeline, pointedAt(timeline, x, y), event.clientX, event.clientY);
  });
  const lift = event => {
    touches.delete(event.pointerId);
    canvas.classList.remove("dragged");
    if (pressed && !pressed.moved && event.type === "pointerup") { // a click keeps the box, another lets it go
      const found = pointedAt(timeline, event.offsetX, event.offsetY);
      pinned = Boolean(found) && !pinned;
      point(timeline, found, event.clientX, event.clientY);
    }
    if (!touches.size) pressed = null;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { if (!pinned && !pressed) point(timeline, null); });
  canvas.addEventListener("dblclick", event => {
    const found = pointedAt(timeline, event.offsetX, event.offsetY), { run } = timeline;
    if (!found || found.job === null) return zoom(0.25, cycleOf(event.offsetX));
    const from = run.jobs.release[found.job], to = lastCycle(run, found.job), margin = (to - from) / 12;
    glideTo(Math.max(0, from - margin), Math.min(HORIZON, to + margin));
  });
  canvas.addEventListener("keydown", event => act(event, {
    n: () => stepJob(timeline, 1), b: () => stepJob(timeline, -1),
    PageDown: () => stepJob(timeline, 0, 1), PageUp: () => stepJob(timeline, 0, -1) }));
}

/** Do what a key stands for, if it does. */
function act(event, actions) {
  const action = actions[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  action();
  event.preventDefault();
}

/** The strip: dragging the window moves it, dragging elsewhere chooses another. */
function listenOverview() {
  let drag = null;
  const at = event => new Scale(0, HORIZON, OVERVIEW.clientWidth).cycle(event.offsetX);
  OVERVIEW.addEventListener("pointerdown", event => {
    const cycle = at(event), inside = cycle >= VIEW.from && cycle <= VIEW.to && VIEW.to - VIEW.from < 0.98 * HORIZON;
    drag = { cycle, view: { ...VIEW }, inside };
    OVERVIEW.setPointerCapture(event.pointerId);
  });
  OVERVIEW.addEventListener("pointermove", event => {
    if (!drag) return;
    const cycle = at(event), by = cycle - drag.cycle, length = drag.view.to - drag.view.from;
    if (drag.inside) {
      const from = within(drag.view.from + by, length);
      setView(from, from + length);
    } else if (Math.abs(by) > SHORTEST)
      setView(Math.max(0, Math.min(cycle, drag.cycle)), Math.min(HORIZON, Math.max(cycle, drag.cycle)));
  });
  OVERVIEW.addEventListener("pointerup", () => { drag = null; });
}

function start() {
  const timelines = document.getElementById("timelines");
  for (const timeline of TIMELINES) {
    timelines.append(runHead(timeline.run), timeline.canvas);
    listen(timeline);
  }
  listenOverview();
  fillPage();
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", ACTIONS[button.dataset.do]);
    if (STEPS[button.dataset.do]) button.disabled = !STEPS[button.dataset.do].length;
  }
  document.addEventListener("keydown", event => act(event, {
    "+": ACTIONS.in, "=": ACTIONS.in, "-": ACTIONS.out, 0: ACTIONS.all, ArrowLeft: ACTIONS.left,
    ArrowRight: ACTIONS.right, m: ACTIONS.miss, p: ACTIONS.preemption, "?": ACTIONS.help, Escape: release }));
  const wanted = /^#cycles=(\d+)-(\d+)$/.exec(location.hash);
  if (wanted) setView(Number(wanted[1]), Number(wanted[2]));
  const resized = () => { redraw(); drawHistograms(); };
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => { // the height changes with every drawing
    if (contentRect.width !== width) resized();
    width = contentRect.width;
  }).observe(timelines);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", resized);
  draw();
  drawHistograms();
  document.documentElement.dataset.ready = "yes";
}

start();
