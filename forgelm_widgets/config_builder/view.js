// @ts-check

/** One view of the builder: the tools, what is wrong, the form, the YAML and the outlook. */
class View {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.shown = "";
    this.kernel = new Kernel(model);
    this.kernel.onFault = (words) => this.say(words, true);
    const { tree, presets } = model.get("form");
    this.form = new Form(tree, this.kernel, model.get("state"));
    this.text = new TextPane(this.form);
    this.outlook = new Outlook((path) => this.jump(path, 0, 0));
    this.node = make("div", "forgelm-widget forgelm-config");
    this.told = make("div", "forgelm-config-told");
    this.told.setAttribute("role", "status");
    this.run = make("div", "forgelm-config-told");
    this.run.setAttribute("role", "status");
    this.summary = make("div", "forgelm-notice forgelm-config-summary");
    this.spoken = make("span", "forgelm-config-verdict");
    this.spoken.setAttribute("role", "status");
    this.list = make("ul", "forgelm-config-problems");
    this.summary.append(this.spoken, this.list);
    const main = make("div", "forgelm-config-main");
    const side = make("div", "forgelm-config-side");
    side.append(this.text.node, this.outlook.node);
    main.append(this.form.node, side);
    this.node.append(this.tools(presets), this.sieve(), this.told, this.run, this.summary, main);
    keepKeys(this.node);
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    // what was said was about the state before this edit
    this.node.addEventListener("input", () => this.say("", false));
    el.append(this.node);
    this.onState = this.onState.bind(this);
    model.on("change:state", this.onState);
    this.onState();
  }

  /** @param {[string, string][]} presets */
  tools(presets) {
    const bar = make("div", "forgelm-config-tools");
    const preset = make("select", "forgelm-input");
    preset.setAttribute("aria-label", "Start from a preset");
    preset.append(
      Object.assign(make("option", "", "Start from …"), { value: "" }),
      ...presets.map(([name, title]) => Object.assign(make("option", "", title), { value: name })),
    );
    // not as soon as one is chosen: on a keyboard, the arrow passes over those that are not wanted
    const use = button("forgelm-button", "Use preset", () => {
      if (!preset.value) return this.say("Choose a preset first.", false);
      this.call("preset", { name: preset.value });
      preset.value = "";
    });
    this.undo = button("forgelm-button", "Undo", () => this.step("undo"));
    this.redo = button("forgelm-button", "Redo", () => this.step("redo"));
    this.file = make("input", "forgelm-input");
    this.file.placeholder = "config.yaml";
    this.file.setAttribute("aria-label", "File to load or save");
    this.file.spellcheck = false;
    addCompletion(this.file, bar, {
      .../** @type {Wire} */ ({}),
      complete: async (text) => (await this.kernel.call("complete", { text })).value ?? [],
    });
    this.saves = button("forgelm-button", "Save", () => this.save(false));
    this.trains = button("forgelm-button forgelm-config-main-button", "Train", () => this.train());
    this.ask = make("span", "forgelm-config-ask");
    bar.prepend(
      preset,
      use,
      this.undo,
      this.redo,
      make("span", "forgelm-config-gap"),
      this.file,
      button("forgelm-button", "Load", () => this.call("load", { path: this.path() })),
      this.saves,
      this.trains,
      this.ask,
    );
    return bar;
  }

  sieve() {
    const bar = make("div", "forgelm-config-tools");
    const search = make("input", "forgelm-input forgelm-config-search");
    search.type = "search";
    search.placeholder = "Search fields";
    search.setAttribute("aria-label", "Search fields by name or help");
    search.addEventListener("input", () => {
      this.form.query = search.value.trim().toLowerCase();
      this.form.sift();
    });
    this.search = search;
    this.level = make("select", "forgelm-input");
    this.level.setAttribute("aria-label", "How many fields to show");
    this.level.append(
      Object.assign(make("option", "", "Essential fields"), { value: "basic" }),
      Object.assign(make("option", "", "All fields"), { value: "all" }),
    );
    this.level.addEventListener("change", () => {
      this.form.basic = this.level?.value === "basic";
      this.form.sift();
    });
    bar.append(search, this.level);
    return bar;
  }

  path() {
    return this.file?.value.trim() || "config.yaml";
  }

  /** @param {string} name @param {object} args */
  async call(name, args) {
    this.form.flush();
    const answer = await this.kernel.call(name, args);
    this.say(answer.ok ? "" : (answer.error ?? ""), !answer.ok);
    return answer;
  }

  /** @param {"undo" | "redo"} name */
  step(name) {
    this.call(name, {});
  }

  /** @param {boolean} overwrite */
  async save(overwrite) {
    if (overwrite) this.saves?.focus();
    this.ask?.replaceChildren();
    const answer = await this.call("save", { path: this.path(), overwrite });
    if (!answer.ok) return;
    if (answer.value.saved) return this.say(`Saved to ${answer.value.saved}`, false);
    const yes = button("forgelm-button", "Replace it", () => this.save(true));
    const no = button("forgelm-button", "Keep it", () => {
      this.ask?.replaceChildren();
      this.saves?.focus();
    });
    this.ask?.replaceChildren(make("span", "", `${answer.value.exists} is there already.`), yes, no);
    yes.focus();
  }

  async train() {
    if (!this.trains) return;
    switchOff(this.trains, true);
    this.say("Looking at the data and starting a training …", false);
    await this.call("train", {});
    switchOff(this.trains, false);
  }

  /** @param {string} words @param {boolean} bad */
  say(words, bad) {
    this.told.textContent = words;
    this.told.classList.toggle("forgelm-config-bad", bad);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    event.stopPropagation();
    this.step(key === "y" || event.shiftKey ? "redo" : "undo");
  }

  /** @param {string} path @param {number} line @param {number} column */
  jump(path, line, column) {
    const found = !this.form.state.draft && path && this.form.reveal(path);
    if (this.level) this.level.value = this.form.basic ? "basic" : "all";
    if (this.search && !this.form.query) this.search.value = "";
    if (!found && line) this.text.go(line, column);
  }

  onState() {
    keepFocus(this.node, () => this.paint(this.model.get("state")));
  }

  /** @param {State} state */
  paint(state) {
    if (this.told.textContent === NO_ANSWER) this.say("", false);
    this.form.update(state);
    this.text.update(state);
    this.outlook.update(state);
    if (this.undo) switchOff(this.undo, !state.undo && !state.draft);
    if (this.redo) switchOff(this.redo, !state.redo);
    if (this.run.textContent !== state.run) this.run.textContent = state.run;
    const count = state.problems.length;
    const stops = count ? 0 : this.outlook.errors(state);
    const words = count
      ? `✕ ${plural(count, "problem")}`
      : stops ? `! Valid configuration, but ${plural(stops, "error")} would stop the training` : "✓ Valid configuration";
    if (this.spoken.textContent !== words) this.spoken.textContent = words;
    this.summary.classList.toggle("forgelm-config-ok", !count && !stops);
    this.summary.classList.toggle("forgelm-config-caution", stops > 0);
    const shown = JSON.stringify(state.problems);
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(
      ...state.problems.map(([path, text, line, column]) => {
        const item = make("li");
        const place = path || (line ? `line ${line}` : "the document");
        item.append(button("forgelm-config-link", place, () => this.jump(path, line, column)), make("span", "", ` ${text}`));
        return item;
      }),
    );
  }

  close() {
    this.form.flush();
    this.kernel.close();
    this.model.off("change:state", this.onState);
    this.node.remove();
  }
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
