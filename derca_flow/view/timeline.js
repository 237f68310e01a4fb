"use strict";
/* The timeline of one run: a lane for each task, and for array, loads, stores and banks. */

class Timeline {
  constructor(run, number) {
    this.run = run;
    this.number = number;
    const height = run.tasks.length > 10 ? LOW_LANE : TASK_LANE;
    this.lanes = run.tasks.map((task, i) => ({ kind: "task", task: i, name: task.name, height }));
    this.lanes.push({ kind: "array", name: "array", height: THIN_LANE });
    if (run.lanes.load) this.lanes.push({ kind: "load", name: "load", height: THIN_LANE });
    if (run.lanes.store) this.lanes.push({ kind: "store", name: "store", height: THIN_LANE });
    if (run.lanes.banks) this.lanes.push({ kind: "banks", name: "banks", height: BANK_LANE });
    let y = 6;
    for (const lane of this.lanes) { lane.top = y; y += lane.height; }
    this.height = y + 4;
    this.most = run.lanes.banks ? largest(run.lanes.banks.used, 1) : 0;
    this.canvas = element("canvas", {
      tabindex: "0", role: "application", "aria-roledescription": "timeline", "data-run": number,
      "aria-label": `Timeline of ${run.label}: ${met(run)}. Arrow keys move, plus and minus zoom, ` +
        "N and B step through the jobs of a lane, Page Up and Page Down choose it.",
    });
    this.focus = null; // the job that is pointed at
  }

  draw(view) {
    const { context, width } = prepare(this.canvas, this.height);
    this.context = context;
    this.scale = new Scale(view.from, view.to, width);
    this._grid();
    for (const lane of this.lanes) {
      this._name(lane);
      context.save();
      context.beginPath();
      context.rect(this.scale.left - 6, lane.top - 4, this.scale.right - this.scale.left + 12, lane.height + 4);
      context.clip();
      if (lane.kind === "task") this._task(lane);
      else if (lane.kind === "array") this._array(lane);
      else if (lane.kind === "banks") this._banks(lane);
      else this._work(lane, this.run.lanes[lane.kind]);
      context.restore();
    }
    const end = this.scale.x(this.run.horizon); // the run may be shorter than others on the page
    if (end < this.scale.right) {
      context.fillStyle = style("beyond");
      context.fillRect(end, 0, this.scale.right - end, this.height);
    }
  }

  _grid() {
    const { values } = this.scale.ticks();
    for (const x of values.map(value => this.scale.x(value))) line(this.context, x, 0, x, this.height, style("grid"));
  }

  _name(lane) {
    const c = this.context, thin = lane.kind !== "task";
    c.textAlign = "right";
    c.fillStyle = thin ? style("soft") : style("ink");
    c.font = `${thin ? 11 : 13}px ${style("font")}`;
    if (!thin) {
      c.fillStyle = laneColour(lane.task);
      c.fillRect(GUTTER - 9, lane.top + lane.height - 40, 3, 26);
      c.fillStyle = style("ink");
    }
    label(c, lane.name, GUTTER - 15, lane.top + (thin ? lane.height / 2 : lane.height - 28), GUTTER - 22);
    c.font = `11px ${style("font")}`;
  }

