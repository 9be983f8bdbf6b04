// A small line chart: SVG, no more than a few series, readable by mouse, finger and keyboard.

import { h, patch, s } from "./dom.js";
import { UNITS, clockTime, minuteTime } from "./format.js";

const HEIGHT = 132;
const MARGIN = { top: 8, right: 2, bottom: 22, left: 0 };

/** Draws series of [time, value] points with a common unit into `element`, and redraws when its width changes. */
export class Chart {
  /**
   * @param element an empty element that is ours alone
   * @param options title, unit (a key of UNITS), ceiling (the least top of the axis)
   */
  constructor(element, { title, unit, ceiling = 0 }) {
    this.element = element;
    this.title = title;
    this.write = UNITS[unit];
    this.ceiling = ceiling;
    this.series = [];
    this.cursor = null;
    this.threshold = null;
    this.marks = [];
    this.head = h("div", { class: "chart-head" });
    this.plot = s("svg", { class: "plot", height: HEIGHT, tabindex: "0", role: "img" });
    element.append(this.head, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.plot);
  }

  /** Show these series: {name, points: [[seconds, number]]}, over the time from `start` to `end` with `step`. */
  show({ series, start, end, step }) {
    Object.assign(this, { series, start, end, step });
    this.draw();
  }

  draw() {
    const width = this.plot.clientWidth;
    this.drawHead();
    if (!width) return;
    this.width = width;
    const values = this.series.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
    const top = niceCeiling(Math.max(this.ceiling, ...values, this.threshold ?? 0, 0), this.ceiling);
    this.plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.plot.setAttribute("aria-label", this.label(values));
    const empty = values.length === 0;
    patch(
      this.plot,
      this.grid(top),
      empty ? s("text", { class: "plot-empty", x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "Waiting for samples") : null,
      [...this.series].map((one, index) => [one, index]).reverse().map(([one, index]) => this.line(one, index, top)),
      this.landmarks(top),
      this.ticks(top, empty),
      this.cursorMarks(top),
    );
  }

  drawHead() {
    const time = this.cursor;
    const latest = time === null ? null : h("span", { class: "chart-time" }, clockTime(time));
    patch(
      this.head,
      h("h3", {}, this.title),
      latest,
      h(
        "span",
        { class: "chart-values" },
        this.series.map(({ name, points }, index) => {
          const value = time === null ? points.at(-1)?.[1] : valueAt(points, time, this.step);
          const text = value === undefined || value === null ? "–" : Number.isFinite(value) ? this.write(value) : String(value);
          return h("span", { class: "chart-value" }, this.series.length > 1 ? h("i", { class: `swatch series-${index}` }) : null, name ? h("small", {}, name) : null, h("b", {}, text));
        }),
      ),
    );
  }

  grid(top) {
    return [0, top / 2, top].map((value) => {
      const y = this.y(value, top);
      return s("line", { class: value === 0 ? "axis" : "gridline", x1: 0, x2: this.width, y1: y, y2: y });
    });
  }

  /** The threshold, and moments to point out: `marks` holds [seconds, word]. */
  landmarks(top) {
    if (!this.end) return null;
    const y = this.threshold === null ? null : this.y(this.threshold, top);
    return [
      y === null ? null : s("line", { class: "threshold", x1: 0, x2: this.width, y1: y, y2: y }),
      this.marks
        .filter(([time]) => time >= this.start && time <= this.end)
        .map(([time, word]) => {
          const x = this.x(time);
          const isLate = x > this.width * 0.8;
          return [s("line", { class: "mark", x1: x, x2: x, y1: MARGIN.top, y2: this.y(0, top) }), s("text", { class: "mark-word", x: isLate ? x - 4 : x + 4, y: MARGIN.top + 9, "text-anchor": isLate ? "end" : "start" }, word)];
        }),
    ];
  }

  ticks(top, empty) {
    const values = empty ? [] : [top / 2, top].map((value) => s("text", { class: "tick", x: 0, y: this.y(value, top) + 12 }, this.write(value)));
    if (!this.end) return values;
    const third = (this.end - this.start) / 3;
    const anchors = ["start", "middle", "middle", "end"];
    const times = anchors.map((anchor, part) => {
      const time = this.start + part * third;
      return s("text", { class: "tick", x: this.x(time), y: HEIGHT - 5, "text-anchor": anchor }, this.end - this.start < 600 ? clockTime(time) : minuteTime(time));
    });
    return [values, times];
  }

  line({ points }, index, top) {
    const runs = unbroken(points, this.step);
    const path = runs.map((run) => "M" + run.map(([time, value]) => `${round(this.x(time))} ${round(this.y(value, top))}`).join("L"));
    const floor = this.y(0, top);
    const area = runs.map((run) => `M${round(this.x(run[0][0]))} ${floor}L` + run.map(([time, value]) => `${round(this.x(time))} ${round(this.y(value, top))}`).join("L") + `L${round(this.x(run.at(-1)[0]))} ${floor}Z`);
    return [
      index === 0 ? s("path", { class: "area", d: area.join("") }) : null,
      s("path", { class: `line series-${index}`, d: path.join("") }),
    ];
  }

  cursorMarks(top) {
    if (this.cursor === null) return null;
    const x = this.x(this.cursor);
    const dots = this.series.map(({ points }, index) => {
      const value = valueAt(points, this.cursor, this.step);
      return Number.isFinite(value) ? s("circle", { class: `dot series-${index}`, cx: x, cy: this.y(value, top), r: 3.5 }) : null;
    });
    return [s("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: this.y(0, top) }), dots];
  }

  x(time) {
    const width = this.width - MARGIN.left - MARGIN.right;
    return MARGIN.left + ((time - this.start) / (this.end - this.start)) * width;
  }

  y(value, top) {
    const height = HEIGHT - MARGIN.top - MARGIN.bottom;
    return MARGIN.top + (1 - Math.max(0, value) / top) * height;
  }

  point(event) {
    if (!this.end) return;
    const box = this.plot.getBoundingClientRect();
    this.move(this.start + ((event.clientX - box.left) / box.width) * (this.end - this.start));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.move(null);
    if (!steps || !this.end) return;
    event.preventDefault();
    this.move(Math.max(this.start, Math.min(this.end, (this.cursor ?? this.end) + steps * this.step)));
  }

  move(time) {
    const last = this.end === undefined ? 0 : this.end;
    this.cursor = time === null ? null : Math.max(this.start, Math.min(last, this.start + Math.round((time - this.start) / this.step) * this.step));
    this.draw();
  }

  label(values) {
    if (values.length === 0) return `${this.title}: no samples yet`;
    const now = this.series.map(({ name, points }) => `${name || "now"} ${this.write(points.at(-1)?.[1] ?? 0)}`).join(", ");
    const minutes = Math.round((this.end - this.start) / 60);
    return `${this.title}, the last ${minutes} minutes: ${now}; highest ${this.write(Math.max(...values))}. Arrow keys read single values.`;
  }
}

function valueAt(points, time, step) {
  let best = null;
  for (const [at, value] of points) if (Math.abs(at - time) <= step / 2 + 0.001) best = value;
  return best;
}

/** Split points where samples are missing, so that a gap is seen as a gap. */
function unbroken(points, step) {
  const runs = [];
  let last = null;
  for (const point of points) {
    if (!Number.isFinite(point[1])) continue;
    if (last === null || point[0] - last > step * 1.5) runs.push([]);
    runs.at(-1).push(point);
    last = point[0];
  }
  return runs;
}

/** The next number that reads well, at or above `value`. */
function niceCeiling(value, least) {
  if (value <= least && least > 0) return least;
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 6, 8, 10].map((factor) => factor * size).find((candidate) => candidate >= value * 0.999);
}

function round(value) {
  return Math.round(value * 10) / 10;
}
