// @ts-check

const SIGNS = /** @type {Record<string, string>} */ ({ error: "✕", warning: "!", note: "·" });

/** @param {number} bytes */
const size = (bytes) =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.ceil(bytes / 1e3)} kB`;

/** What the run would do, need and learn from. */
class Outlook {
  /** @param {(path: string) => void} jump */
  constructor(jump) {
    this.jump = jump;
    this.known = "";
    this.node = make("section", "forgelm-config-outlook");
    this.node.setAttribute("aria-label", "What this configuration will do");
  }

  /** How many findings would stop the training. @param {State} state */
  errors(state) {
    const findings = /** @type {[string, string, string][]} */ (state.outlook.findings ?? []);
    return findings.filter(([severity]) => severity === "error").length;
  }

  /** @param {State} state */
  update(state) {
    const stale = state.problems.length > 0;
    this.node.classList.toggle("forgelm-config-stale", stale);
    const known = JSON.stringify([state.outlook, stale]);
    if (known === this.known) return;
    this.known = known;
    const { words, findings, memory, data } = state.outlook;
    if (!words) {
      this.node.replaceChildren(
        make("p", "forgelm-config-quiet", "Once the configuration is valid, this says what it will do."),
      );
      return;
    }
    this.node.replaceChildren(
      this.titled(stale ? "What the last valid state would do" : "What it will do", this.list(words)),
      ...(findings.length ? [this.titled("Before you train", this.findings(findings))] : []),
      ...(memory ? [this.titled("Memory", this.memory(memory))] : []),
      ...(data.length ? [this.titled("Data", ...data.map((/** @type {any} */ look) => this.data(look)))] : []),
    );
  }

  /** @param {string} title @param {HTMLElement[]} nodes */
  titled(title, ...nodes) {
    const part = make("div", "forgelm-config-part");
    part.append(make("h3", "forgelm-config-heading", title), ...nodes);
    return part;
  }

  /** @param {string[]} lines */
  list(lines) {
    const list = make("ul", "forgelm-config-words");
    list.append(...lines.map((line) => make("li", "", line)));
    return list;
  }

  /** @param {[string, string, string][]} findings */
  findings(findings) {
    const list = make("ul", "forgelm-config-findings");
    for (const [severity, path, text] of findings) {
      const item = make("li", `forgelm-config-${severity}`);
      const words = make("span");
      const place = path ? button("forgelm-config-link", path, () => this.jump(path)) : null;
      if (place) words.append(place, make("span", "", ": "));
      words.append(make("span", "", text));
      item.append(make("span", "forgelm-config-sign", `${SIGNS[severity] ?? "·"} ${severity}`), words);
      list.append(item);
    }
    return list;
  }

  /** @param {any} memory */
  memory(memory) {
    const node = make("div");
    const free = memory.free ? ` of ${size(memory.free)} free` : "";
    const head = memory.outlook === "unknown" ? memory.reason || "It cannot be known yet." : `About ${size(memory.total)}${free}: ${memory.outlook}.`;
    node.append(make("p", "forgelm-config-line", head));
    if (!memory.parts.length || memory.outlook === "unknown") return node;
    const table = make("table", "forgelm-table forgelm-config-table");
    for (const [name, bytes] of memory.parts) {
      const row = make("tr");
      const bar = make("meter");
      bar.max = memory.total;
      bar.value = bytes;
      bar.setAttribute("aria-label", name);
      const cell = make("td");
      cell.append(bar);
      const title = make("th", "", name.replaceAll("_", " "));
      title.scope = "row";
      row.append(title, make("td", "forgelm-config-number", size(bytes)), cell);
      table.append(row);
    }
    node.append(table);
    return node;
  }

  /** @param {any} look */
  data(look) {
    const node = make("div");
    node.append(
      make("p", "forgelm-config-line", `${look.name}: ${look.rows}, ${look.format}`),
      make("p", "forgelm-config-quiet", `Columns: ${look.columns.join(", ") || "none"}`),
    );
    if (look.sample) {
      const code = make("pre", "forgelm-config-sample", look.sample);
      code.tabIndex = 0;
      code.setAttribute("aria-label", "One row as the training reads it, masked");
      node.append(code);
    }
    return node;
  }
}
