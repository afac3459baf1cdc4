// @ts-check

const PAUSE_MS = 150;

/** @param {Path} path */
const dotted = (path) =>
  path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("").slice(1);

/** One field: its name, its control, its help, and what is wrong with it. */
class Row {
  /** @param {Form} form @param {Field} field @param {Path} path */
  constructor(form, field, path) {
    this.form = form;
    this.field = field;
    this.path = path;
    this.known = "";
    this.sender = new Sender(form.kernel, PAUSE_MS, () => this.update());
    form.senders.add(this.sender);
    this.control = makeControl(field, this.wire());
    this.node = make("div", "forgelm-config-row");
    const target = this.control.focus;
    target.id = freshId("field");
    const label = make("label", "forgelm-config-name", field.name);
    label.htmlFor = target.id;
    const needed = field.required ? make("span", "forgelm-config-tag", "required") : null;
    const old = field.deprecated ? make("span", "forgelm-config-tag", "old spelling") : null;
    this.back = button("forgelm-button forgelm-config-small", "Reset", () => this.reset(true));
    this.back.setAttribute("aria-label", `Reset ${field.name} to its default`);
    const head = make("div", "forgelm-config-rowhead");
    head.append(label, ...[needed, old].filter((tag) => tag !== null), this.back);
    const words = [field.help, this.bounds()].filter(Boolean).join(" ");
    const help = withCode(make("div", "forgelm-config-help"), words);
    help.id = freshId("help");
    this.wrong = make("div", "forgelm-config-wrong");
    this.wrong.id = freshId("wrong");
    target.setAttribute("aria-describedby", `${this.wrong.id} ${help.id}`);
    this.node.append(head, this.control.node, this.wrong, help);
    this.update();
  }

  /** @returns {Wire} */
  wire() {
    const { form, path } = this;
    return {
      set: (value, now) => this.sender.send("set", { path, value }, now),
      setYaml: (text) => this.sender.send("set_yaml", { path, text }),
      reset: () => this.reset(false),
      secret: (value) => this.sender.send("secret", { path, value }, true),
      isSecretSet: () => form.state.secrets.includes(dotted(path)),
      complete: async (text) => (await form.kernel.call("complete", { text })).value ?? [],
    };
  }

  /** @param {boolean} now */
  reset(now) {
    this.sender.send("reset", { path: this.path }, now);
    if (now) this.control.focus.focus();
  }

  bounds() {
    const { min, max, above, below } = this.field;
    const low = min === undefined ? "" : `${above ? "above" : "at least"} ${min}`;
    const high = max === undefined ? "" : `${below ? "below" : "at most"} ${max}`;
    const words = [low, high].filter(Boolean).join(", ");
    return words && `(${words})`;
  }

  update() {
    const value = this.form.value(this.path);
    const problems = this.form.problems(this.path, true);
    const words = problems.map(([, text]) => text).join("; ");
    const isNews = this.wrong.textContent !== words;
    if (isNews) this.wrong.textContent = words;
    this.wrong.hidden = !words;
    if (isNews && hasFocus(this.control.focus)) this.wrong.scrollIntoView({ block: "nearest" });
    if (words) this.control.focus.setAttribute("aria-invalid", "true");
    else this.control.focus.removeAttribute("aria-invalid");
    this.node.classList.toggle("forgelm-config-set", value !== undefined);
    this.back.hidden = value === undefined;
    if (this.sender.isAhead(this.form.state.seq)) return;
    const known = JSON.stringify([value ?? null, value === undefined, this.form.state.secrets]);
    // what was just typed stays as it was typed: "2e-4" does not turn into 0.0002 under the caret
    const own = hasFocus(this.control.focus) && this.form.state.seq === this.sender.wanted;
    if (known !== this.known && !(own && this.isText())) this.control.show(value);
    this.known = known;
  }

  isText() {
    const target = this.control.focus;
    return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type === "text");
  }

  sift() {
    const { query, basic } = this.form;
    const text = `${dotted(this.path)} ${this.field.help ?? ""} ${this.field.group ?? ""}`.toLowerCase();
    const isWrong = !this.wrong.hidden;
    const level = !basic || this.field.basic || this.field.required || !this.back.hidden || isWrong;
    const shown = query ? text.includes(query) : level && (!this.field.deprecated || !this.back.hidden);
    this.node.hidden = !shown;
    return shown;
  }
}
