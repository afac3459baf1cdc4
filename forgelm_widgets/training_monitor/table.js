// @ts-check

const PAGE = 100;

/** The record as a table: what the view holds at once, then page by page what the kernel has. */
class DataTable {
  /** @param {Store} store @param {() => Entry[]} entries */
  constructor(store, entries) {
    this.store = store;
    this.entries = entries;
    this.first = 0;
    this.total = 0;
    this.asks = 0;
    this.node = make("details", "forgelm-monitor-data");
    this.told = make("span", "forgelm-monitor-quiet");
    this.told.setAttribute("role", "status");
    this.newer = button("forgelm-button", "Newer", () => this.go(this.first - PAGE));
    this.older = button("forgelm-button", "Older", () => this.go(this.first + PAGE));
    const fresh = button("forgelm-button", "Newest", () => this.go(0));
    const bar = make("div", "forgelm-monitor-tools");
    bar.append(fresh, this.newer, this.older, this.told);
    this.table = make("table", "forgelm-table forgelm-monitor-table");
    this.frame = make("div", "forgelm-monitor-frame");
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "region");
    this.frame.setAttribute("aria-label", "Data of the run");
    this.frame.append(this.table);
    this.node.append(make("summary", "", "Show data"), bar, this.frame);
    this.node.addEventListener("toggle", () => {
      if (!this.node.open) return;
      this.showDrawn();
      this.go(0);
    });
  }

  /** @param {number} first */
  async go(first) {
    const wanted = Math.max(0, first);
    const ask = ++this.asks;
    const answer = await this.store.kernel.call("rows", { first: wanted, count: PAGE });
    if (ask !== this.asks) return;
    if (!answer.ok) {
      say(this.told, `Only the points drawn: ${answer.error}`);
      return;
    }
    const { columns, rows, total } = answer.value;
    this.first = wanted;
    this.total = total;
    this.fill(columns, rows);
    say(this.told, rows.length ? `Events ${count(wanted + 1)}–${count(wanted + rows.length)} of ${count(total)}, newest first` : "No event yet");
    switchOff(this.newer, wanted === 0);
    switchOff(this.older, wanted + rows.length >= total);
  }

  /** The newest points that the view holds: they are here even while the kernel is busy. */
  showDrawn() {
    const entries = this.entries();
    /** @type {Set<number>} */
    const steps = new Set();
    for (const { name } of entries) for (const step of this.store.curve(name).x.slice(-PAGE)) steps.add(step);
    const newest = [...steps].sort((a, b) => b - a).slice(0, PAGE);
    const rows = newest.map((step) => [step, ...entries.map(({ name }) => {
      const { x, y } = this.store.curve(name);
      const place = x.lastIndexOf(step);
      return place < 0 ? null : y[place];
    })]);
    this.fill(["step", ...entries.map(({ label }) => label)], rows);
    say(this.told, "The newest points drawn");
  }

  /** @param {string[]} columns @param {(number | string | null)[][]} rows */
  fill(columns, rows) {
    const head = make("tr");
    for (const name of columns) {
      const cell = make("th", "", String(name));
      cell.scope = "col";
      head.append(cell);
    }
    const top = make("thead");
    top.append(head);
    const body = make("tbody");
    for (const row of rows) {
      const line = make("tr");
      row.forEach((value, i) => {
        const text = typeof value === "number" ? (Number.isInteger(value) ? count(value) : number(value)) : (value ?? "–");
        const cell = make(i ? "td" : "th", "", String(text));
        if (!i) cell.setAttribute("scope", "row");
        line.append(cell);
      });
      body.append(line);
    }
    this.table.replaceChildren(top, body);
  }
}
