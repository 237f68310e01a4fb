"use strict";
/* Everything on the page but the timelines: verdicts, tables, where the time went, points, facts. */

const badge = run => element("span", { class: `badge ${run.verdict === "proved" ? "good" : "bad"}` },
  `${run.verdict === "proved" ? "✓" : "✗"} ${run.title}`);
const deadlines = run => element("span", { class: run.misses ? "bad" : run.finished ? "good" : "" }, met(run));

/** The line above the timeline of a run. */
const runHead = run => element("div", { class: "runhead" }, element("strong", {}, run.label),
  element("span", { class: "soft" }, run.origin), ...(PAGE.runs.length > 1 ? [badge(run), deadlines(run)] : []));

/** Fill a table: names of its columns, and rows of text or elements. The first column is text. */
function table(columns, rows, attributes = {}) {
  return element("table", attributes,
    element("thead", {}, element("tr", {}, ...columns.map(name => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map((cell, i) =>
      i ? element("td", {}, cell) : element("th", { scope: "row" }, cell))))));
}

const dot = colour => {
  const made = element("i", { class: "dot" });
  made.style.background = colour;
  return made;
};
const named = (task, i) => element("span", {}, dot(laneColour(i)), task.name);

/** The worst response as a bar on a track as long as the deadline, with a mark at the bound. */
function gauge(task, i) {
  const most = Math.max(task.deadline, task.bound ?? 0, task.worst ?? 0), part = value => `${100 * value / most}%`;
  const made = element("div", { class: "gauge", role: "img", "aria-label":
    `worst ${figure(task.worst)}, bound ${figure(task.bound)}, deadline ${figure(task.deadline)}` });
  const add = (kind, left, width) => {
    const bar = element("i", { class: kind });
    bar.style.left = left;
    if (width) bar.style.width = width;
    made.append(bar);
    return bar;
  };
  if (task.worst !== null) {
    const worst = add("worst", "0", part(task.worst));
    worst.style.background = task.worst > task.deadline ? PAGE.colours.miss : laneColour(i);
  }
  if (task.bound !== null) add("bound", part(task.bound));
  add("deadline", part(task.deadline));
  made.title = "bar: worst response; line: bound; end of the track: deadline";
  return made;
}

function taskTable(run) {
  const late = (value, task) => element("span", value > task.deadline ? { class: "bad" } : {}, figure(value));
  return table(["task", "deadline", "worst", "bound", "", "missed", "jobs", "preempted", "period", "slack"],
    run.tasks.map((task, i) => [named(task, i), figure(task.deadline), late(task.worst, task), figure(task.bound),
      gauge(task, i), element("span", task.misses ? { class: "bad" } : {}, figure(task.misses)), figure(task.released),
      figure(task.preemptions), figure(task.period), figure(task.slack)]));
}

/** A bar of parts of a whole, and a list that names them. */
function shares(parts, whole) {
  const bar = element("div", { class: "shares" }), list = element("ul", { class: "keys" });
  for (const [name, cycles, colour] of parts) {
    const part = element("i", { title: `${name}: ${counted(cycles)}, ${share(cycles, whole)}` });
    part.style.width = `${100 * cycles / whole}%`;
    part.style.background = colour;
    bar.append(part);
    list.append(element("li", { title: counted(cycles) }, dot(colour), `${name} `,
      element("b", {}, share(cycles, whole))));
  }
  return [bar, list];
}

/** Words and colours of what the hardware counts. */
const COUNTED = {
  busy: ["operands enter the array", "#3f7f5f"], load: ["waits for operands", "#c98a3a"],
  bank: ["waits for a free bank", "#8a6fb0"], store: ["waits for stores", "#5f87b5"],
  idle: ["nothing to do", "#b8c0c8"],
};

function time(run) {
  const { array, between, idle } = run.time;
  const out = shares([...run.tasks.map((task, i) => [`${task.name} in the array`, array[i], laneColour(i)]),
    ["jobs live, no region in the array", between, "#d9a441"], ["no job", idle, "#b8c0c8"]], run.horizon);
  if (run.counted.length) {
    const whole = run.counted.reduce((sum, [, cycles]) => sum + cycles, 0);
    const parts = run.counted.map(([name, cycles]) => {
      const [words, colour] = COUNTED[name] ?? [name, "#888"];
      return [words, cycles, colour];
    });
    out.push(element("p", { class: "soft" }, "By the hardware's counters:"), ...shares(parts, whole));
  }
  return out;
}

/** The candidate points of a task: a strip in the order of the job's work, and a list. */
function points(run, task, i) {
  const used = task.points.filter(([, use]) => use === "used").length;
  const some = task.points.filter(([, use]) => use !== "none").length;
  const words = `${used} of ${some} points used`;
  const strip = element("canvas", { class: "strip", height: 16, role: "img", "aria-label": words });
  const rows = task.points.map(([where, use, why]) => element("li", { class: use }, `${where}: ${why}`));
  const open = element("details", {}, element("summary", {}, named(task, i),
    ` ${used} of ${count(some, "candidate point")} used`, strip), element("ol", {}, ...rows));
  strip.paint = () => {
    const { context, width } = prepare(strip, 16), n = task.points.length;
    context.fillStyle = style("track");
    context.fillRect(0, 6, width, 4);
    task.points.forEach(([, use, why], k) => {
      if (use === "none") return;
      const kind = PAGE.strategies.find(({ name }) => use === "used" && why.startsWith(`used, ${name},`));
      context.fillStyle = kind ? inkOf(kind) : style("dropped");
      const high = kind ? 14 : 6;
      context.fillRect((k + 1) / (n + 1) * width - 0.75, 8 - high / 2, 1.5, high);
    });
  };
  return open;
}

