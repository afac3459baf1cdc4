// @ts-check

/** @type {[string, string][]} panels in the order they stand in */
const PANELS = [
  ["loss", "Loss"],
  ["learning_rate", "Learning rate"],
  ["grad_norm", "Gradient norm"],
  ["tokens_per_second", "Throughput"],
  ["reward", "Reward"],
  ["accuracy", "Accuracy"],
  ["memory", "Memory"],
];

const MOST_OTHERS = 3;

/** What a series of no panel shares a chart with. @param {string} name */
const family = (name) => name.replace(SMOOTH, "").replace(/^eval_/, "");

/** The charts, with one span of steps, one cursor and one choice of metrics for all. */
class Board {
  /** @param {Store} store @param {HTMLElement} root @param {HTMLElement} aside  stands beside the tools */
  constructor(store, root, aside) {
    this.store = store;
    /** @type {Map<string, Plot>} */
    this.plots = new Map();
    /** @type {[number, number] | null} */
    this.zoomed = null;
    /** @type {number | null}  the step pointed at */
    this.step = null;
    /** @type {Set<string>} */
    this.unwanted = new Set();
    /** @type {Set<string>}  all series ever seen */
    this.seen = new Set();
    this.node = make("div", "forgelm-monitor-board");
    this.signs = make("span", "forgelm-monitor-signs");
    this.signs.setAttribute("aria-hidden", "true");
    this.tools = make("div", "forgelm-monitor-tools");
    this.readout = make("span", "forgelm-monitor-readout");
    this.back = button("forgelm-button", "Reset zoom", () => this.zoom(null));
    this.back.hidden = true;
    this.picker = new Picker((name, isWanted) => {
      if (isWanted) this.unwanted.delete(name);
      else this.unwanted.add(name);
      this.update();
    });
    this.tools.append(this.readout, this.back, this.picker.node);
    this.grid = make("div", "forgelm-monitor-grid");
    this.waiting = make("div", "forgelm-monitor-waiting");
    const bar = make("div", "forgelm-monitor-toolbar");
    bar.append(aside, this.tools);
    this.node.append(bar, this.waiting, this.grid);
    this.palette = new Palette(root, () => this.repaint());
    this.resizes = new ResizeObserver(() => this.onResize());
    this.wide = 0;
    this.frame = 0;
    this.resizes.observe(this.grid);
  }

  onResize() {
    if (this.grid.clientWidth === this.wide) return;
    this.wide = this.grid.clientWidth;
    this.repaint();
  }

