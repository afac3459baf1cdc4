// @ts-check

/**
 * @typedef {{seq: number, yaml: string, values: any, problems: [string, string, number, number][],
 *   draft: boolean, undo: boolean, redo: boolean, secrets: string[], outlook: any,
 *   run: string}} State
 * @typedef {{node: HTMLElement, path: Path, update(): void, sift(): boolean}} Part
 */

/** The whole form: it builds a block when it is first opened, and never rebuilds a field. */
class Form {
  /** @param {Field} tree @param {Kernel} kernel @param {State} state */
  constructor(tree, kernel, state) {
    this.kernel = kernel;
    this.state = state;
    this.tree = tree;
    this.basic = true;
    this.query = "";
    /** @type {Set<Sender>} */
    this.senders = new Set();
    this.node = make("div", "forgelm-config-form");
    this.blocks = (tree.children ?? []).map((field) => new Block(this, field, [field.name]));
    this.nothing = make("p", "forgelm-config-quiet", "No field has that in its name or help.");
    this.node.append(...this.blocks.map((block) => block.node), this.nothing);
    for (const block of this.blocks) if (block.field.required) block.node.open = true;
    this.sift();
  }

  /** @param {Path} path */
  value(path) {
    let here = this.state.values;
    for (const part of path) here = here === null || here === undefined ? undefined : here[part];
    return here;
  }

  /** The problems at a place, those inside it too when asked. @param {Path} path @param {boolean} inside */
  problems(path, inside) {
    if (this.state.draft) return [];
    const name = dotted(path);
    return this.state.problems.filter(
      ([place]) =>
        place === name || (inside && (place.startsWith(`${name}.`) || place.startsWith(`${name}[`))),
    );
  }

  /** @param {Field} field @returns {Field[]} */
  childrenOf(field) {
    if (!field.same_as) return field.children ?? [];
    let found = this.tree;
    for (const name of field.same_as.split("."))
      found = found.children?.find((child) => child.name === name) ?? found;
    return found.children ?? [];
  }

  /** @param {State} state */
  update(state) {
    this.state = state;
    for (const block of this.blocks) block.update();
    this.sift();
  }

  /** Show what belongs to the level and to the words searched for. */
  sift() {
    const shown = this.blocks.filter((block) => block.sift());
    this.nothing.hidden = shown.length > 0;
  }

  flush() {
    for (const sender of this.senders) sender.flush();
  }

  /** Open the way to a field and put the focus there; false when there is no such field. @param {string} name */
  reveal(name) {
    /** @type {Part[]} */
    let parts = this.blocks;
    /** @type {Part | undefined} */
    let found;
    for (;;) {
      const next = parts.find(
        ({ path }) => name === dotted(path) || name.startsWith(`${dotted(path)}.`) || name.startsWith(`${dotted(path)}[`),
      );
      if (!next) break;
      found = next;
      if (!(next instanceof Block) || dotted(next.path) === name) break;
      next.node.open = true;
      next.build();
      parts = next.parts;
    }
    if (!found) return false;
    if (found.node.hidden) {
      this.basic = false;
      this.query = "";
      this.sift();
    }
    const target = found instanceof Row ? found.control.focus : /** @type {Block} */ (found).head;
    target.focus();
    target.scrollIntoView({ block: "nearest" });
    return found instanceof Row || dotted(found.path) === name;
  }
}

/** A block of fields that folds; an optional one has a switch, a list of blocks has its items. */
class Block {
  /** @param {Form} form @param {Field} field @param {Path} path */
  constructor(form, field, path) {
    this.form = form;
    this.field = field;
    this.path = path;
    /** @type {Part[]} */
    this.parts = [];
    /** @type {Map<string, HTMLElement>} */
    this.groups = new Map();
    this.isList = field.type === "list" && typeof path[path.length - 1] === "string";
    this.isItem = typeof path[path.length - 1] === "number";
    this.node = make("details", "forgelm-config-block");
    this.head = make("summary", "forgelm-config-head");
    const last = path[path.length - 1];
    const title = typeof last === "number" ? `${field.name} ${last + 1}` : field.name;
    this.count = make("span", "forgelm-config-count");
    this.head.append(make("span", "forgelm-config-title", title), this.count);
    this.body = make("div", "forgelm-config-body");
    this.wrong = make("div", "forgelm-config-wrong");
    this.act = button("forgelm-button forgelm-config-small", "", () => this.toggle());
    this.node.append(this.head, this.body);
    const bar = make("div", "forgelm-config-bar");
    bar.append(this.act);
    if (field.help && !this.isItem) this.body.append(withCode(make("p", "forgelm-config-help"), field.help));
    this.body.append(this.wrong, bar);
    this.node.addEventListener("toggle", () => this.node.open && this.build());
    this.isBuilt = false;
    this.update();
  }