  _task(lane) {
    const c = this.context, s = this.scale, run = this.run, own = run.index[lane.task], jobs = run.jobs;
    const base = lane.top + lane.height - 14, top = base - Math.min(28, lane.height - 16);
    const colour = laneColour(lane.task), miss = PAGE.colours.miss;
    line(c, s.left, base, s.right, base, style("rule"));
    const seen = [];
    for (let i = lowerBound(own.releases, s.from - own.longest); i < own.jobs.length && own.releases[i] <= s.to; i++)
      if (lastCycle(run, own.jobs[i]) >= s.from) seen.push(own.jobs[i]);
    c.globalAlpha = 0.4;
    c.fillStyle = colour;
    bars(s, seen.map(j => jobs.release[j]), seen.map(j => endOf(run, j)), (a, b) => c.fillRect(a, base - 3, b - a, 3));
    c.globalAlpha = 1;
    this._swapIns(own, top, base);
    c.fillStyle = colour;
    bars(s, own.spans.start, own.spans.end, (a, b) => c.fillRect(a, top + 4, Math.max(b - a, 0.7), base - top - 4));
    for (const j of seen.filter(j => jobs.missed[j])) this._late(own, j, top, base);
    this._regions(own, colour, top, base);
    this._arrows(seen.filter(j => !jobs.missed[j]).map(j => jobs.deadline[j]), "down", style("soft"), lane, base);
    this._arrows(seen.map(j => jobs.release[j]), "up", style("ink"), lane, base);
    this._arrows(seen.filter(j => jobs.missed[j]).map(j => jobs.deadline[j]), "down", miss, lane, base);
    for (const cycle of own.skipped.filter(cycle => s.from <= cycle && cycle <= s.to)) {
      const x = s.x(cycle), y = lane.top + 8;
      line(c, x - 4, y - 4, x + 4, y + 4, miss, 2);
      line(c, x - 4, y + 4, x + 4, y - 4, miss, 2);
    }
    this._switches(own, lane, top, base);
    if (this.focus !== null && jobs.task[this.focus] === lane.task) {
      const a = s.x(jobs.release[this.focus]), b = s.x(endOf(run, this.focus));
      c.strokeStyle = style("accent");
      c.lineWidth = 1.5;
      c.strokeRect(a - 1, top + 1, Math.max(b - a, 2) + 2, base - top + 1);
    }
  }

  /** Where a resumed job loads again, before its region enters the array. */
  _swapIns(own, top, base) {
    const { cycle, resumes, strategy, job } = own.switches, s = this.scale;
    for (let i = lowerBound(cycle, s.from - own.longest); i < cycle.length && cycle[i] <= s.to; i++) {
      const next = lowerBound(own.spans.start, cycle[i]);
      if (!resumes[i] || own.spans.job[next] !== job[i]) continue;
      const a = s.x(cycle[i]), b = s.x(own.spans.start[next]);
      if (b - a < 1.5) continue;
      this.context.fillStyle = `${PAGE.strategies[strategy[i]].colour}55`;
      this.context.fillRect(a, top + 10, b - a, base - top - 10);
    }
  }

  /** The part of a missed job after its deadline. */
  _late(own, job, top, base) {
    const c = this.context, s = this.scale, deadline = this.run.jobs.deadline[job], end = endOf(this.run, job);
    const first = lowerBound(own.spans.start, deadline) - 1, starts = [], ends = [];
    for (let i = Math.max(first, 0); i < own.spans.start.length && own.spans.start[i] < end; i++)
      if (own.spans.job[i] === job && own.spans.end[i] > deadline) {
        starts.push(Math.max(own.spans.start[i], deadline));
        ends.push(own.spans.end[i]);
      }
    c.fillStyle = PAGE.colours.miss;
    bars(s, starts, ends, (a, b) => c.fillRect(a, top + 4, b - a, base - top - 4));
    const a = Math.max(s.x(deadline), s.left), b = Math.min(s.x(end), s.right);
    if (b > a) c.fillRect(a, top, b - a, 2.5);
  }

  /** Borders of regions, and their numbers, where there is room. */
  _regions(own, colour, top, base) {
    const { start, end, region } = own.spans, c = this.context, s = this.scale, ink = textOn(colour);
    if (own.widest * s.pitch < 5) return;
    c.textAlign = "center";
    for (let i = Math.max(0, lowerBound(start, s.from) - 1); i < start.length && start[i] <= s.to; i++) {
      const wide = (end[i] - start[i]) * s.pitch;
      if (wide < 5) continue;
      const close = (start[i + 1] - end[i]) * s.pitch < 1; // the next one would seem to be the same
      if (close) line(c, s.x(end[i]), top + 4, s.x(end[i]), base, style("paper"), 0.7);
      if (wide < 22) continue;
      const a = Math.max(s.x(start[i]), s.left), b = Math.min(s.x(end[i]), s.right);
      c.fillStyle = ink;
      const text = b - a > 74 ? `region ${region[i]}` : `${region[i]}`;
      if (b - a > 18) label(c, text, (a + b) / 2, (top + base) / 2 + 3, b - a);
    }
  }

