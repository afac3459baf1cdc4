// @ts-check

/** @type {Record<string, string>} */
const MARK_SIGNS = { best: "★", resume: "↻", gate: "■", checkpoint: "▲", evaluation: "◆" };
const MARK_ORDER = Object.keys(MARK_SIGNS);

/** @param {string} kind */
const signOf = (kind) => MARK_SIGNS[kind] ?? "|";

/** Each gate as a dashed line with its words; beyond the chart, the words alone. @param {any} chart @param {Gate[]} gates @param {Palette} palette */
function drawGates(chart, gates, palette) {
  const { ctx, bbox } = chart;
  const ratio = window.devicePixelRatio;
  for (const { value, text } of gates) {
    const wanted = chart.valToPos(value, "y", true);
    const y = Math.min(Math.max(wanted, bbox.top), bbox.top + bbox.height);
    const beyond = wanted < bbox.top ? "↑ " : wanted > bbox.top + bbox.height ? "↓ " : "";
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = palette.gate;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([6 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    if (!beyond) ctx.stroke();
    ctx.font = palette.font.replace("11px", `${11 * ratio}px`);
    ctx.textAlign = "right";
    const words = `${beyond}gate: ${text}`;
    const isLow = y - bbox.top < 18 * ratio;
    const wide = ctx.measureText(words).width;
    const right = bbox.left + bbox.width - 4 * ratio;
    ctx.fillStyle = palette.paper;
    ctx.globalAlpha = 0.8;
    ctx.fillRect(right - wide - 3 * ratio, isLow ? y + 3 * ratio : y - 16 * ratio, wide + 6 * ratio, 14 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = palette.gate;
    ctx.textBaseline = isLow ? "top" : "bottom";
    ctx.fillText(words, right, isLow ? y + 5 * ratio : y - 3 * ratio);
    ctx.restore();
  }
}

/** Where a run began again, as a line from floor to ceiling. @param {any} chart @param {Mark[]} marks @param {Palette} palette */
function drawResumes(chart, marks, palette) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = palette.quiet;
  ctx.lineWidth = window.devicePixelRatio;
  ctx.setLineDash([2 * ctx.lineWidth, 3 * ctx.lineWidth]);
  for (const { step, kind } of marks) {
    const x = Math.round(chart.valToPos(step, "x", true)) + 0.5;
    if (kind !== "resume" || x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Signs on the floor of a chart; mere ticks where they would stand on each other. @param {any} chart @param {Mark[]} marks @param {Palette} palette */
function drawMarks(chart, marks, palette) {
  const { ctx, bbox } = chart;
  const ratio = window.devicePixelRatio;
  const floor = bbox.top + bbox.height;
  /** @type {number[]} */
  const taken = [];
  ctx.save();
  ctx.font = palette.font.replace("11px", `${11 * ratio}px`);
  ctx.fillStyle = palette.quiet;
  ctx.textAlign = "right";
  ctx.textBaseline = "top";
  ctx.fillText("step", bbox.left - 14 * ratio, floor + 7 * ratio);
  ctx.strokeStyle = ctx.fillStyle = palette.ink;
  ctx.lineWidth = ratio;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  const ranked = [...marks].sort((a, b) => MARK_ORDER.indexOf(a.kind) - MARK_ORDER.indexOf(b.kind));
  for (const { step, kind } of ranked) {
    const x = Math.round(chart.valToPos(step, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, floor);
    ctx.lineTo(x, floor - 4 * ratio);
    ctx.stroke();
    if (taken.some((other) => Math.abs(x - other) < 11 * ratio)) continue;
    taken.push(x);
    ctx.fillText(signOf(kind), x, floor - 4 * ratio);
  }
  ctx.restore();
}
