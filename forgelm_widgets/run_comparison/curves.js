// @ts-check

/** @typedef {{name: string, style: number, points: Float32Array}} Line  step and loss in turn */

const NAMESPACE = "http://www.w3.org/2000/svg";
const DASHES = ["", "6 3", "2 3", "9 3 2 3"];
const COLOURS = 6;
const HEIGHT = 230;
const EDGE = { left: 52, right: 12, top: 10, bottom: 34 };

/** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
function draw(tag, attributes, text) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A piece of a run's line, as long as a word; the name beside it says the same. @param {number} style */
function swatch(style) {
  const node = draw("svg", { class: "forgelm-runs-swatch", width: 26, height: 10, "aria-hidden": "true" });
  node.append(draw("path", { d: "M1 5H25", class: lineClass(style), "stroke-dasharray": dash(style) }));
  return node;
}

/** @param {number} style */
const lineClass = (style) => `forgelm-runs-line forgelm-runs-c${style % COLOURS}`;
/** @param {number} style */
const dash = (style) => DASHES[style % DASHES.length];
/** @param {number} value */
const short = (value) => String(Number(value.toPrecision(4)));

/** Round numbers between two ends. @param {number} low @param {number} high @param {number} about */
function ticks(low, high, about) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step);
  return found;
}

/** Numbers for a logarithmic axis. @param {number} low @param {number} high */
function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 1 ? found : ticks(low, high, 4);
}

/** The ends of all values, a little apart where they are one. @param {number[]} values */
function ends(values) {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const room = low < high ? 0 : Math.max(0.5, Math.abs(low) / 100);
  return [low - room, high + room];
}

/** One picture with a line for each run, its legend and its figures. */
class Chart {
  /** @param {string} title */
  constructor(title) {
    this.title = title;
    /** @type {Line[]} */
    this.lines = [];
    this.log = false;
    this.width = 0;
    this.svg = draw("svg", { role: "img", class: "forgelm-runs-svg" });
    this.legend = make("ul", "forgelm-runs-legend");
    this.place = make("span", "forgelm-runs-quiet");
    this.data = make("details", "forgelm-runs-data");
    this.node = make("figure", "forgelm-runs-chart");
    const caption = make("figcaption", "forgelm-runs-title", `${title} `);
    caption.append(this.place);
    this.node.append(caption, this.svg, this.legend, this.data);
    this.svg.addEventListener("pointermove", (event) => this.point(/** @type {PointerEvent} */ (event)));
    this.svg.addEventListener("pointerleave", () => this.unpoint());
    this.watch = new ResizeObserver(() => this.paint());
    this.watch.observe(this.node);
  }

  /** @param {Line[]} lines @param {boolean} log */
  update(lines, log) {
    this.lines = lines;
    this.log = log;
    this.node.hidden = !lines.length;
    /** @type {HTMLElement[]} */
    this.values = lines.map(() => make("span", "forgelm-runs-value"));
    this.legend.replaceChildren(
      ...lines.map((line, i) => {
        const item = make("li");
        item.append(swatch(line.style), make("span", "forgelm-runs-name", line.name), this.values?.[i] ?? "");
        return item;
      }),
    );
    this.list();
    this.width = 0;
    this.paint();
    this.unpoint();
  }

  list() {
    const facts = this.lines.map(({ name, points }) => {
      let at = 1;
      for (let i = 3; i < points.length; i += 2) if (points[i] < points[at]) at = i;
      return [name, short(points[1]), short(points[at]), String(points[at - 1]), short(points[points.length - 1])];
    });
    const told = facts.map(([name, first, low, step, last]) => `${name}: from ${first} to ${last}, lowest ${low} at step ${step}`);
    this.svg.setAttribute("aria-label", `${this.title} over steps. ${told.join("; ")}.`);
    const table = make("table", "forgelm-table forgelm-runs-table");
    table.append(headRow(["Run", "First", "Lowest", "At step", "Last"], 1), ...facts.map((row) => bodyRow(row, 1)));
    const frame = scrolling(`${this.title}: data`);
    frame.append(table);
    this.data.replaceChildren(make("summary", "", "Show data"), frame);
  }

