// @ts-check

const TEXT_PAUSE_MS = 80;

/** The YAML: typed here it moves the form; broken, it says where and the form stays. */
class TextPane {
  /** @param {Form} form */
  constructor(form) {
    this.sender = new Sender(form.kernel, TEXT_PAUSE_MS, () => this.update(form.state));
    form.senders.add(this.sender);
    this.node = make("section", "forgelm-config-text");
    const title = make("h3", "forgelm-config-heading", "YAML");
    title.id = freshId("yaml");
    this.area = make("textarea", "forgelm-input forgelm-config-code");
    this.area.spellcheck = false;
    this.area.wrap = "off";
    this.area.setAttribute("aria-labelledby", title.id);
    this.numbers = make("div", "forgelm-config-lines");
    this.numbers.setAttribute("aria-hidden", "true");
    this.wrong = make("div", "forgelm-config-wrong");
    this.wrong.id = freshId("wrong");
    this.wrong.setAttribute("role", "status");
    this.area.setAttribute("aria-describedby", this.wrong.id);
    const frame = make("div", "forgelm-config-frame");
    frame.append(this.numbers, this.area);
    this.node.append(title, frame, this.wrong);
    this.area.addEventListener("input", () => {
      this.count();
      this.sender.send("edit", { text: this.area.value });
    });
    this.area.addEventListener("scroll", () => (this.numbers.scrollTop = this.area.scrollTop));
    this.update(form.state);
  }

  /** @param {State} state */
  update(state) {
    const words = state.draft
      ? state.problems.map(([path, text, line, column]) => `${line ? `Line ${line}, column ${column}: ` : ""}${path ? `${path} ` : ""}${text}`)
      : [];
    const told = words.length ? `${words.join("; ")}. The form shows the last YAML that could be read.` : "";
    if (this.wrong.textContent !== told) this.wrong.textContent = told;
    if (words.length) this.area.setAttribute("aria-invalid", "true");
    else this.area.removeAttribute("aria-invalid");
    if (!state.draft && !this.sender.isAhead(state.seq) && this.area.value !== state.yaml) {
      const [from, to, top] = [this.area.selectionStart, this.area.selectionEnd, this.area.scrollTop];
      this.area.value = state.yaml;
      this.area.setSelectionRange(from, to);
      this.area.scrollTop = top;
    }
    this.count();
  }

  count() {
    const lines = this.area.value.split("\n").length;
    if (this.numbers.childElementCount === lines) return;
    this.numbers.replaceChildren(...Array.from({ length: lines }, (_, i) => make("div", "", String(i + 1))));
    this.area.rows = Math.max(10, Math.min(30, lines + 1));
  }

  /** Put the caret at a line and column, both from 1. @param {number} line @param {number} column */
  go(line, column) {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    this.area.focus();
    this.area.setSelectionRange(start + column - 1, start + (lines[line - 1]?.length ?? 0));
  }
}
