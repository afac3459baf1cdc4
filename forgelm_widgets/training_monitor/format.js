// @ts-check

/** @type {Record<string, [string, string]>} sign and name of each state: never a colour alone */
const STATES = {
  starting: ["○", "Starting"],
  running: ["●", "Running"],
  stopping: ["◐", "Stopping"],
  stopped: ["■", "Stopped"],
  finished: ["✓", "Finished"],
  failed: ["✕", "Failed"],
  died: ["✕", "Died"],
  stalled: ["!", "Stalled"],
};

/** A value in few characters. @param {number | null | undefined} value */
function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-3)) return value.toExponential(3).replace(/\.?0+e\+?/, "e");
  return size >= 1e4 ? count(Math.round(value)) : String(Number(value.toPrecision(4)));
}

/** A whole number with its thousands set off. @param {number} value */
const count = (value) => value.toLocaleString("en-US");

/** A step on an axis. @param {number} step */
function shortStep(step) {
  if (step >= 1e6) return `${Number((step / 1e6).toPrecision(4))}M`;
  return step >= 1e4 ? `${Number((step / 1e3).toPrecision(4))}k` : String(step);
}

/** Seconds as a clock shows them; days above two of them. @param {number} seconds */
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 172_800) return `${Number((whole / 86_400).toPrecision(3))} days`;
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** Put words into a node unless they stand there, so that nothing is spoken twice. @param {Element} node @param {string} words */
function say(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/** Colours of the canvases, read from the page's theme each time they are painted. */
class Palette {
  static LINES = 6;

  /** @param {HTMLElement} root @param {() => void} onChange */
  constructor(root, onChange) {
    this.probe = make("span", "forgelm-monitor-probe");
    this.probe.setAttribute("aria-hidden", "true");
    root.append(this.probe);
    // The probe's colours are transitions: one begins whenever a theme, however it is set, changes them.
    this.probe.addEventListener("transitionend", onChange);
    this.asker = make("span");
    this.probe.append(this.asker);
    this.quiet = this.line = this.ink = this.paper = this.gate = this.font = "";
    /** @type {string[]} */
    this.lines = [];
    this.read();
  }

  /** @param {string} name  of a custom property */
  color(name) {
    this.asker.style.color = `var(--fl-${name})`;
    return getComputedStyle(this.asker).color;
  }

  read() {
    this.quiet = this.color("quiet");
    this.line = this.color("line");
    this.ink = this.color("ink");
    this.paper = this.color("paper");
    this.gate = this.color("bad");
    this.lines = Array.from({ length: Palette.LINES }, (_, i) => this.color(`line-${i}`));
    const style = getComputedStyle(this.probe);
    this.font = `11px ${style.fontFamily}`;
  }
}
