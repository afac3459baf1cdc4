// @ts-check

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 2], [1, 5]];
const INTEGERS = [1, 2, 5].flatMap((_, i, all) => Array.from({ length: 9 }, (_, power) => all[i] * 10 ** power)).sort((a, b) => a - b);
const NEAR_PX = 7;
const SMOOTH = "~smooth";

/** One chart: a panel of series over the steps that all charts share. */
class Plot {
  /** @param {Board} board @param {string} title @param {boolean} isMain */
  constructor(board, title, isMain) {
    this.board = board;
    this.title = title;
    this.isMain = isMain;
    this.isLog = false;
    /** @type {Entry[]} */
    this.entries = [];
    this.built = this.unit = "";
    /** @type {any} */
    this.chart = null;
    this.node = make("div", `forgelm-monitor-panel${isMain ? " forgelm-monitor-main" : ""}`);
    const head = make("div", "forgelm-monitor-panelhead");
    this.name = make("span", "forgelm-monitor-title", title);
    this.logBox = make("label", "forgelm-monitor-check");
    const box = make("input");
    box.type = "checkbox";
    box.addEventListener("change", () => {
      this.isLog = box.checked;
      this.update();
    });
    this.logBox.append(box, "log scale");
    this.legend = make("div", "forgelm-monitor-legend");
    head.append(this.name, this.legend, this.logBox);
    this.box = make("div", "forgelm-monitor-chart");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "img");
    this.box.addEventListener("keydown", (event) => board.onKey(event, this));
    this.tip = make("div", "forgelm-monitor-tip");
    this.tip.hidden = true;
    this.box.append(this.tip);
    this.node.append(head, this.box);
    /** @type {HTMLElement[]} */
    this.values = [];
  }

  /** @param {Entry[]} entries */
  show(entries) {
    this.entries = entries;
    const units = new Set(entries.map(({ unit }) => unit));
    this.unit = units.size === 1 ? entries[0].unit : "";
    say(this.name, this.unit ? `${this.title}, ${this.unit}` : this.title);
    this.logBox.hidden = !entries.some((entry) => entry.log);
    this.update();
  }

  /** Draw what the store holds now. */
  update() {
    const wide = Math.floor(this.box.clientWidth);
    if (!wide || !this.entries.length) return;
    const data = this.joined();
    const built = JSON.stringify([this.isLog, this.entries.map((entry) => [entry.name, entry.label, entry.kind])]);
    if (this.built === built) {
      if (this.chart.width !== wide) this.chart.setSize({ width: wide, height: this.height() });
      this.chart.setData(data, true);
    } else {
      this.chart?.destroy();
      this.built = built;
      this.chart = new uPlot(this.options(wide), data, this.box);
      this.writeLegend();
    }
    this.point();
    this.box.dataset.points = String(this.entries.reduce((sum, { name }) => sum + this.board.store.curve(name).x.length, 0));
    this.box.setAttribute("aria-label", this.words());
  }

  words() {
    const [low, high] = (this.board.zoomed ?? this.board.span()).map((step) => count(Math.round(step)));
    const values = this.entries.map(({ name, label }) => {
      const [low, high] = this.board.store.curve(name).range();
      return `${label} ${number(this.board.store.curve(name).at(null))} (between ${number(low)} and ${number(high)})`;
    });
    const gates = this.gates().map(({ text, value }) => `gate ${number(value)}: ${text}`);
    return `${this.title}${this.isLog ? ", log scale," : ""} over steps ${low} to ${high}. Last: ${[...values, ...gates].join(", ")}. Arrow keys move along the steps, plus and minus zoom.`;
  }

  height() {
    return this.isMain ? 260 : 150;
  }

  /** The series over the steps of all of them; a step that one has not is null in it. */
  joined() {
    const curves = this.entries.map(({ name }) => this.board.store.curve(name));
    const steps = new Set();
    for (const curve of curves) for (const step of curve.x) steps.add(step);
    const x = Float64Array.from(steps).sort();
    const columns = curves.map((curve) => {
      let next = 0;
      return Array.from(x, (step) => {
        if (curve.x[next] !== step) return null;
        const value = curve.y[next++];
        return this.isLog && value <= 0 ? null : value;
      });
    });
    return [x, ...columns];
  }

  /** @param {number} index */
  color(index) {
    const { lines } = this.board.palette;
    return lines[this.hue(index) % lines.length];
  }

  /** A smoothed series has the colour of the raw one. @param {number} index */
  hue(index) {
    const roots = [...new Set(this.entries.map(({ name }) => name.replace(SMOOTH, "")))];
    return roots.indexOf(this.entries[index].name.replace(SMOOTH, ""));
  }

  /** @param {number} index */
  isRaw(index) {
    return this.entries.some(({ name }) => name === this.entries[index].name + SMOOTH);
  }

  /** @param {number} index */
  look(index) {
    const isPoints = this.entries[index].kind === "points";
    return {
      width: this.isRaw(index) ? 1 : 2,
      alpha: this.isRaw(index) ? 0.65 : 1,
      dash: this.isRaw(index) ? [] : DASHES[this.hue(index) % DASHES.length],
      isPoints,
    };
  }

  /** @param {number} width */
  options(width) {
    const { palette } = this.board;
    const stroke = () => palette.quiet;
    const grid = { stroke: () => palette.line, width: 1 };
    const axis = { stroke, grid, ticks: { ...grid, size: 4 }, font: palette.font, gap: 3 };
    const labels = (/** @type {any} */ _, /** @type {(number | null)[]} */ splits) =>
      splits.map((value) => (value === null ? "" : number(value)));
    return {
      width,
      height: this.height(),
      padding: [10, 10, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => this.board.range() },
        y: { distr: this.isLog ? 3 : 1, range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => this.heights(low, high) },
      },
      axes: [
        { ...axis, size: 24, space: 60, incrs: INTEGERS, values: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(shortStep) },
        { ...axis, size: 58, space: this.isMain ? 34 : 28, values: labels },
      ],
      series: [{}, ...this.entries.map((_, index) => this.seriesOf(index))],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: 5 },
        hover: { skip: [null, undefined] },
        points: { size: 7 },
        bind: { dblclick: () => () => this.board.zoom(null) },
      },
      hooks: {
        drawClear: [(/** @type {any} */ chart) => drawResumes(chart, this.board.store.marks, palette)],
        draw: [(/** @type {any} */ chart) => this.drawOver(chart)],
        setCursor: [(/** @type {any} */ chart) => this.board.point(chart.cursor.left < 0 ? null : chart.posToVal(chart.cursor.left, "x"), this)],
        setSelect: [(/** @type {any} */ chart) => this.select(chart)],
      },
    };
  }

  /** @param {number} index */
  seriesOf(index) {
    const look = this.look(index);
    const stroke = () => this.color(index);
    const isSparse = (/** @type {any} */ chart) => {
      const { x } = this.board.store.curve(this.entries[index].name);
      return x.length === 1 || (look.isPoints && x.length < chart.width / 9);
    };
    return {
      label: this.entries[index].label,
      stroke,
      width: look.width,
      dash: look.dash,
      alpha: look.alpha,
      spanGaps: true,
      points: { show: isSparse, size: 6, width: 1, fill: stroke, stroke },
    };
  }

  /** The span of the y axis: the values with a little room, and a gate that is not far from them. @param {number | null} low @param {number | null} high @returns {[number, number]} */
  heights(low, high) {
    if (low === null || high === null) return this.isLog ? [0.1, 1] : [0, 1];
    const span = high - low;
    for (const { value } of this.drawnGates()) {
      if (value < low && (low - value <= span || !span)) low = value;
      if (value > high && (value - high <= span || !span)) high = value;
    }
    if (this.isLog) return [low / 1.15, high * 1.15];
    const room = high > low ? (high - low) * 0.07 : Math.max(Math.abs(low) * 0.05, 1e-9);
    return [low - room, high + room];
  }

  gates() {
    return this.board.store.gates.filter(({ series }) => this.entries.some(({ name }) => name === series));
  }

  drawnGates() {
    return this.gates().filter(({ value }) => !this.isLog || value > 0);
  }

  /** @param {any} chart */
  drawOver(chart) {
    drawGates(chart, this.drawnGates(), this.board.palette);
    if (this.isMain) drawMarks(chart, this.board.marks(), this.board.palette);
  }

  /** Zoom to what was dragged over. @param {any} chart */
  select(chart) {
    const { left, width } = chart.select;
    if (width < 5) return;
    const span = [chart.posToVal(left, "x"), chart.posToVal(left + width, "x")];
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.board.zoom(span);
  }

  /** Put the cursor where the board has it, and the values there into the legend. */
  point() {
    const { step } = this.board;
    if (!this.chart) return;
    const left = step === null ? -10 : this.chart.valToPos(step, "x");
    if (Math.abs(this.chart.cursor.left - left) > 0.5) this.chart.setCursor({ left, top: step === null ? -10 : 10 }, false);
    this.entries.forEach(({ name }, index) => say(this.values[index], number(this.board.store.curve(name).at(step))));
    if (this.isMain) this.showTip(left);
  }

  /** @param {number} left */
  showTip(left) {
    const near = this.board.step === null ? [] : this.board.marks().filter(({ step }) => Math.abs(this.chart.valToPos(step, "x") - left) < NEAR_PX);
    this.tip.hidden = !near.length;
    if (!near.length) return;
    const words = near.slice(0, 4).map(({ step, kind, text }) => `${signOf(kind)} step ${count(step)}: ${text}`);
    say(this.tip, words.join("\n") + (near.length > 4 ? `\nand ${near.length - 4} more` : ""));
    const isRight = left > this.chart.over.clientWidth / 2;
    this.tip.style.left = isRight ? "" : `${left + 70}px`;
    this.tip.style.right = isRight ? `${this.chart.over.clientWidth - left + 22}px` : "";
  }

  writeLegend() {
    this.values = [];
    this.legend.replaceChildren(
      ...this.entries.map(({ label, unit }, index) => {
        const item = make("span", "forgelm-monitor-entry");
        const value = make("b", "forgelm-monitor-value");
        this.values.push(value);
        const words = [label.toLowerCase() === this.title.toLowerCase() ? "" : label, this.unit ? "" : unit].filter(Boolean).join(", ");
        item.append(this.swatch(index), make("span", "", words), value);
        return item;
      }),
      ...(this.isMain ? [this.board.signs] : []),
    );
  }

  /** @param {number} index */
  swatch(index) {
    const look = this.look(index);
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    const line = document.createElementNS(space, "path");
    for (const [key, value] of Object.entries({ width: "26", height: "10", viewBox: "0 0 26 10", "aria-hidden": "true" })) picture.setAttribute(key, value);
    line.setAttribute("d", "M0 5H26");
    line.setAttribute("stroke-width", String(look.width));
    line.setAttribute("stroke-dasharray", look.dash.join(" "));
    line.setAttribute("opacity", String(look.alpha));
    line.style.stroke = `var(--fl-line-${this.hue(index) % Palette.LINES})`;
    picture.append(line);
    if (look.isPoints) {
      const dot = document.createElementNS(space, "circle");
      for (const [key, value] of Object.entries({ cx: "13", cy: "5", r: "3.2" })) dot.setAttribute(key, value);
      dot.style.fill = line.style.stroke;
      picture.append(dot);
    }
    return picture;
  }

  close() {
    this.chart?.destroy();
    this.node.remove();
  }
}
