// @ts-check

const DEFAULT_LABELS = { stop: "Stop", keep_best: "Stop and keep best", resume: "Resume" };
const QUIET_AFTER_S = 15;
const ORPHAN_AFTER_S = 60;

/** What is known of the run beside its curves, and the buttons that steer it. */
class Steering {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {null | {name: keyof typeof DEFAULT_LABELS, phase: "sent" | "heard" | "late", of: string}} */
    this.asked = null;
    this.error = "";
    this.shownPaths = "";
    this.node = make("div", "forgelm-monitor-headblock");
    this.sign = make("span", "forgelm-monitor-sign");
    this.sign.setAttribute("aria-hidden", "true");
    this.state = make("span", "forgelm-monitor-state");
    this.run = make("span", "forgelm-monitor-run");
    this.words = make("div", "forgelm-monitor-words");
    this.buttons = {
      stop: button("forgelm-button forgelm-monitor-act-stop", "", () => this.ask("stop", "stop", { keep_best: false })),
      keep_best: button("forgelm-button forgelm-monitor-act-keep_best", "", () => this.ask("keep_best", "stop", { keep_best: true })),
      resume: button("forgelm-button forgelm-monitor-act-resume", "", () => this.ask("resume", "resume", {})),
    };
    const head = make("div", "forgelm-monitor-head");
    const title = make("div", "forgelm-monitor-headline");
    title.append(this.sign, this.state, this.run);
    const acts = make("div", "forgelm-monitor-acts");
    acts.append(...Object.values(this.buttons));
    head.append(title, acts);
    this.told = make("div", "forgelm-notice forgelm-monitor-told");
    this.told.setAttribute("role", "status");
    this.manual = this.manualCommand();
    this.bar = make("progress", "forgelm-monitor-bar");
    this.bar.setAttribute("aria-label", "Training progress");
    this.done = make("span");
    this.times = make("span");
    const figures = make("div", "forgelm-monitor-figures");
    figures.append(this.done, this.times);
    this.paths = make("div", "forgelm-monitor-paths");
    this.node.append(head, this.words, this.bar, figures, this.told, this.manual);
  }

  manualCommand() {
    const node = make("div", "forgelm-monitor-manual");
    this.command = make("input", "forgelm-input forgelm-monitor-command");
    this.command.readOnly = true;
    this.command.setAttribute("aria-label", "Command that stops the run, for a terminal");
    const copied = make("span", "forgelm-monitor-copied");
    copied.setAttribute("role", "status");
    const copy = button("forgelm-button", "Copy", async () => {
      this.command?.select();
      try {
        await navigator.clipboard.writeText(this.command?.value ?? "");
        say(copied, "Copied");
      } catch {
        say(copied, document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
      }
    });
    node.append(this.command, copy, copied);
    node.hidden = true;
    return node;
  }

  /** @param {keyof typeof DEFAULT_LABELS} name @param {string} command @param {object} args */
  async ask(name, command, args) {
    const asked = { name, phase: /** @type {"sent" | "heard" | "late"} */ ("sent"), of: this.store.status.state };
    this.asked = asked;
    this.error = "";
    const enter = (/** @type {"heard" | "late"} */ phase) => {
      asked.phase = phase;
      this.paint();
    };
    this.paint();
    const answer = await this.store.kernel.call(command, args, { heard: () => enter("heard"), late: () => enter("late") });
    if (this.asked !== asked) return;
    if (!answer.ok && asked.phase !== "late") {
      this.asked = null;
      this.error = answer.error ?? "";
    }
    this.paint();
  }

  paint() {
    const { status } = this.store;
    const [sign, name] = STATES[status.state] ?? ["", status.state ?? ""];
    say(this.sign, sign);
    say(this.state, name);
    say(this.run, [status.run, (status.model ?? "").split("/").slice(-2).join("/"), status.trainer_type].filter(Boolean).join(" · "));
    this.run.title = status.model ?? "";
    // What the sentence says of a run that goes on, the bar and the figures below say too.
    say(this.words, status.words?.startsWith(name) && status.state === "running" ? (status.message ?? "") : (status.words ?? ""));
    this.words.hidden = !this.words.textContent;
    if (this.asked && (status.state !== this.asked.of || (status.stop && this.asked.name !== "resume"))) this.asked = null;
    if (status.max_steps > 0) [this.bar.max, this.bar.value] = [status.max_steps, Math.min(status.step, status.max_steps)];
    else if (status.state === "starting") this.bar.removeAttribute("value");
    else [this.bar.max, this.bar.value] = [1, 0];
    keepFocus(this.node, () => this.paintButtons(status));
    this.paintPaths(status);
    this.tick();
  }

  /** @param {Status} status */
  paintButtons(status) {
    const { asked } = this;
    const mine = asked?.name ?? (status.stop ? (status.stop.keep_best ? "keep_best" : "stop") : null);
    const isStopping = status.stop !== null && status.live;
    const isSteerable = status.live && Boolean(status.command || status.can?.stop || isStopping);
    const isShown = { stop: isSteerable, keep_best: isSteerable, resume: status.can?.resume || asked?.name === "resume" };
    for (const [key, node] of Object.entries(this.buttons)) {
      const name = /** @type {keyof typeof DEFAULT_LABELS} */ (key);
      switchOff(node, !status.can?.[name] || asked !== null || isStopping);
      say(node, name === mine && name !== "resume" ? this.label(status) : DEFAULT_LABELS[name]);
      node.hidden = !isShown[name];
    }
  }

  /** @param {Status} status */
  label(status) {
    return status.stop?.phase === "acknowledged" ? "Stop acknowledged" : "Stopping…";
  }

  /** @param {Status} status */
  paintStop(status) {
    const { asked, error } = this;
    const { stop } = status;
    const isResume = asked?.name === "resume";
    let words = error && `That did not work: ${error}`;
    if (stop?.phase === "safe") words = `Safe: ${stop.keep_best ? "the best model is kept" : "the run can be resumed"}${stop.checkpoint ? `; checkpoint ${stop.checkpoint}` : ""}.`;
    else if (stop?.phase === "acknowledged") words = "Acknowledged: the run saves a checkpoint, then it ends. This page may be closed.";
    else if (stop) words = "Stop is asked for; the run hears it at its next step.";
    else if (asked?.phase === "heard") words = isResume ? "Starting the run again…" : "The kernel has heard Stop and passes it on.";
    else if (asked?.phase === "sent") words = isResume ? "Asking the kernel to resume…" : "Asking the kernel to stop the run…";
    else if (asked) words = isResume ? "The kernel has not answered: it runs a cell, or it is gone." : "The kernel has not answered: it runs a cell, or it is gone. To stop the run now, interrupt the kernel if the run is in its cell, or type this in a terminal:";
    if (!words && this.store.fault) words = `Something went wrong here: ${this.store.fault}. The run itself goes on.`;
    if (!words && this.isOrphan(status)) words = `Nothing has been heard for a while. If the kernel was restarted, the run goes on without it: show it again with forgelm_widgets.attach("${status.run_dir}").`;
    say(this.told, words);
    this.told.hidden = !words;
    this.told.classList.toggle("forgelm-monitor-bad", Boolean(error) || asked?.phase === "late");
    this.manual.hidden = !(asked?.phase === "late" && !isResume && status.command);
    if (this.command && this.command.value !== (status.command ?? "")) this.command.value = status.command ?? "";
  }

  quiet_s() {
    return (performance.now() - this.store.heard_ms) / 1000;
  }

  /** Whether so little was heard that the kernel may be another one by now. @param {Status} status */
  isOrphan(status) {
    const patience_s = Math.max(ORPHAN_AFTER_S, 10 / (status.steps_per_s || 1));
    return status.live && Boolean(status.run_dir) && status.state !== "stalled" && this.quiet_s() > patience_s;
  }

  /** @param {Status} status */
  paintPaths(status) {
    const rows = [
      ["Run", status.run_dir],
      ["Checkpoint", status.stop?.phase === "safe" ? null : status.checkpoint],
      ["Model", status.final_model],
    ].filter(([, path]) => path);
    const shown = JSON.stringify(rows);
    if (shown === this.shownPaths) return;
    this.shownPaths = shown;
    this.paths.replaceChildren(
      ...rows.map(([name, path]) => {
        const row = make("div", "forgelm-monitor-path");
        row.append(make("span", "", name ?? ""), make("span", "forgelm-monitor-place", path ?? ""));
        return row;
      }),
    );
  }

  /** The words that change with the clock. */
  tick() {
    const { status } = this.store;
    const { step, max_steps, epoch, elapsed_s, eta_s, steps_per_s } = status;
    const quiet_s = status.live ? this.quiet_s() : 0;
    this.paintStop(status);
    const share = max_steps > 0 ? `${Math.floor((100 * step) / max_steps)} %` : "";
    const done = status.state === "starting" ? "" : [
      max_steps > 0 ? `step ${count(step)} of ${count(max_steps)}` : `step ${count(step ?? 0)}`,
      share,
      epoch === null || epoch === undefined ? "" : `epoch ${epoch.toFixed(2)}`,
    ].filter(Boolean).join(" · ");
    const isTraining = status.live && (status.state === "running" || status.state === "stopping");
    const times = [
      isTraining && steps_per_s ? rate(steps_per_s) : "",
      elapsed_s > 0 ? `${clock(elapsed_s + (isTraining ? quiet_s : 0))} elapsed` : "",
      status.state === "running" && eta_s !== null && eta_s !== undefined ? `about ${clock(eta_s - quiet_s)} left` : "",
      isTraining && quiet_s > QUIET_AFTER_S ? `no news for ${clock(quiet_s)}` : "",
    ].filter(Boolean).join(" · ");
    say(this.done, done);
    say(this.times, times);
  }
}