  _arrows(cycles, direction, colour, lane, base) {
    const c = this.context, s = this.scale, few = cycles.length < (s.right - s.left) / 14;
    let last = -1;
    c.fillStyle = colour;
    for (const cycle of cycles) {
      const x = Math.round(s.x(cycle)) + 0.5;
      if (x < s.left - 5 || x > s.right + 5 || x - last < (few ? 0.5 : 2)) continue;
      if (!few) line(c, x, lane.top + 6, x, lane.top + 12, colour, 0.7); // short, so that the bars stay visible
      else line(c, x, lane.top + 3, x, base, colour, 1.2, direction === "up" ? [] : [4, 2]);
      if (few) head(c, x, direction === "up" ? lane.top + 1 : lane.top + 12, direction);
      last = x;
    }
  }

  /** Preemptions with the letter of their kind, and resumptions. */
  _switches(own, lane, top, base) {
    const { cycle, resumes, strategy } = own.switches, c = this.context, s = this.scale;
    const first = lowerBound(cycle, s.from), many = lowerBound(cycle, s.to) - first > (s.right - s.left) / 8;
    let lettered = -99, drawn = -99;
    c.textAlign = "center";
    c.font = `bold 10px ${style("font")}`;
    for (let i = first; i < cycle.length && cycle[i] <= s.to; i++) {
      const x = s.x(cycle[i]), kind = PAGE.strategies[strategy[i]];
      if (resumes[i]) {
        if (x - drawn > 6 && !many) { c.fillStyle = inkOf(kind); head(c, x + 5, base - 9, "right", 3.6); }
        continue;
      }
      if (x - drawn < 1) continue;
      line(c, x, many ? base : top, x, base + 4, inkOf(kind), many ? 1 : 2);
      drawn = x;
      if (x - lettered > 11 && !many) {
        c.fillStyle = inkOf(kind);
        c.fillText(kind.letter, x, base + 8);
        lettered = x;
      }
    }
    c.font = `11px ${style("font")}`;
  }

  _array(lane) {
    this.run.index.forEach((own, task) => {
      this.context.fillStyle = laneColour(task);
      bars(this.scale, own.spans.start, own.spans.end,
        (a, b) => this.context.fillRect(a, lane.top + 3, Math.max(b - a, 0.7), lane.height - 6));
    });
  }

  _work(lane, work) {
    const s = this.scale, c = this.context;
    let i = Math.max(0, lowerBound(work.start, s.from) - 1), reached = -1;
    for (; i < work.start.length && work.start[i] <= s.to; i++) {
      const a = Math.max(s.x(work.start[i]), s.left, reached), b = Math.min(s.x(work.end[i]), s.right);
      if (b <= a || b - reached < 0.5) continue;
      c.fillStyle = laneColour(work.task[i]);
      c.globalAlpha = 0.75;
      c.fillRect(a, lane.top + 3, Math.max(b - a, 0.7), lane.height - 6);
      reached = b;
    }
    c.globalAlpha = 1;
  }

  /** Banks in use, as the most in every pixel. */
  _banks(lane) {
    const { cycle, used } = this.run.lanes.banks, s = this.scale, c = this.context, floor = lane.top + lane.height - 3;
    const high = (lane.height - 6) / this.most;
    line(c, s.left, floor, s.right, floor, style("rule"));
    c.fillStyle = style("bank");
    for (let i = Math.max(0, lowerBound(cycle, s.from + 1) - 1); i < cycle.length && cycle[i] <= s.to;) {
      const a = Math.max(s.x(cycle[i]), s.left);
      let most = used[i], k = i + 1;
      while (k < cycle.length && s.x(cycle[k]) < a + 1) most = Math.max(most, used[k++]);
      const b = Math.min(s.x(cycle[k] ?? this.run.horizon), s.right);
      if (most && b > a) c.fillRect(a, floor - most * high, b - a, most * high);
      i = k;
    }
  }

  /** The lane at a height of the canvas. */
  laneAt(y) {
    return this.lanes.find(lane => y >= lane.top && y < lane.top + lane.height) ?? null;
  }
}
