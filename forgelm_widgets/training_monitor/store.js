// @ts-check

/**
 * @typedef {{v: number, run: string, run_dir: string | null, model: string, trainer_type: string,
 *   state: string, words: string, message: string | null, step: number, max_steps: number,
 *   epoch: number | null, eta_s: number | null, elapsed_s: number, steps_per_s: number | null,
 *   latest: Record<string, number | null>, checkpoint: string | null, final_model: string | null,
 *   success: boolean | null, live: boolean, can: {stop: boolean, keep_best: boolean, resume: boolean},
 *   command: string, stop: null | {phase: string, keep_best: boolean, checkpoint: string | null},
 *   alerts: {kind: string, level: string, text: string, step: number | null}[], log?: string[]}} Status
 * @typedef {{name: string, label: string, unit: string, panel: string, kind: string, log: boolean}} Entry
 * @typedef {{step: number, kind: string, text: string}} Mark
 * @typedef {{series: string, value: number, text: string, passes_below: boolean}} Gate
 * @typedef {{run: string, seq: number, series: {name: string, n: number}[]}} Snapshot
 * @typedef {{run: string, seq: number, names: string[], n: number}} Delta
 */

const MOST_POINTS = 8000;
const MOST_PATIENCE_MS = 60_000;

/** The points of one series, in the order of their steps. */
class Curve {
  constructor() {
    /** @type {number[]} */
    this.x = [];
    /** @type {number[]} */
    this.y = [];
  }

  /** A step that does not follow the last one cuts the curve back: the run began again before it. @param {number} step @param {number} value */
  add(step, value) {
    if (!Number.isFinite(value)) return;
    while (this.x.length && this.x[this.x.length - 1] >= step) {
      this.x.pop();
      this.y.pop();
    }
    this.x.push(step);
    this.y.push(value);
    if (this.x.length > MOST_POINTS) this.thin(MOST_POINTS / 2);
  }

  /** Keep the first, the last and the extremes of each stretch. @param {number} limit */
  thin(limit) {
    const { x, y } = this;
    const total = x.length;
    const keep = new Set([0, total - 1]);
    const stretches = Math.floor((limit - 2) / 2);
    for (let i = 0; i < stretches; i++) {
      const from = 1 + Math.floor((i * (total - 2)) / stretches);
      const to = 1 + Math.floor(((i + 1) * (total - 2)) / stretches);
      let [low, high] = [from, from];
      for (let j = from; j < to; j++) {
        if (y[j] < y[low]) low = j;
        if (y[j] > y[high]) high = j;
      }
      keep.add(low).add(high);
    }
    const kept = [...keep].sort((a, b) => a - b);
    this.x = kept.map((i) => x[i]);
    this.y = kept.map((i) => y[i]);
  }

  /** The lowest and the highest value. */
  range() {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.y) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  /** The last value at or before a step; the last of all without one. @param {number | null} step */
  at(step) {
    if (step === null) return this.y[this.y.length - 1];
    let [low, high] = [0, this.x.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[middle] <= step) low = middle + 1;
      else high = middle;
    }
    return this.y[low - 1];
  }
}