  repaint() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.update());
  }

  /** Every series that has a point, in the order of the catalogue, the smoothed one after the raw. */
  entries() {
    const { catalogue, curves } = this.store;
    const known = new Set(catalogue.map(({ name }) => name));
    return catalogue
      .flatMap((entry) => {
        const name = entry.name + SMOOTH;
        return known.has(name) ? [entry] : [entry, { ...entry, name, label: `${entry.label}, smoothed` }];
      })
      .filter(({ name }) => curves.get(name)?.x.length);
  }

  /** Of the series that have no panel of their own, only the first few are drawn unasked. @param {Entry[]} entries */
  greet(entries) {
    const others = entries.filter(({ panel }) => !PANELS.some(([key]) => key === panel));
    const families = [...new Set(others.map(({ name }) => family(name)))];
    for (const { name } of others) {
      if (!this.seen.has(name) && families.indexOf(family(name)) >= MOST_OTHERS) this.unwanted.add(name);
      this.seen.add(name);
    }
  }

  /** Draw everything anew. */
  update() {
    this.palette.read();
    const all = this.entries();
    this.greet(all);
    this.picker.show(all, this.unwanted);
    const wanted = all.filter(({ name }) => !this.unwanted.has(name));
    /** @type {Map<string, {title: string, entries: Entry[]}>} */
    const groups = new Map();
    const named = new Map(PANELS);
    for (const entry of wanted) {
      const title = named.get(entry.panel) ?? entry.label;
      const key = named.has(entry.panel) ? entry.panel : `other:${family(entry.name)}`;
      const group = groups.get(key) ?? { title, entries: [] };
      groups.set(key, { ...group, entries: [...group.entries, entry] });
    }
    for (const [key, plot] of this.plots) {
      if (groups.has(key)) continue;
      plot.close();
      this.plots.delete(key);
    }
    this.showSigns();
    const order = [...PANELS.map(([key]) => key), ...groups.keys()].filter((key, i, keys) => groups.has(key) && keys.indexOf(key) === i);
    order.forEach((key, place) => this.place(key, place, groups));
    this.showWaiting(all.length > 0);
    this.readOut();
  }

  /** @param {string} key @param {number} place @param {Map<string, {title: string, entries: Entry[]}>} groups */
  place(key, place, groups) {
    const group = groups.get(key);
    if (!group) return;
    let plot = this.plots.get(key);
    if (!plot) this.plots.set(key, (plot = new Plot(this, group.title, key === "loss")));
    if (this.grid.children[place] !== plot.node) this.grid.insertBefore(plot.node, this.grid.children[place] ?? null);
    plot.show(group.entries);
  }

  /** @param {boolean} hasPoints */
  showWaiting(hasPoints) {
    this.waiting.hidden = hasPoints && this.plots.size > 0;
    this.tools.hidden = !hasPoints;
    const { live } = this.store.status;
    say(this.waiting, hasPoints ? "No metric is picked." : live ? "The curves come with the first step that is logged." : "Nothing was logged.");
  }

  marks() {
    return [...this.store.marks].sort((a, b) => a.step - b.step);
  }

  showSigns() {
    const kinds = new Set(this.store.marks.map(({ kind }) => kind));
    say(this.signs, [...kinds].map((kind) => `${signOf(kind)} ${kind}`).join("  "));
  }

  /** The first and the last step of all series. @returns {[number, number]} */
  span() {
    let [low, high] = [Infinity, -Infinity];
    for (const { x } of this.store.curves.values()) {
      if (!x.length) continue;
      low = Math.min(low, x[0]);
      high = Math.max(high, x[x.length - 1]);
    }
    return low <= high ? [low, high] : [0, 1];
  }

  /** The steps to show. @returns {[number, number]} */
  range() {
    if (this.zoomed) return this.zoomed;
    const [low, high] = this.span();
    const room = high > low ? (high - low) * 0.01 : 0.5;
    return [low - room, high + room];
  }

  /** Show these steps in all charts, or all of them. @param {number[] | null} span */
  zoom(span) {
    const [low, high] = this.span();
    this.zoomed = null;
    if (span) {
      const [from, to] = [Math.max(low, span[0]), Math.min(high, span[1])];
      if (to - from > 0 && (from > low || to < high)) this.zoomed = to - from < 2 ? [from - 1, to + 1] : [from, to];
    }
    keepFocus(this.node, () => (this.back.hidden = !this.zoomed));
    this.update();
  }

  /** @param {number | null} value @param {Plot} source */
  point(value, source) {
    const steps = source.chart.data[0];
    const step = value === null || !steps.length ? null : nearest(steps, value);
    if (step === this.step) return;
    this.step = step;
    for (const plot of this.plots.values()) plot.point();
    this.readOut();
  }

  readOut() {
    say(this.readout, this.step === null ? "" : `At step ${count(this.step)}`);
  }

  /** @param {KeyboardEvent} event @param {Plot} plot */
  onKey(event, plot) {
    if (event.ctrlKey || event.metaKey || event.altKey || !plot.chart) return;
    const steps = plot.chart.data[0];
    const [low, high] = this.zoomed ?? this.span();
    const here = this.step === null ? steps.length - 1 : steps.indexOf(nearest(steps, this.step));
    const jump = event.shiftKey ? 10 : 1;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => this.point(steps[Math.max(0, here - (this.step === null ? 0 : jump))], plot),
      ArrowRight: () => this.point(steps[Math.min(steps.length - 1, here + jump)], plot),
      Home: () => this.point(steps[0], plot),
      End: () => this.point(steps[steps.length - 1], plot),
      Escape: () => (this.step === null ? this.zoom(null) : this.point(null, plot)),
      "+": () => this.zoomBy(0.5, low, high),
      "-": () => this.zoomBy(2, low, high),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    this.onMove?.(plot);
  }

  /** @type {((plot: Plot) => void) | undefined}  told when a key moved the cursor */
  onMove;

  /** @param {number} factor @param {number} low @param {number} high */
  zoomBy(factor, low, high) {
    const [first, last] = this.span();
    const width = (high - low) * factor;
    const middle = this.step ?? (low + high) / 2;
    const from = Math.max(first, Math.min(middle - width / 2, last - width));
    this.zoom([from, from + width]);
  }

  /** The values at the cursor in words. @param {Plot} plot */
  words(plot) {
    if (this.step === null) return "";
    const values = plot.entries.map(({ name, label }) => `${label} ${number(this.store.curve(name).at(this.step))}`);
    const marks = this.marks().filter(({ step }) => step === this.step).map(({ text }) => text);
    return [`Step ${count(this.step)}`, ...values, ...marks].join(", ");
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.resizes.disconnect();
    for (const plot of this.plots.values()) plot.close();
  }
}

/** @param {ArrayLike<number>} sorted @param {number} value */
function nearest(sorted, value) {
  let [low, high] = [0, sorted.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle;
    else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? sorted[low] : sorted[high];
}

/** A button that opens a list of the series to tick. */
class Picker {
  /** @param {(name: string, isWanted: boolean) => void} onPick */
  constructor(onPick) {
    this.onPick = onPick;
    this.shown = "";
    this.node = make("div", "forgelm-monitor-picker");
    this.list = make("div", "forgelm-monitor-popover");
    this.list.id = freshId("metrics");
    this.list.setAttribute("role", "group");
    this.list.setAttribute("aria-label", "Metrics to show");
    this.open = button("forgelm-button", "Metrics", () => this.toggle(this.list.hidden));
    this.open.setAttribute("aria-controls", this.list.id);
    this.node.append(this.open, this.list);
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.list.hidden) return;
      this.toggle(false);
      this.open.focus();
    });
    this.node.addEventListener("focusout", (event) => {
      const next = /** @type {Node | null} */ (event.relatedTarget);
      if (next && !this.node.contains(next)) this.toggle(false);
    });
    this.toggle(false);
  }

  /** @param {boolean} isOpen */
  toggle(isOpen) {
    this.list.hidden = !isOpen;
    this.open.setAttribute("aria-expanded", String(isOpen));
  }

  /** @param {Entry[]} entries @param {Set<string>} unwanted */
  show(entries, unwanted) {
    const picked = entries.filter(({ name }) => !unwanted.has(name)).length;
    say(this.open, picked === entries.length ? "Metrics" : `Metrics: ${picked} of ${entries.length}`);
    const shown = JSON.stringify(entries.map(({ name, label }) => [name, label]));
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(
      ...entries.map(({ name, label }) => {
        const item = make("label", "forgelm-monitor-check");
        const box = make("input");
        box.type = "checkbox";
        box.checked = !unwanted.has(name);
        box.addEventListener("change", () => this.onPick(name, box.checked));
        item.append(box, label);
        return item;
      }),
    );
  }
}
