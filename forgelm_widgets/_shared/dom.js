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
  node.addEventListener("click", act);
  return node;
}

/** Keep plain keys from the notebook, whose shortcuts would act on the cell. @param {HTMLElement} root */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
}

/** @param {HTMLElement} node */
function hasFocus(node) {
  const root = /** @type {Document | ShadowRoot} */ (node.getRootNode());
  return root.activeElement === node;
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
