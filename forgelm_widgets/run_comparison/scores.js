// @ts-check

/**
 * @typedef {{name: string, metric: string, axis: [number, number],
 *   bars: [string, number, number | null, number | null, string][]}} Panel
 * @typedef {Map<string, {name: string, style: number}>} Chosen
 */

/** A table's frame that scrolls by itself, also with the keyboard. @param {string} label */
function scrolling(label) {
  const node = make("div", "forgelm-runs-frame");
  node.tabIndex = 0;
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", label);
  return node;
}

const LONG_CHARS = 32;
/** A class that lets a long text wrap; a short one stays in one line. @param {string} text @param {boolean} isNumber */
const kind = (text, isNumber = false) => (isNumber ? "forgelm-runs-number" : text.length > LONG_CHARS ? "forgelm-runs-long" : "");

/** @param {(string | Node)[]} cells @param {number} numbersFrom */
function headRow(cells, numbersFrom = Infinity) {
  const row = make("tr");
  cells.forEach((content, i) => {
    const cell = make("th", kind(typeof content === "string" ? content : (content.textContent ?? ""), i >= numbersFrom));
    cell.scope = "col";
    cell.append(content);
    row.append(cell);
  });
  return row;
}

/** @param {string[]} cells @param {number} numbersFrom */
function bodyRow(cells, numbersFrom = Infinity) {
  const row = make("tr");
  const [first, ...rest] = cells;
  const head = make("th", `forgelm-runs-rowhead ${kind(first)}`, first);
  head.scope = "row";
  row.append(head, ...rest.map((text, i) => make("td", kind(text, i + 1 >= numbersFrom), text)));
  return row;
}

/** @param {{name: string, style: number}} run */
function runLabel({ name, style }) {
  const node = make("span", "forgelm-runs-label");
  node.append(swatch(style), make("span", "forgelm-runs-name", name));
  return node;
}

/** Bars with their 95 % intervals, on the same axis for all runs. @param {Panel} panel @param {Chosen} chosen */
function scorePanel({ name, metric, axis, bars }, chosen) {
  const [low, high] = axis;
  /** @param {number} value */
  const across = (value) => Math.min(100, Math.max(0, (100 * (value - low)) / (high - low)));
  const table = make("table", "forgelm-table forgelm-runs-table forgelm-runs-bars");
  const caption = make("caption", "forgelm-runs-title", `${name} `);
  caption.append(make("span", "forgelm-runs-quiet", `${metric}, from ${short(low)} to ${short(high)}`));
  table.append(caption);
  for (const [id, value, least, most, words] of bars) {
    const run = chosen.get(id);
    if (!run) continue;
    const track = make("div", "forgelm-runs-track");
    const bar = make("div", `forgelm-runs-bar forgelm-runs-c${run.style % COLOURS}`);
    bar.style.left = `${across(Math.min(value, Math.max(0, low)))}%`;
    bar.style.width = `${Math.abs(across(value) - across(Math.max(0, low)))}%`;
    track.append(bar);
    if (least !== null && most !== null) {
      const whisker = make("div", "forgelm-runs-whisker");
      whisker.style.left = `${across(least)}%`;
      whisker.style.width = `${across(most) - across(least)}%`;
      track.append(whisker);
    }
    const row = make("tr");
    const head = make("th", "forgelm-runs-rowhead");
    head.scope = "row";
    head.append(runLabel(run));
    const picture = make("td", "forgelm-runs-picture");
    picture.append(track);
    row.append(head, picture, make("td", "", words));
    table.append(row);
  }
  return table;
}

/** @param {[string, string[]][]} rows @param {number} leftOut @param {Chosen} chosen */
function differenceTable(rows, leftOut, chosen) {
  const frame = scrolling("Settings that differ");
  const table = make("table", "forgelm-table forgelm-runs-table forgelm-runs-settings");
  const body = make("tbody");
  for (const [key, values] of rows) {
    const row = bodyRow([key, ...values]);
    [...row.cells].slice(2).forEach((cell, i) => cell.classList.toggle("forgelm-runs-other", values[i + 1] !== values[0]));
    body.append(row);
  }
  table.append(headRow(["Setting", ...[...chosen.values()].map(runLabel)]), body);
  frame.append(table);
  if (leftOut) frame.append(make("p", "forgelm-runs-quiet", `and ${plural(leftOut, "more setting")}: comparison.differences() has all`));
  return frame;
}
