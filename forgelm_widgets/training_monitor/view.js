// The live view of a training run. Plain JavaScript, no imports: it is sent with the widget.

/**
 * @typedef {"loss" | "smooth" | "eval_loss"} Name
 * @typedef {{x: number[], y: number[]}} Curve
 * @typedef {{state: string, headline: string, step: number, max_steps: number, elapsed_s: number,
 *   eta_s: number | null, latest: Record<string, number | null>, odd: string | null}} Status
 * @typedef {{seq: number, status: Status, names: Name[]}} Delta
 * @typedef {{seq: number, status: Status, curves: Record<Name, DataView>}} Snapshot
 * @typedef {{get(key: string): any, send(content: object): void,
 *   on(event: string, call: Function): void, off(event: string, call: Function): void}} Model
 */

const SVG = "http://www.w3.org/2000/svg";
/** @type {{name: Name, title: string}[]} */
const CURVES = [
  { name: "smooth", title: "training loss, smoothed" },
  { name: "loss", title: "each step logged" },
  { name: "eval_loss", title: "evaluation loss" },
];
const SYMBOLS = { starting: "○", running: "●", stopping: "◐", stopped: "■", finished: "✓", failed: "✕" };
const HINT = "Interrupt the kernel (■) to stop: the run saves a checkpoint first";
const MOST_POINTS = 4000;
const ROWS_SHOWN = 200;
const SPOKEN_EVERY_MS = 5000;
const QUIET_AFTER_S = 15;

/** @param {number | null | undefined} value */
const number = (value) =>
  value === null || value === undefined ? "–" : String(Number(value.toPrecision(4)));

/** @param {number} seconds */
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/**
 * @param {string} tag
 * @param {string} name  class, without the prefix
 * @param {string} [text]
 */
function element(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = `forgelm-monitor-${name}`;
  if (text !== undefined) node.textContent = text;
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Keep the first, the last and the extremes of each stretch. @param {Curve} curve @param {number} limit */
function thin(curve, limit) {
  const total = curve.x.length;
  if (total <= limit) return curve;
  const keep = new Set([0, total - 1]);
  const stretches = Math.floor((limit - 2) / 2);
  for (let i = 0; i < stretches; i++) {
    const from = 1 + Math.floor((i * (total - 2)) / stretches);
    const to = 1 + Math.floor(((i + 1) * (total - 2)) / stretches);
    let [low, high] = [from, from];
    for (let j = from; j < to; j++) {
      if (curve.y[j] < curve.y[low]) low = j;
      if (curve.y[j] > curve.y[high]) high = j;
    }
    keep.add(low).add(high);
  }
  const kept = [...keep].sort((a, b) => a - b);
  return { x: kept.map((i) => curve.x[i]), y: kept.map((i) => curve.y[i]) };
}

/** Round values inside a range, about `about` of them. @param {number} low @param {number} high @param {number} about */
function ticks(low, high, about) {
  if (!(high > low)) return [low];
  const power = 10 ** Math.floor(Math.log10((high - low) / about));
  const step = power * ([1, 2, 5, 10].find((f) => f * power >= ((high - low) / about) * 0.999) ?? 10);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) found.push(i * step);
  return found;
}

