"use strict";
/* Drawing on a canvas in cycles: scale, axis, bars, marks. */

/** Pixels right of the time axis, and heights of the lanes. */
const MARGIN = 14, TASK_LANE = 56, LOW_LANE = 38, THIN_LANE = 18, BANK_LANE = 26;

/** A colour of the style sheet, which depends on the theme; kept until `forgetStyles`. */
let styles = {};
const style = name =>
  styles[name] ??= getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const forgetStyles = () => { styles = {}; };

/** Pixels left of the time axis: as many as the names of the tasks need, within a quarter of the window. */
const GUTTER = (() => {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `13px ${style("font")}`;
  const widths = PAGE.runs.flatMap(run => run.tasks.map(task => context.measureText(task.name).width));
  return Math.round(Math.max(104, Math.min(largest(widths) + 30, 240, innerWidth / 4)));
})();

/** Red, green and blue of a colour written as #rrggbb. */
const channels = colour => [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16));
/** The colour of a kind of preemption as letters and lines: one that the background leaves readable. */
function inkOf(kind) {
  if (kind.name === "layer") return style("soft");
  if (style("theme") !== "dark") return kind.colour;
  return `rgb(${channels(kind.colour).map(value => Math.round(value + (255 - value) * 0.4)).join(",")})`;
}
/** White or black, whichever is read more easily on a colour. */
function textOn(colour) {
  const [r, g, b] = channels(colour).map(value => (value / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.25 ? "#10141a" : "#ffffff";
}

/** Size a canvas for the screen and clear it; returns its context and width in CSS pixels. */
function prepare(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `11px ${style("font")}`;
  context.textBaseline = "middle";
  return { context, width };
}

/** Maps cycles from `from` to `to` to the pixels of the time axis on a canvas `width` pixels wide, and back. */
class Scale {
  constructor(from, to, width) {
    this.from = from;
    this.to = to;
    this.left = GUTTER;
    this.right = Math.max(GUTTER + 1, width - MARGIN);
    this.pitch = (this.right - this.left) / (to - from); // pixels of a cycle
  }
  x(cycle) { return this.left + (cycle - this.from) * this.pitch; }
  cycle(x) { return this.from + (x - this.left) / this.pitch; }
  /** Even cycles for about one mark in 110 pixels. */
  ticks(unit = 1) {
    const rough = Math.max((this.to - this.from) / unit * 110 / (this.right - this.left), 1e-9);
    const power = 10 ** Math.floor(Math.log10(rough));
    let step = power * [1, 2, 5, 10].find(factor => factor * power >= rough);
    if (unit === 1) step = Math.max(1, step);
    const out = [];
    for (let i = Math.ceil(this.from / unit / step); i * step * unit <= this.to; i++) out.push(i * step);
    return { step, values: out };
  }
}

/** Bars from `start[i]` to `end[i]`; neighbours less than a pixel apart become one. `paint` fills what is merged. */
function bars(scale, start, end, paint) {
  let i = Math.max(0, lowerBound(start, scale.from) - 1);
  let x0 = null, x1 = 0;
  for (; i < start.length && start[i] <= scale.to; i++) {
    if (end[i] < scale.from) continue;
    const a = Math.max(scale.x(start[i]), scale.left), b = Math.min(scale.x(end[i]), scale.right);
    if (x0 !== null && a - x1 < 1) { x1 = Math.max(x1, b); continue; }
    if (x0 !== null) paint(x0, x1);
    [x0, x1] = [a, Math.max(b, a + 0.5)];
  }
  if (x0 !== null) paint(x0, x1);
}

/** A triangle with its tip at (x, y), pointing up, down or right. */
function head(context, x, y, direction, size = 4) {
  const [dx, dy] = { up: [0, 1], down: [0, -1], right: [-1, 0] }[direction];
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + dx * 1.6 * size - dy * size, y + dy * 1.6 * size + dx * size);
  context.lineTo(x + dx * 1.6 * size + dy * size, y + dy * 1.6 * size - dx * size);
  context.closePath();
  context.fill();
}

function line(context, x0, y0, x1, y1, colour, width = 1, dashes = []) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
}

/** Text, shortened to fit into `room` pixels. */
function label(context, text, x, y, room) {
  let shown = text;
  while (shown.length > 1 && context.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  context.fillText(shown, x, y);
}

/** The axis above the timelines: cycles, and time where all runs have one clock. */
function drawAxis(canvas, from, to) {
  const { context, width } = prepare(canvas, CLOCK ? 40 : 24), scale = new Scale(from, to, width);
  const rows = [[1, CLOCK ? 29 : 12, UNIT, value => figure(value)]];
  if (CLOCK) {
    const span = (to - from) / CLOCK, [unit, name] = span >= 600 ? [1e3, "ms"] : span >= 2 ? [1, "µs"] : [1e-3, "ns"];
    const digits = step => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const words = (value, step) => value.toLocaleString("en-US", { minimumFractionDigits: digits(step) });
    rows.unshift([unit * CLOCK, 10, `${name} at ${CLOCK} MHz`, words]);
  }
  for (const [unit, y, name, words] of rows) {
    const { step, values } = scale.ticks(unit);
    context.fillStyle = style("soft");
    context.textAlign = "right";
    context.fillText(name, GUTTER - 10, y);
    context.textAlign = "center";
    for (const value of values) {
      const text = words(value, step), x = scale.x(value * unit), half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(Math.max(x, scale.left + half - 6), width - half - 2), y);
      if (unit === 1) line(context, x, y + 7, x, y + 11, style("rule"));
    }
  }
}
