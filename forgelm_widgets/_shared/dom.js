// @ts-check

/**
 * An element with a class and a text; text is only ever text.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [name]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, name, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** @param {string} name @param {string} text @param {() => void} act */
function button(name, text, act) {
  const node = make("button", name, text);
  node.type = "button";
  node.addEventListener("click", () => node.getAttribute("aria-disabled") !== "true" && act());
  return node;
}

/** Keep keys from the notebook, whose shortcuts would act on the cell; saving it passes. @param {HTMLElement} root */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    const accel = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (!accel || event.key.toLowerCase() !== "s") event.stopPropagation();
  });
}

/** @param {HTMLElement} node */
function hasFocus(node) {
  const root = /** @type {Document | ShadowRoot} */ (node.getRootNode());
  return root.activeElement === node;
}

const TAKES_FOCUS = "button, input, select, textarea, summary, [tabindex]";

/** Change the page; the focus stays where it was, or goes to the nearest thing that is left. @param {HTMLElement} root @param {() => void} change */
function keepFocus(root, change) {
  const held = /** @type {Document | ShadowRoot} */ (root.getRootNode()).activeElement;
  const around = [];
  for (let node = held?.parentElement; held && node && root.contains(node); node = node.parentElement) around.push(node);
  const text = held?.textContent;
  change();
  if (!held || !around.length || held.checkVisibility()) return;
  for (const place of around.filter((node) => node.isConnected)) {
    const left = [...place.querySelectorAll(TAKES_FOCUS)].filter((node) => node.checkVisibility());
    const next = left.find((node) => text && node.textContent === text) ?? left[0];
    if (next instanceof HTMLElement) return next.focus();
  }
}

/** Switch a button off; unlike a disabled one it keeps the focus. @param {HTMLElement} node @param {boolean} off */
function switchOff(node, off) {
  node.setAttribute("aria-disabled", String(off));
}

let lastId = 0;
/** An id that no other element of the page has. @param {string} name */
const freshId = (name) => `forgelm-${name}-${++lastId}-${Math.random().toString(36).slice(2, 7)}`;

/** Put text into a node, words between backticks as code. @template {HTMLElement} Node @param {Node} node @param {string} text @returns {Node} */
function withCode(node, text) {
  node.append(...text.split("`").map((part, i) => (i % 2 ? make("code", "", part) : part)));
  return node;
}

/** @param {number} count @param {string} one */
const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