function facts(run) {
  const out = [];
  if (run.facts.length) out.push(table([`platform ${run.platform}`, ""], run.facts, { class: "facts" }));
  const families = Object.entries(run.resources);
  if (families.length)
    out.push(table(["estimated resources", ...Object.keys(families[0][1])],
      families.map(([family, found]) => [family, ...Object.values(found).map(figure)]), { class: "facts numbers" }));
  return out;
}

const card = (title, ...inside) => element("section", { class: "card" }, element("h3", {}, title), ...inside);
const nothing = text => element("p", { class: "soft" }, text);

/** Whether all runs have the same platform, which is then shown once. */
const ALIKE = PAGE.runs.length > 1 && PAGE.runs.every(run =>
  JSON.stringify([run.facts, run.resources]) === JSON.stringify([PAGE.runs[0].facts, PAGE.runs[0].resources]));

/** The column of a run. */
function column(run) {
  const out = element("div", { class: "column" }, element("h2", {}, run.label, " ", badge(run)));
  out.append(card("Responses beside their bounds", element("div", { class: "scroll" }, taskTable(run)),
    run.analysed ? null : nothing("The run has no plan.json, so bounds and prices are not known: run it again.")));
  const charts = element("div", { class: "charts" });
  charts.run = run;
  out.append(card("Distribution of responses", charts));
  out.append(card("Where the time went", ...time(run)));
  if (run.analysed)
    out.append(card("Points where jobs may be preempted", ...run.tasks.map((task, i) => task.points.length
      ? points(run, task, i) : nothing(`${task.name}: nowhere`))));
  out.append(card("Proof", element("dl", { class: "proof" }, ...run.proof.flatMap(([name, text]) =>
    [element("dt", {}, name), element("dd", {}, text)]))));
  if (run.facts.length && !ALIKE) out.append(card("Platform", ...facts(run)));
  return out;
}

/** One row for each run, where there are several. */
function comparison() {
  const tasks = PAGE.runs[0].tasks.map(task => task.name);
  const same = PAGE.runs.every(run => run.tasks.map(task => task.name).join() === tasks.join());
  const rows = PAGE.runs.map(run => [run.label, badge(run), deadlines(run),
    figure(run.tasks.reduce((sum, task) => sum + task.preemptions, 0)),
    share(run.time.array.reduce((a, b) => a + b, 0), run.horizon),
    ...(same ? run.tasks.map(task => element("span", task.worst > task.deadline ? { class: "bad" } : {},
      `${figure(task.worst)} / ${figure(task.bound)}`)) : [])]);
  return card("Side by side", element("div", { class: "scroll" }, table(["run", "verdict", "deadlines", "preemptions",
    "in the array", ...(same ? tasks.map(name => `${name}: worst / bound`) : [])], rows, { class: "compare" })));
}

function legend() {
  const sign = (text, words) => element("span", {}, element("b", { "aria-hidden": "true" }, text), ` ${words}`);
  const out = [sign("↑", "release"), sign("⇣", "deadline")];
  const missed = sign("⇣", "deadline missed, red until the end");
  missed.firstChild.style.color = PAGE.colours.miss;
  if (PAGE.runs.some(run => run.misses)) out.push(missed);
  for (const { name, letter } of PAGE.strategies) {
    if (!PAGE.runs.some(run => run.switches.strategy.some(i => PAGE.strategies[i].name === name))) continue;
    const made = sign(letter, `preempted: ${name}`);
    made.firstChild.classList.add(`kind-${name}`);
    out.push(made);
  }
  if (PAGE.runs.some(run => run.switches.job.length)) out.push(sign("▸", "resumed; shaded: loads again"));
  return out;
}

const KEYS = [["wheel, + and −", "zoom (over the names, the wheel moves the page)"],
  ["drag, ← and →, Shift and wheel", "move"], ["0", "the whole run"],
  ["pointer", "what is there"], ["click", "keep the box; Esc lets it go"], ["double click", "show the job"],
  ["drag in the strip", "choose a window"], ["P, M", "next preemption, next miss"],
  ["N, B", "next and previous job of a lane (timeline focused)"], ["Page Up, Page Down", "choose the lane"]];

function fillPage() {
  const names = [...new Set(PAGE.runs.map(run => run.taskset))], one = PAGE.runs.length === 1;
  const platforms = [...new Set(PAGE.runs.map(run => run.platform).filter(Boolean))];
  document.getElementById("title").append(names.join(", "), element("small", {},
    `${platforms.length ? ` on ${platforms.join(", ")}` : ""} · ${counted(HORIZON)}` +
    `${CLOCK ? `, ${duration(HORIZON, CLOCK)} at ${CLOCK} MHz` : ""}`));
  if (one) document.getElementById("verdicts").append(badge(PAGE.runs[0]), deadlines(PAGE.runs[0]));
  document.getElementById("legend").append(...legend());
  document.getElementById("help").append(element("dl", {}, ...KEYS.flatMap(([keys, what]) =>
    [element("dt", {}, keys), element("dd", {}, what)])));
  const details = document.getElementById("details"), columns = element("div", { class: "columns" });
  if (!one) details.append(comparison());
  columns.append(...PAGE.runs.map(column));
  if (one) columns.classList.add("one");
  details.append(columns);
  if (ALIKE && PAGE.runs[0].facts.length)
    details.append(card("Platform", element("div", { class: "columns" }, ...facts(PAGE.runs[0]))));
}
