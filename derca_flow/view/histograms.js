"use strict";
/* Histograms of responses, one for each task of each run, with lines at the bound and at the deadline. */

const BINS = 48;

/** Cycles that the histograms of a task's name share in all runs. */
function farthest(name) {
  let most = 1;
  for (const run of PAGE.runs) run.tasks.forEach((task, i) => {
    if (task.name === name) most = Math.max(most, task.deadline, task.bound ?? 0, task.worst ?? 0);
  });
  return most * 1.04;
}

/** Finished jobs by response, in bins from 0 to `most`. */
function binned(run, task, most) {
  const counts = new Array(BINS).fill(0);
  for (const job of run.index[task].jobs) {
    const finish = run.jobs.finish[job];
    if (finish !== null) counts[Math.min(BINS - 1, Math.floor((finish - run.jobs.release[job]) / most * BINS))]++;
  }
  return counts;
}

/** Vertical lines with their names, drawn over a chart. */
function marks(lines) {
  return chart => {
    const c = chart.ctx, ratio = uPlot.pxRatio, { top, height, left, width } = chart.bbox;
    c.save();
    c.font = `${10 * ratio}px ${style("font")}`;
    c.textBaseline = "top";
    const at = lines.map(([, value]) => Math.round(chart.valToPos(value, "x", true)));
    const near = at.length > 1 && Math.abs(at[0] - at[1]) < 62 * ratio; // names on the two sides, or below each other
    const sides = near && Math.min(...at) > left + 40 * ratio && Math.max(...at) < left + width - 54 * ratio;
    lines.forEach(([name, , colour, dashes], i) => {
      const x = at[i], before = sides ? x === Math.min(...at) : x > left + width * 0.2;
      c.strokeStyle = c.fillStyle = colour;
      c.lineWidth = 1.6 * ratio;
      c.setLineDash(dashes.map(dash => dash * ratio));
      c.beginPath();
      c.moveTo(x, top);
      c.lineTo(x, top + height);
      c.stroke();
      c.textAlign = before ? "right" : "left";
      c.fillText(name, x + (before ? -4 : 4) * ratio, top + (near && !sides ? 12 * i * ratio : 0));
    });
    c.restore();
  };
}

function histogram(place, run, i) {
  const task = run.tasks[i], most = farthest(task.name), counts = binned(run, i, most), width = most / BINS;
  const lines = [];
  if (task.bound !== null) lines.push(["bound", task.bound, style("accent"), []]);
  lines.push(["deadline", task.deadline, style("soft"), [4, 3]]);
  const axis = { stroke: style("soft"), grid: { stroke: style("grid"), width: 1 }, ticks: { show: false },
    font: `10px ${style("font")}` };
  const late = counts.map((n, k) => k * width >= task.deadline ? n : null);
  const series = (colour, name) => ({ label: name, fill: colour, stroke: colour, width: 0, points: { show: false },
    paths: uPlot.paths.bars({ size: [1], align: 1, gap: 1 }) });
  const chart = new uPlot({
    width: place.clientWidth, height: 104, padding: [8, 8, 0, 0], legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: false, range: [0, most] }, y: { range: [0, Math.max(1, ...counts) * 1.1] } },
    axes: [{ ...axis, size: 22, space: 60, values: (_, values) => values.map(figure) },
      { ...axis, size: 30, space: 26, values: (_, values) => values.map(v => Number.isInteger(v) ? figure(v) : "") }],
    series: [{}, series(laneColour(i), "jobs"), series(PAGE.colours.miss, "late jobs")],
    hooks: { draw: [marks(lines)] },
  }, [counts.map((_, k) => k * width), counts.map((n, k) => late[k] === null ? n : null), late], place);
  chart.over.addEventListener("pointermove", event => {
    const k = Math.min(BINS - 1, Math.max(0, Math.floor(chart.posToVal(event.offsetX, "x") / width)));
    showBox({ title: `${task.name}: ${count(counts[k], "job")}`, colour: laneColour(i), rows: [
      ["response", `${figure(k * width)} … ${figure((k + 1) * width)} ${UNIT}`], ["worst", figure(task.worst)],
      ["bound", figure(task.bound)], ["deadline", figure(task.deadline)]] }, event.clientX, event.clientY);
  });
  chart.over.addEventListener("pointerleave", hideBox);
}

/** Draw all histograms, and the strips of points, at the width that there is. */
function drawHistograms() {
  forgetStyles();
  for (const place of document.querySelectorAll(".charts")) {
    const { run } = place;
    place.replaceChildren(...run.tasks.map((task, i) => element("figure", { "aria-label":
      `${task.name}: ${count(task.finished, "response")}, worst ${figure(task.worst)}, bound ${figure(task.bound)}` },
      element("figcaption", {}, named(task, i)), element("div"))));
    place.querySelectorAll("figure > div").forEach((inner, i) => histogram(inner, run, i));
  }
  for (const strip of document.querySelectorAll(".strip")) strip.paint();
}