/** What all views of one monitor share: the points, put in order by their sequence number. */
class Store {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.kernel = new Kernel(model);
    /** @type {string | null} */
    this.run = null;
    this.seq = -1;
    /** @type {{run: string, seq: number} | null}  the first message that could not be taken */
    this.missed = null;
    this.isAsking = false;
    this.patience_ms = 1500;
    this.timer = 0;
    /** @type {Map<string, Curve>} */
    this.curves = new Map();
    this.heard_ms = performance.now();
    this.fault = "";
    /** @type {Set<(hasNewPoints: boolean) => void>} */
    this.views = new Set();
    this.kernel.onFault = (words) => {
      this.fault = words;
      this.tell(false);
    };
    const adopt = () => this.adopt();
    const tell = () => {
      this.heard_ms = performance.now();
      this.tell(false);
    };
    const tellAll = () => this.tell(true);
    /** @type {[string, Function][]} */
    this.ears = [
      ["change:snapshot", adopt],
      ["change:data", adopt],
      ["change:status", tell],
      ["change:catalogue", tellAll],
      ["change:marks", tellAll],
      ["change:gates", tellAll],
      ["msg:custom", (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
        if (message?.kind === "delta") this.take(message, buffers?.[0]);
      }],
    ];
    for (const [event, call] of this.ears) model.on(event, call);
    this.adopt();
    // A page that was loaded anew has missed what came after the last snapshot.
    if (this.status.live && this.run !== null) this.ask();
  }

  /** @returns {Status} */
  get status() {
    return this.model.get("status") ?? {};
  }

  /** @returns {Entry[]} */
  get catalogue() {
    return this.model.get("catalogue") ?? [];
  }

  /** @returns {Mark[]} */
  get marks() {
    return this.model.get("marks") ?? [];
  }

  /** @returns {Gate[]} */
  get gates() {
    return this.model.get("gates") ?? [];
  }

  /** Put the snapshot in the place of all points, unless it is older than they are. */
  adopt() {
    /** @type {Snapshot | undefined} */
    const head = this.model.get("snapshot");
    /** @type {DataView | undefined} */
    const data = this.model.get("data");
    if (!head?.series || (head.run === this.run && head.seq <= this.seq)) return;
    const total = head.series.reduce((sum, series) => sum + series.n, 0);
    if ((data?.byteLength ?? 0) !== 8 * total) return;
    this.run = head.run;
    this.seq = head.seq;
    this.curves = new Map();
    let at = 0;
    for (const { name, n } of head.series) {
      const curve = new Curve();
      for (let i = 0; i < n && data; i++, at += 8) curve.add(data.getFloat32(at, true), data.getFloat32(at + 4, true));
      this.curves.set(name, curve);
    }
    if (this.missed && this.missed.run === this.run && this.missed.seq <= this.seq) this.missed = null;
    this.tell(true);
  }

  /** @param {Delta} delta @param {DataView | undefined} rows  little-endian float32: the step, then a value a series */
  take(delta, rows) {
    if (delta.run === this.run && delta.seq <= this.seq) return;
    if (this.missed || delta.run !== this.run || delta.seq !== this.seq + 1) {
      this.missed = { run: delta.run, seq: delta.seq };
      this.ask();
      return;
    }
    this.seq = delta.seq;
    const width = 4 * (1 + delta.names.length);
    const curves = delta.names.map((name) => this.curve(name));
    for (let at = 0; rows && at + width <= rows.byteLength; at += width) {
      const step = rows.getFloat32(at, true);
      for (let i = 0; i < curves.length; i++) curves[i].add(step, rows.getFloat32(at + 4 + 4 * i, true));
    }
    this.heard_ms = performance.now();
    this.tell(true);
  }

  /** @param {string} name */
  curve(name) {
    let curve = this.curves.get(name);
    if (!curve) this.curves.set(name, (curve = new Curve()));
    return curve;
  }

  /** Ask for a snapshot, and again after a while as long as something is missing. */
  async ask() {
    if (this.isAsking) return;
    this.isAsking = true;
    await this.kernel.call("snapshot");
    this.timer = setTimeout(() => {
      this.isAsking = false;
      if (this.missed) this.ask();
      else this.patience_ms = 1500;
    }, this.patience_ms);
    this.patience_ms = Math.min(MOST_PATIENCE_MS, 2 * this.patience_ms);
  }

  /** @param {boolean} hasNewPoints */
  tell(hasNewPoints) {
    for (const call of this.views) call(hasNewPoints);
  }

  close() {
    clearTimeout(this.timer);
    this.kernel.close();
    for (const [event, call] of this.ears) this.model.off(event, call);
  }
}
