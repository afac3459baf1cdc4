// @ts-check

/**
 * @typedef {{id: string, texts: string[], keys: (number | string | null)[], tones: string[]}} Row
 * @typedef {{as_of: string, columns: [string, boolean][], rows: Row[]}} Table
 * @typedef {{choose: (ids: string[]) => void, select: (id: string) => void}} Acts
 */

const ROWS_AT_ONCE = 200;
const MOST_CHOSEN = 12;

/** Every run, sorted and filtered here: the kernel is not asked. */
class RunTable {
  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
    /** @type {Table} */
    this.table = { as_of: "", columns: [], rows: [] };
    /** @type {string[]} */
    this.chosen = [];
    /** @type {string | null} */
    this.picked = null;
    this.query = "";
    this.limit = ROWS_AT_ONCE;
    /** @type {{column: number, falling: boolean} | null} */
    this.order = null;
    /** @type {Map<string, HTMLTableRowElement>} */
    this.lines = new Map();
    this.node = scrolling("Runs");
    this.node.classList.add("forgelm-runs-all");
    this.grid = make("table", "forgelm-table forgelm-runs-table");
    this.head = make("thead");
    this.body = make("tbody");
    this.grid.append(make("caption", "forgelm-spoken", "Runs"), this.head, this.body);
    this.more = button("forgelm-button", "", () => {
      this.limit += ROWS_AT_ONCE;
      this.arrange();
    });
    this.node.append(this.grid, this.more);
    this.body.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** @param {Table} table */
  update(table) {
    const held = this.held();
    const sorted = this.order && this.table.columns[this.order.column]?.[0];
    const column = table.columns.findIndex(([title]) => title === sorted);
    if (this.order) this.order = column < 0 ? null : { ...this.order, column };
    this.table = table;
    this.lines.clear();
    this.heading();
    this.arrange();
    this.hold(held);
  }

  heading() {
    const row = make("tr");
    const tick = make("th", "forgelm-runs-tick");
    tick.scope = "col";
    tick.append(make("span", "forgelm-spoken", "Compare"));
    row.append(tick);
    this.table.columns.forEach(([title, isNumber], column) => {
      const cell = make("th", isNumber ? "forgelm-runs-number" : "");
      cell.scope = "col";
      cell.append(button("forgelm-runs-sort", title, () => this.sort(column)));
      row.append(cell);
    });
    this.head.replaceChildren(row);
    this.mark();
  }

  /** @param {number} column */
  sort(column) {
    const again = this.order?.column === column;
    this.order = { column, falling: again && !this.order?.falling };
    this.mark();
    this.arrange();
  }

  mark() {
    [...(this.head.rows[0]?.cells ?? [])].slice(1).forEach((cell, column) => {
      const sorted = this.order?.column === column;
      if (sorted) cell.setAttribute("aria-sort", this.order?.falling ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  /** The rows that match, in order; what has no value comes last either way. */
  found() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.table.rows.filter(({ texts }) => {
      const text = texts.join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (!this.order) return rows;
    const { column, falling } = this.order;
    return rows.sort((one, other) => {
      const [a, b] = [one.keys[column], other.keys[column]];
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      const less = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
      return falling ? -less : less;
    });
  }

  arrange() {
    const rows = this.found();
    const shown = rows.slice(0, this.limit);
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    this.more.hidden = rows.length <= this.limit;
    this.more.textContent = `Show ${Math.min(ROWS_AT_ONCE, rows.length - this.limit)} more`;
    this.count = rows.length;
    this.show(this.chosen, this.picked);
  }

  /** @param {Row} row */
  line(row) {
    const known = this.lines.get(row.id);
    if (known) return known;
    const line = make("tr");
    line.dataset.id = row.id;
    const tick = make("input");
    tick.type = "checkbox";
    tick.setAttribute("aria-label", `Compare ${row.texts[0]}`);
    tick.addEventListener("change", () => this.tick(row.id, tick.checked));
    const first = make("td", "forgelm-runs-tick");
    first.append(tick);
    const name = make("th", `forgelm-runs-rowhead ${kind(row.texts[0])}`);
    name.scope = "row";
    name.append(button("forgelm-runs-pick", row.texts[0], () => this.acts.select(row.id)));
    line.append(first, name);
    row.texts.slice(1).forEach((text, i) => {
      const isNumber = this.table.columns[i + 1][1];
      line.append(make("td", `${kind(text, isNumber)} forgelm-runs-${row.tones[i + 1]}`, text));
    });
    this.lines.set(row.id, line);
    return line;
  }

  /** @param {string} id @param {boolean} checked */
  tick(id, checked) {
    this.acts.choose(checked ? [...this.chosen, id] : this.chosen.filter((one) => one !== id));
  }

  /** @param {string[]} chosen @param {string | null} picked */
  show(chosen, picked) {
    this.chosen = chosen;
    this.picked = picked;
    for (const [id, line] of this.lines) {
      const [tick, name] = this.controls(line);
      const style = chosen.indexOf(id);
      tick.checked = style >= 0;
      tick.disabled = style < 0 && chosen.length >= MOST_CHOSEN;
      line.cells[0].querySelector("svg")?.remove();
      if (style >= 0) line.cells[0].append(swatch(style));
      name.setAttribute("aria-pressed", String(id === picked));
      line.classList.toggle("forgelm-runs-picked", id === picked);
    }
    this.rove(this.current());
  }

  /** @param {HTMLTableRowElement} line @returns {[HTMLInputElement, HTMLButtonElement]} */
  controls(line) {
    const [tick, name] = line.querySelectorAll("input, button");
    return [/** @type {HTMLInputElement} */ (tick), /** @type {HTMLButtonElement} */ (name)];
  }

  /** The row that Tab goes to: where the focus is, else the picked one, else the first. */
  current() {
    const lines = [...this.body.rows];
    return lines.find((line) => this.controls(line).some(hasFocus)) ?? lines.find((line) => line.dataset.id === this.picked) ?? lines[0];
  }

  /** @param {HTMLTableRowElement | undefined} current */
  rove(current) {
    for (const line of this.body.rows) for (const control of this.controls(line)) control.tabIndex = line === current ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const lines = [...this.body.rows];
    const at = lines.findIndex((line) => this.controls(line).some(hasFocus));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
    if (to === undefined || at < 0 || !lines[to]) return;
    event.preventDefault();
    const column = this.controls(lines[at]).findIndex(hasFocus);
    this.rove(lines[to]);
    const control = this.controls(lines[to])[column];
    (column === 0 && control.matches(":disabled") ? this.controls(lines[to])[1] : control).focus();
  }

  held() {
    const line = this.current();
    const column = line ? this.controls(line).findIndex(hasFocus) : -1;
    return column < 0 ? null : { id: line?.dataset.id ?? "", column };
  }

  /** @param {{id: string, column: number} | null} held */
  hold(held) {
    const line = held && this.lines.get(held.id);
    if (line && held) this.controls(line)[held.column].focus();
  }
}
