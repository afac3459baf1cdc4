// @ts-check

/**
 * @typedef {{runs: [string, string][], differences: [string, string[]][], left_out: number,
 *   scores: Panel[], note: string, reading: boolean,
 *   picked: {id: string, facts: [string, string][], gates: [string, string, string][]} | null,
 *   curves: {titles: [string, string][], series: [string, string, number][], points: DataView}}} Detail
 */

/** One view of the comparison: all runs, the one that was picked, and those that were ticked. */
class View {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.waiting = 0;
    this.log = false;
    /** @type {Map<string, Chart>} */
    this.charts = new Map();
    this.kernel = new Kernel(model);
    this.kernel.onFault = (words) => this.say(words);
    this.table = new RunTable({
      choose: (ids) => this.choose(ids),
      select: (id) => this.call("select", { run: id }),
    });
    this.node = make("div", "forgelm-widget forgelm-runs");
    this.told = make("div", "forgelm-runs-bad");
    this.told.setAttribute("role", "alert");
    this.count = make("span", "forgelm-runs-count");
    this.count.setAttribute("role", "status");
    this.picked = make("section", "forgelm-runs-part");
    this.compared = make("section", "forgelm-runs-part");
    this.pictures = make("div", "forgelm-runs-charts");
    this.rest = make("div");
    this.node.append(this.tools(), this.told, this.table.node, this.picked, this.compared);
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Comparison of runs");
    keepKeys(this.node);
    el.append(this.node);
    this.onTable = this.onTable.bind(this);
    this.onDetail = this.onDetail.bind(this);
    model.on("change:table", this.onTable);
    model.on("change:detail", this.onDetail);
    this.onTable();
    this.onDetail();
  }

  tools() {
    const bar = make("div", "forgelm-runs-tools");
    const filter = make("input", "forgelm-input");
    filter.type = "search";
    filter.placeholder = "Filter runs";
    filter.setAttribute("aria-label", "Filter runs by any word in the table");
    filter.addEventListener("input", () => {
      this.table.query = filter.value;
      this.table.arrange();
      this.counted();
    });
    bar.append(this.count, filter, button("forgelm-button", "Read again", () => this.call("refresh", {})));
    return bar;
  }

  /** @param {string[]} ids */
  choose(ids) {
    this.table.show(ids, this.table.picked);
    this.call("choose", { runs: ids });
  }

  /** @param {string} name @param {object} args */
  async call(name, args) {
    this.waiting += 1;
    const answer = await this.kernel.call(name, args);
    this.waiting -= 1;
    this.say(answer.ok ? "" : (answer.error ?? ""));
    this.ticked();
  }

  /** @param {string} words */
  say(words) {
    this.told.textContent = words;
    this.told.hidden = !words;
  }

  counted() {
    const { rows, as_of } = this.table.table;
    const found = this.table.count ?? rows.length;
    const of = found < rows.length ? `${found} of ` : "";
    const words = rows.length ? `${of}${plural(rows.length, "run")}, as of ${as_of}` : "There are no runs here";
    if (this.count.textContent !== words) this.count.textContent = words;
  }

  onTable() {
    this.table.update(this.model.get("table"));
    this.counted();
  }

  /** Show as ticked what the kernel compares, once it has heard of every tick. */
  ticked() {
    /** @type {Detail} */
    const { runs, picked } = this.model.get("detail");
    if (!this.waiting) this.table.show(runs.map(([id]) => id), picked?.id ?? null);
  }

  onDetail() {
    /** @type {Detail} */
    const detail = this.model.get("detail");
    this.ticked();
    this.showPicked(detail.picked);
    /** @type {Chosen} */
    const chosen = new Map(detail.runs.map(([id, name], style) => [id, { name, style }]));
    this.compared.hidden = !chosen.size;
    const title = `${plural(chosen.size, "run")} compared`;
    this.rest.replaceChildren();
    const { differences, left_out, scores } = detail;
    if (differences.length) {
      this.rest.append(make("h4", "forgelm-runs-heading", "Settings that differ"), differenceTable(differences, left_out, chosen));
    }
    if (scores.length) {
      const panels = make("div", "forgelm-runs-scores");
      panels.append(...scores.map((panel) => scorePanel(panel, chosen)));
      const words = " with 95 % intervals: where they overlap much, chance may be all there is";
      const heading = make("h4", "forgelm-runs-heading", "Scores");
      heading.append(make("span", "forgelm-runs-quiet", words));
      this.rest.append(heading, panels);
    }
    const held = this.logBox && hasFocus(this.logBox);
    this.compared.replaceChildren(this.compareHeading(title, detail), this.pictures, this.rest);
    if (held) this.logBox?.focus();
    this.draw(detail, chosen);
  }

  /** @param {string} title @param {Detail} detail */
  compareHeading(title, detail) {
    const bar = make("div", "forgelm-runs-tools");
    const label = make("label", "forgelm-runs-check");
    this.logBox = make("input");
    this.logBox.type = "checkbox";
    this.logBox.checked = this.log;
    this.logBox.addEventListener("change", () => {
      this.log = this.logBox?.checked ?? false;
      this.onDetail();
    });
    label.append(this.logBox, "Log scale");
    bar.append(make("h3", "forgelm-runs-heading", title), label);
    if (detail.note) bar.append(make("span", "forgelm-runs-attention", `! ${detail.note}`));
    if (detail.reading) bar.append(make("span", "forgelm-runs-quiet", "Reading the curves …"));
    else if (!detail.curves.series.length) bar.append(make("span", "forgelm-runs-quiet", "No loss was logged."));
    return bar;
  }

  /** @param {Detail} detail @param {Chosen} chosen */
  draw({ curves }, chosen) {
    /** @type {Map<string, Line[]>} */
    const lines = new Map(curves.titles.map(([panel]) => [panel, []]));
    let at = 0;
    for (const [panel, id, count] of curves.series) {
      const points = Float32Array.from({ length: 2 * count }, (_, i) => curves.points.getFloat32(at + 4 * i, true));
      at += 8 * count;
      const run = chosen.get(id);
      if (run) lines.get(panel)?.push({ ...run, points });
    }
    for (const [panel, title] of curves.titles) {
      let chart = this.charts.get(panel);
      if (!chart) {
        chart = new Chart(title);
        this.charts.set(panel, chart);
        this.pictures.append(chart.node);
      }
      chart.update(lines.get(panel) ?? [], this.log);
    }
  }

  /** @param {Detail["picked"]} picked */
  showPicked(picked) {
    this.picked.hidden = !picked;
    this.picked.replaceChildren();
    if (!picked) return;
    const facts = make("dl", "forgelm-runs-facts");
    for (const [name, value] of picked.facts) facts.append(make("dt", "", name), make("dd", "", value));
    const heading = make("h3", "forgelm-runs-heading", "Picked");
    heading.append(withCode(make("span", "forgelm-runs-quiet"), " · `.selected` is its folder"));
    this.picked.append(heading, facts);
    if (!picked.gates.length) return;
    const table = make("table", "forgelm-table forgelm-runs-table");
    table.append(headRow(["Gate", "Verdict", "Why"]), ...picked.gates.map((gate) => bodyRow(gate)));
    const frame = scrolling("Gates of the picked run");
    frame.append(table);
    this.picked.append(frame);
  }

  close() {
    this.kernel.close();
    for (const chart of this.charts.values()) chart.close();
    this.model.off("change:table", this.onTable);
    this.model.off("change:detail", this.onDetail);
    this.node.remove();
  }
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
