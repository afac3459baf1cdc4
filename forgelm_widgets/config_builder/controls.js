// @ts-check

/**
 * @typedef {(string | number)[]} Path
 * @typedef {{name: string, type: string, required?: boolean, default?: any, min?: number,
 *   max?: number, above?: boolean, below?: boolean, choices?: string[], format?: string,
 *   item?: string, nullable?: boolean, deprecated?: boolean, help?: string, group?: string,
 *   unit?: string, basic?: boolean, secret?: boolean, children?: Field[], same_as?: string}} Field
 * @typedef {{node: HTMLElement, focus: HTMLElement, show(value: any): void}} Control
 * @typedef {{set(value: any, now?: boolean): void, setYaml(text: string): void, reset(): void,
 *   secret(value: string): void, isSecretSet(): boolean, complete(text: string): Promise<string[]>}} Wire
 */

const LOOKS_LIKE_PATH = /(^|_)(path|dir|file|dataset|datasets|config|bundle)$/;

/** @param {any} value */
const asText = (value) =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** The control for one field, by its type alone. @param {Field} field @param {Wire} wire @returns {Control} */
function makeControl(field, wire) {
  if (field.secret) return secretControl(wire);
  if (field.type === "choice") return choiceControl(field, field.choices ?? [], (text) => text, wire);
  if (field.type === "boolean")
    return field.nullable
      ? choiceControl(field, ["true", "false"], (text) => text === "true", wire)
      : switchControl(field, wire);
  if (field.type === "list" && field.item !== "mapping") return listControl(field, wire);
  if (field.type === "list" || field.type === "mapping" || field.type === "any") return yamlControl(wire);
  return textControl(field, wire);
}

/** @param {Field} field @param {Wire} wire @returns {Control} */
function textControl(field, wire) {
  const long = field.format === "multi-line";
  const input = long ? make("textarea", "forgelm-input") : make("input", "forgelm-input");
  if (input instanceof HTMLInputElement) {
    input.type = "text";
    if (field.type === "integer") input.inputMode = "numeric";
    if (field.type === "number") input.inputMode = "decimal";
    if (field.type !== "string") input.classList.add("forgelm-config-short");
  } else input.rows = 2;
  input.autocomplete = "off";
  input.spellcheck = long;
  input.placeholder = asText(field.default) || (field.required ? "" : "not set");
  const node = make("span", "forgelm-config-control");
  node.append(input);
  if (field.unit) node.append(make("span", "forgelm-config-unit", field.unit));
  if (field.type === "string" && !long && LOOKS_LIKE_PATH.test(field.name.split("_or_").pop() ?? ""))
    addCompletion(/** @type {HTMLInputElement} */ (input), node, wire);
  input.addEventListener("input", () => (input.value === "" ? wire.reset() : wire.set(input.value)));
  return { node, focus: input, show: (value) => (input.value = asText(value)) };
}

/** @param {HTMLInputElement} input @param {HTMLElement} node @param {Wire} wire */
function addCompletion(input, node, wire) {
  const list = make("datalist");
  list.id = freshId("paths");
  node.append(list);
  input.setAttribute("list", list.id);
  const ask = async () => {
    const found = await wire.complete(input.value);
    list.replaceChildren(
      ...found.map((path) => {
        const option = make("option");
        option.value = path;
        return option;
      }),
    );
  };
  input.addEventListener("focus", ask);
  input.addEventListener("input", ask);
}

/** @param {Field} field @param {string[]} choices @param {(text: string) => any} mean @param {Wire} wire @returns {Control} */
function choiceControl(field, choices, mean, wire) {
  const select = make("select", "forgelm-input");
  const unset = make("option", "", field.default === undefined ? "not set" : `${asText(field.default)} (default)`);
  unset.value = "";
  select.append(unset, ...choices.map((choice) => Object.assign(make("option", "", choice), { value: choice })));
  select.addEventListener("change", () =>
    select.value === "" ? wire.reset() : wire.set(mean(select.value), true),
  );
  return {
    node: select,
    focus: select,
    show: (value) => {
      select.value = asText(value);
      if (select.selectedIndex < 0) select.value = "";
      select.classList.toggle("forgelm-config-default", select.value === "");
    },
  };
}

/** @param {Field} field @param {Wire} wire @returns {Control} */
function switchControl(field, wire) {
  const node = make("span", "forgelm-config-switch");
  const box = make("input");
  box.type = "checkbox";
  const words = make("span");
  node.append(box, words);
  box.addEventListener("change", () => wire.set(box.checked, true));
  return {
    node,
    focus: box,
    show: (value) => {
      box.checked = value === undefined ? field.default === true : value === true;
      words.textContent = (box.checked ? "on" : "off") + (value === undefined ? " (default)" : "");
      words.className = value === undefined ? "forgelm-config-default" : "";
    },
  };
}

/** One line an item; a word that may stand for the whole list has a button. @param {Field} field @param {Wire} wire @returns {Control} */
function listControl(field, wire) {
  const node = make("span", "forgelm-config-list");
  const area = make("textarea", "forgelm-input");
  area.spellcheck = false;
  area.placeholder = Array.isArray(field.default) ? field.default.join("\n") : "one a line";
  const fit = () => (area.rows = Math.max(2, Math.min(8, (area.value || area.placeholder).split("\n").length)));
  const numbers = field.item === "number" || field.item === "integer";
  const mean = (/** @type {string} */ line) =>
    numbers && line.trim() !== "" && Number.isFinite(Number(line)) ? Number(line) : line;
  area.addEventListener("input", () => {
    fit();
    const lines = area.value.split("\n").filter((line) => line !== "");
    if (!lines.length) wire.reset();
    else if (lines.length === 1 && field.choices?.includes(lines[0])) wire.set(lines[0]);
    else wire.set(lines.map(mean));
  });
  const words = (field.choices ?? []).map((word) =>
    button("forgelm-button forgelm-config-small", `Use ${word}`, () => wire.set(word, true)),
  );
  node.append(area, make("span", "forgelm-config-unit", "one a line"), ...words);
  return {
    node,
    focus: area,
    show: (value) => {
      area.value = Array.isArray(value) ? value.map(asText).join("\n") : asText(value);
      fit();
    },
  };
}

/** A value that has no simpler shape, as a line of YAML. @param {Wire} wire @returns {Control} */
function yamlControl(wire) {
  const area = make("textarea", "forgelm-input forgelm-config-code");
  area.rows = 2;
  area.spellcheck = false;
  area.placeholder = "not set; write it as YAML, such as {type: linear}";
  area.addEventListener("input", () => (area.value.trim() ? wire.setYaml(area.value) : wire.reset()));
  return { node: area, focus: area, show: (value) => (area.value = asText(value)) };
}

/** What is typed here is sent once, as a message, and leaves the page at once. @param {Wire} wire @returns {Control} */
function secretControl(wire) {
  const node = make("span", "forgelm-config-control");
  const input = make("input", "forgelm-input");
  input.type = "password";
  input.autocomplete = "new-password";
  const words = make("span", "forgelm-config-unit");
  const keep = () => {
    if (!input.value) return;
    wire.secret(input.value);
    input.value = "";
  };
  input.addEventListener("change", keep);
  const forget = button("forgelm-button forgelm-config-small", "Forget", () => wire.secret(""));
  node.append(input, words, forget);
  return {
    node,
    focus: input,
    show: () => {
      const isSet = wire.isSecretSet();
      words.textContent = isSet ? "set, in this kernel's memory alone" : "";
      input.placeholder = isSet ? "••••••••" : "not set";
      forget.hidden = !isSet;
    },
  };
}