  isOn() {
    const value = this.form.value(this.path);
    return value !== undefined && value !== null;
  }

  /** Switch the block on or off; in a list, add an item. */
  toggle() {
    const { kernel } = this.form;
    if (this.isList) {
      const items = this.form.value(this.path);
      const path = Array.isArray(items) ? [...this.path, items.length] : this.path;
      kernel.call("set", { path, value: Array.isArray(items) ? {} : [{}] });
    } else if (this.isItem || this.isOn()) kernel.call("reset", { path: this.path });
    else kernel.call("set", { path: this.path, value: {} });
  }

  build() {
    if (this.isBuilt && !this.isList) return;
    if (!this.isBuilt) this.body.setAttribute("role", "group");
    this.isBuilt = true;
    if (this.isList) this.buildItems();
    else
      for (const field of this.form.childrenOf(this.field)) {
        const path = [...this.path, field.name];
        const isBlock = field.type === "object" || (field.type === "list" && field.item === "object");
        const part = isBlock ? new Block(this.form, field, path) : new Row(this.form, field, path);
        this.parts.push(part);
        (isBlock ? this.body : this.group(field.group ?? "")).append(part.node);
      }
    this.sift();
  }

  buildItems() {
    const items = this.form.value(this.path);
    const length = Array.isArray(items) ? items.length : 0;
    for (const part of this.parts.splice(length)) part.node.remove();
    while (this.parts.length < length) {
      const field = { ...this.field, type: "object", nullable: true, required: false };
      const part = new Block(this.form, field, [...this.path, this.parts.length]);
      this.parts.push(part);
      this.body.append(part.node);
    }
  }

  /** The heading that fields stand under. @param {string} name */
  group(name) {
    let group = this.groups.get(name);
    if (!group) {
      group = make("div", "forgelm-config-group");
      if (name && name.toLowerCase() !== this.field.name) group.append(make("h4", "forgelm-config-heading", name));
      this.groups.set(name, group);
      this.body.append(group);
    }
    return group;
  }

  update() {
    const on = this.isOn();
    const value = this.form.value(this.path);
    const size = value && typeof value === "object" ? Object.keys(value).length : 0;
    const inside = this.form.problems(this.path, true).length;
    this.count.textContent = inside
      ? plural(inside, "problem")
      : on ? (size ? `${size} set` : "on, defaults") : this.field.required ? "missing" : "off";
    this.count.classList.toggle("forgelm-config-bad", inside > 0);
    const words = this.form.problems(this.path, false).map(([, text]) => text).join("; ");
    this.wrong.textContent = words;
    this.wrong.hidden = !words;
    this.act.textContent = this.isList
      ? "Add one"
      : this.isItem ? "Remove" : on ? "Switch off" : this.field.required ? "Write it, with defaults" : "Switch on";
    this.act.setAttribute("aria-label", `${this.act.textContent}: ${dotted(this.path)}`);
    this.act.hidden = Boolean(this.field.required) && on && !this.isList;
    this.node.classList.toggle("forgelm-config-off", !on);
    if (this.isBuilt && this.isList) this.buildItems();
    for (const part of this.parts) part.update();
  }

  sift() {
    const { query, basic } = this.form;
    if (query && !this.isBuilt && !this.isList) this.build();
    const any = this.parts.map((part) => part.sift()).some(Boolean);
    for (const group of this.groups.values())
      group.hidden = ![...group.children].some((child) => child.tagName !== "H4" && !(/** @type {HTMLElement} */ (child).hidden));
    const named = dotted(this.path).toLowerCase().includes(query);
    const shown = query ? any || named : !basic || this.isOn() || Boolean(this.field.required) || Boolean(this.field.basic);
    this.node.hidden = !shown;
    if (query && any) this.node.open = true;
    return shown;
  }
}