/** What all views of one run share: the points, put in order by their sequence number. */
class Store {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.seq = -1;
    /** @type {Record<Name, Curve>} */
    this.curves = { loss: { x: [], y: [] }, smooth: { x: [], y: [] }, eval_loss: { x: [], y: [] } };
    /** @type {Status} */
    this.status = model.get("snapshot").status;
    this.heard_ms = performance.now();
    /** @type {{delta: Delta, buffers: DataView[]}[]} */
    this.early = [];
    /** @type {Set<() => void>} */
    this.views = new Set();
    this.adopt();
  }

  adopt() {
    /** @type {Snapshot} */
    const snapshot = this.model.get("snapshot");
    if (snapshot.seq <= this.seq) return;
    this.seq = snapshot.seq;
    for (const { name } of CURVES) {
      this.curves[name] = { x: [], y: [] };
      this.append(name, snapshot.curves[name]);
    }
    this.early = this.early.filter((item) => item.delta.seq > this.seq);
    this.drain();
    if (!this.early.length) this.tell(snapshot.status);
  }

  /** @param {Delta} delta @param {DataView[]} buffers */
  take(delta, buffers) {
    if (delta.seq <= this.seq) return;
    this.early.push({ delta, buffers });
    this.drain();
    if (this.early.length) this.model.send({ kind: "snapshot" });
    if (this.early.length > 1000) this.early.shift();
    this.tell(delta.status);
  }

  drain() {
    while (this.early[0]?.delta.seq === this.seq + 1) {
      const { delta, buffers } = /** @type {{delta: Delta, buffers: DataView[]}} */ (this.early.shift());
      delta.names.forEach((name, i) => this.append(name, buffers[i]));
      this.seq = delta.seq;
    }
  }

  /** @param {Name} name @param {DataView} view  little-endian float32: step, value, step, value … */
  append(name, view) {
    const curve = this.curves[name];
    for (let at = 0; at + 8 <= view.byteLength; at += 8) {
      curve.x.push(view.getFloat32(at, true));
      curve.y.push(view.getFloat32(at + 4, true));
    }
    if (curve.x.length > MOST_POINTS) this.curves[name] = thin(curve, MOST_POINTS / 2);
  }

  /** @param {Status} status */
  tell(status) {
    this.status = status;
    this.heard_ms = performance.now();
    for (const call of this.views) call();
  }
}

class Chart {
  constructor() {
    this.box = element("div", "chart");
    this.svg = /** @type {SVGSVGElement} */ (shape("svg", { role: "img", "data-points": 0 }));
    this.box.append(this.svg);
    /** @type {number | null} */
    this.pointed_x = null;
  }