/** @param {number} steps_per_s */
function rate(steps_per_s) {
  return steps_per_s >= 1 ? `${number(Number(steps_per_s.toPrecision(3)))} steps/s` : `${number(Number((1 / steps_per_s).toPrecision(3)))} s a step`;
}

/** What the run's watchman found, each told once: what is bad at once, the rest politely. */
class Alerts {
  constructor() {
    this.node = make("div", "forgelm-monitor-alerts");
    this.lists = { bad: make("ul", "forgelm-monitor-alertlist"), warn: make("ul", "forgelm-monitor-alertlist") };
    for (const [level, list] of Object.entries(this.lists)) {
      const region = make("div");
      region.setAttribute("role", level === "bad" ? "alert" : "status");
      region.append(list);
      this.node.append(region);
    }
    /** @type {Map<string, HTMLElement>} */
    this.items = new Map();
  }

  /** @param {Status} status */
  paint(status) {
    const wanted = new Map((status.alerts ?? []).map((alert) => [JSON.stringify([alert.kind, alert.level, alert.text, alert.step]), alert]));
    for (const [key, item] of this.items) {
      if (wanted.has(key)) continue;
      item.remove();
      this.items.delete(key);
    }
    for (const [key, { level, text, step }] of wanted) {
      if (this.items.has(key)) continue;
      const isBad = level === "bad";
      const item = make("li", `forgelm-notice forgelm-monitor-alert forgelm-monitor-alert-${isBad ? "bad" : "warn"}`);
      const sign = make("span", "forgelm-monitor-alertsign", isBad ? "✕" : "!");
      sign.setAttribute("aria-hidden", "true");
      const name = make("b", "", isBad ? "Problem" : "Warning");
      const place = step === null || step === undefined || text.includes("step") ? "" : ` (step ${count(step)})`;
      item.append(sign, name, make("span", "", text + place));
      this.lists[isBad ? "bad" : "warn"].append(item);
      this.items.set(key, item);
    }
    for (const list of Object.values(this.lists)) list.hidden = !list.children.length;
  }
}