  /** Draw anew where the width is another. */
  paint() {
    const width = Math.max(260, Math.floor(this.node.clientWidth));
    if (width === this.width || !this.lines.length) return;
    this.width = width;
    const steps = this.lines.flatMap(({ points }) => [points[0], points[points.length - 2]]);
    const losses = this.lines.flatMap(({ points }) => [...points].filter((_, i) => i % 2));
    const [left, right] = ends(steps);
    let [low, high] = ends(losses);
    const log = this.log && low > 0;
    const scale = log ? Math.log : (/** @type {number} */ value) => value;
    const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
    const room = log ? 0 : (high - low) * 0.05;
    [low, high] = [low - room, high + room];
    /** @param {number} step */
    this.x = (step) => EDGE.left + ((step - left) / (right - left)) * inner.width;
    /** @param {number} loss */
    const y = (loss) => EDGE.top + ((scale(high) - scale(loss)) / (scale(high) - scale(low))) * inner.height;
    this.span = [left, right];
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.cursor = draw("path", { class: "forgelm-runs-cursor" });
    this.svg.replaceChildren(
      ...(log ? logTicks(low, high) : ticks(low, high, 5)).flatMap((value) => [
        draw("path", { d: `M${EDGE.left} ${y(value).toFixed(1)}H${width - EDGE.right}`, class: "forgelm-runs-grid" }),
        draw("text", { x: EDGE.left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)),
      ]),
      ...ticks(left, right, Math.min(7, width / 90)).map((value) =>
        draw("text", { x: this.x?.(value) ?? 0, y: HEIGHT - 16, "text-anchor": "middle" }, short(value)),
      ),
      draw("text", { x: EDGE.left + inner.width / 2, y: HEIGHT - 2, "text-anchor": "middle" }, "step"),
      ...this.lines.flatMap((line) => this.path(line, this.x ?? Number, y)),
      this.cursor,
    );
  }

  /** @param {Line} line @param {(step: number) => number} x @param {(loss: number) => number} y */
  path({ points, style }, x, y) {
    const places = [];
    for (let i = 0; i < points.length; i += 2) places.push(`${x(points[i]).toFixed(1)} ${y(points[i + 1]).toFixed(1)}`);
    const nodes = [draw("path", { d: `M${places.join("L")}`, class: lineClass(style), "stroke-dasharray": dash(style) })];
    const few = places.length <= 2 ? places : [];
    return nodes.concat(
      few.map((place) => draw("path", { d: `M${place}h0`, class: `${lineClass(style)} forgelm-runs-dot` })),
    );
  }

  /** @param {PointerEvent} event */
  point(event) {
    const box = this.svg.getBoundingClientRect();
    if (!this.x || !this.span || !box.width) return;
    const across = ((event.clientX - box.left) / box.width) * this.width - EDGE.left;
    const [left, right] = this.span;
    const step = left + (across / (this.width - EDGE.left - EDGE.right)) * (right - left);
    if (step < left || step > right) return this.unpoint();
    this.lines.forEach(({ points }, i) => {
      let low = 0;
      let high = points.length / 2 - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (points[2 * middle] < step) low = middle + 1;
        else high = middle;
      }
      const near = low && step - points[2 * low - 2] < points[2 * low] - step ? low - 1 : low;
      if (this.values) this.values[i].textContent = `${short(points[2 * near + 1])} at ${points[2 * near]}`;
    });
    this.place.textContent = `near step ${Math.round(step)}`;
    this.cursor?.setAttribute("d", `M${this.x(step).toFixed(1)} ${EDGE.top}V${HEIGHT - EDGE.bottom}`);
  }

  unpoint() {
    this.place.textContent = "";
    this.cursor?.removeAttribute("d");
    this.lines.forEach(({ points }, i) => {
      if (this.values) this.values[i].textContent = short(points[points.length - 1]);
    });
  }

  close() {
    this.watch.disconnect();
  }
}