  /** @param {Record<Name, Curve>} curves */
  draw(curves) {
    const [wide, high] = [Math.max(240, this.box.clientWidth), 240];
    const [left, right, top, bottom] = [52, 20, 12, 36];
    const all = CURVES.map(({ name }) => curves[name]);
    const total = curves.loss.x.length + curves.eval_loss.x.length;
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    this.svg.setAttribute("data-points", String(total));
    if (!total) {
      const words = shape("text", { x: wide / 2, y: high / 2, "text-anchor": "middle" }, "No loss logged yet");
      this.svg.replaceChildren(words);
      return;
    }
    const [x0, x1] = Chart.range(all.map((c) => c.x), 0);
    const [y0, y1] = Chart.range(all.map((c) => c.y), 0.06);
    const across = (/** @type {number} */ x) => left + ((x - x0) / (x1 - x0)) * (wide - left - right);
    const down = (/** @type {number} */ y) => top + ((y1 - y) / (y1 - y0)) * (high - top - bottom);
    const parts = [];
    for (const value of ticks(y0, y1, 5)) {
      parts.push(shape("path", { class: "grid", d: `M${left} ${down(value)}H${wide - right}` }));
      parts.push(shape("text", { x: left - 7, y: down(value) + 4, "text-anchor": "end" }, number(value)));
    }
    for (const value of ticks(x0, x1, Math.max(3, wide / 90)).filter(Number.isInteger)) {
      parts.push(shape("text", { x: across(value), y: high - bottom + 16, "text-anchor": "middle" }, number(value)));
    }
    parts.push(shape("text", { x: (left + wide - right) / 2, y: high - 3, "text-anchor": "middle" }, "step"));
    parts.push(shape("text", { x: 0, y: 0, transform: `translate(11 ${(top + high - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "loss"));
    for (const name of /** @type {Name[]} */ (["loss", "smooth", "eval_loss"])) {
      const line = thin(curves[name], Math.max(200, wide * 2));
      const d = line.x.map((x, i) => `${i ? "L" : "M"}${across(x).toFixed(1)} ${down(line.y[i]).toFixed(1)}`);
      if (d.length) parts.push(shape("path", { class: `line ${name}`, d: d.join("") }));
      if (name === "eval_loss" && line.x.length <= 80 || line.x.length === 1) {
        line.x.forEach((x, i) => parts.push(shape("path", { class: `mark ${name}`, d: `M${across(x)} ${down(line.y[i]) - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5z` })));
      }
    }
    if (this.pointed_x !== null) {
      const share = (this.pointed_x * wide - left) / (wide - left - right);
      this.pointed_step = Chart.nearest(curves.loss.x.length ? curves.loss.x : curves.eval_loss.x, x0 + share * (x1 - x0));
      parts.push(shape("path", { class: "pointer", d: `M${across(this.pointed_step)} ${top}V${high - bottom}` }));
    }
    this.svg.replaceChildren(...parts);
  }

  /** @param {number[][]} lists @param {number} margin */
  static range(lists, margin) {
    let [low, high] = [Infinity, -Infinity];
    for (const list of lists) {
      for (const value of list) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    const pad = low < high ? (high - low) * margin : Math.max(0.5, Math.abs(low) / 100);
    return [low - pad, high + pad];
  }

  /** @param {number[]} sorted @param {number} value */
  static nearest(sorted, value) {
    return sorted.reduce((best, x) => (Math.abs(x - value) < Math.abs(best - value) ? x : best), sorted[0]);
  }
}

/** @param {Store} store @param {HTMLElement} root */
function show(store, root) {
  root.classList.add("forgelm-monitor");
  const headline = element("div", "headline");
  const times = element("div", "times");
  const bar = /** @type {HTMLProgressElement} */ (element("progress", "bar"));
  bar.setAttribute("aria-label", "Training progress");
  const chart = new Chart();
  const legend = element("div", "legend");
  const facts = element("div", "facts");
  const hint = element("div", "hint", HINT);
  const spoken = element("div", "spoken");
  spoken.setAttribute("aria-live", "polite");
  const details = /** @type {HTMLDetailsElement} */ (element("details", "data"));
  const table = element("table", "table");
  details.append(element("summary", "", "Show data"), table);
  const head = element("div", "head");
  head.append(headline, times);
  root.replaceChildren(head, bar, chart.box, legend, facts, hint, details, spoken);

  const values = CURVES.map(({ name, title }) => {
    const item = element("span", "entry");
    const swatch = shape("svg", { class: "swatch", viewBox: "0 0 24 10", "aria-hidden": "true" });
    swatch.append(shape("path", { class: `line ${name}`, d: "M0 5H24" }));
    const value = element("b", "value");
    item.append(swatch, element("span", "", title), value);
    legend.append(item);
    return value;
  });

  function tick() {
    const { state, elapsed_s, eta_s } = store.status;
    const quiet_s = (performance.now() - store.heard_ms) / 1000;
    const live = state === "running" || state === "stopping";
    const words = state === "starting" ? [] : [`${clock(elapsed_s + (live ? quiet_s : 0))} elapsed`];
    if (live && eta_s !== null) words.push(`about ${clock(eta_s - quiet_s)} left`);
    if (live && quiet_s > QUIET_AFTER_S) words.push(`no news for ${clock(quiet_s)}`);
    times.textContent = words.join(" · ");
  }

  let spoken_ms = -Infinity;
  function paint() {
    const { status, curves } = store;
    root.dataset.state = status.state;
    const symbol = element("span", "symbol", SYMBOLS[/** @type {keyof typeof SYMBOLS} */ (status.state)] ?? "");
    symbol.setAttribute("aria-hidden", "true");
    headline.replaceChildren(symbol, status.headline);
    if (status.max_steps > 0) [bar.max, bar.value] = [status.max_steps, status.step];
    else bar.removeAttribute("value");
    hint.hidden = status.state !== "running";
    chart.draw(curves);
    const at = chart.pointed_x === null ? null : chart.pointed_step ?? null;
    CURVES.forEach(({ name }, i) => {
      const { x, y } = curves[name];
      const index = at === null ? y.length - 1 : x.findLastIndex((step) => step <= at);
      values[i].textContent = number(y[index]);
    });
    const { learning_rate, grad_norm, tokens_per_second } = status.latest;
    facts.textContent = [
      at === null ? "" : `at step ${at}`,
      learning_rate == null ? "" : `learning rate ${number(learning_rate)}`,
      grad_norm == null ? "" : `gradient norm ${number(grad_norm)}`,
      tokens_per_second == null ? "" : `${Math.round(tokens_per_second)} tokens/s`,
      status.odd ?? "",
    ].filter(Boolean).join(" · ");
    if (details.open) fill(table, curves);
    const summary = `${status.headline}. Training loss ${number(curves.smooth.y.at(-1))}, evaluation loss ${number(curves.eval_loss.y.at(-1))}.`;
    chart.svg.setAttribute("aria-label", `Loss over steps. ${summary}`);
    if (performance.now() - spoken_ms > SPOKEN_EVERY_MS) {
      spoken_ms = performance.now();
      spoken.textContent = summary;
    }
    tick();
  }

  let frame = 0;
  const repaint = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(paint);
  };
  store.views.add(repaint);
  const resizes = new ResizeObserver(repaint);
  resizes.observe(chart.box);
  const timer = setInterval(tick, 1000);
  details.addEventListener("toggle", repaint);
  chart.box.addEventListener("pointermove", (event) => {
    const { left, width } = chart.box.getBoundingClientRect();
    chart.pointed_x = (event.clientX - left) / width;
    repaint();
  });
  chart.box.addEventListener("pointerleave", () => {
    chart.pointed_x = null;
    repaint();
  });
  // The notebook's own one-key shortcuts must not fire from inside the view.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  paint();
  return () => {
    store.views.delete(repaint);
    resizes.disconnect();
    clearInterval(timer);
    cancelAnimationFrame(frame);
  };
}

/** @param {HTMLElement} table @param {Record<Name, Curve>} curves */
function fill(table, curves) {
  /** @type {Map<number, Partial<Record<Name, number>>>} */
  const rows = new Map();
  for (const { name } of CURVES) {
    curves[name].x.slice(-ROWS_SHOWN).forEach((step, i, steps) => {
      rows.set(step, { ...rows.get(step), [name]: curves[name].y[curves[name].y.length - steps.length + i] });
    });
  }
  const head = document.createElement("tr");
  for (const title of ["step", ...CURVES.map((curve) => curve.title)]) {
    const cell = element("th", "", title);
    cell.setAttribute("scope", "col");
    head.append(cell);
  }
  const body = [...rows].sort(([a], [b]) => b - a).slice(0, ROWS_SHOWN).map(([step, row]) => {
    const line = document.createElement("tr");
    const first = element("th", "", String(step));
    first.setAttribute("scope", "row");
    line.append(first, ...CURVES.map(({ name }) => element("td", "", number(row[name]))));
    return line;
  });
  table.replaceChildren(element("caption", "", `The last ${body.length} steps with a loss, newest first`), head, ...body);
}

export default () => {
  /** @type {Store} */
  let store;
  return {
    /** @param {{model: Model}} context */
    initialize({ model }) {
      store = new Store(model);
      const adopt = () => store.adopt();
      const take = (/** @type {Delta & {kind: string}} */ message, /** @type {DataView[]} */ buffers) => {
        if (message.kind === "delta") store.take(message, buffers);
      };
      model.on("change:snapshot", adopt);
      model.on("msg:custom", take);
      return () => {
        model.off("change:snapshot", adopt);
        model.off("msg:custom", take);
      };
    },
    /** @param {{el: HTMLElement}} context */
    render({ el }) {
      const root = document.createElement("div");
      el.append(root);
      return show(store, root);
    },
  };
};
