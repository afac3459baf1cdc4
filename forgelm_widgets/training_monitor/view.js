// @ts-check

const SPOKEN_EVERY_MS = 5000;
const DRAWN_EVERY_MS = 100;
// A slow page draws less often, so that it stays free for its user.
const MOST_OF_THE_TIME = 0.25;

/** One view of a monitor: it paints in the page's frames, and only while it can be seen. */
class View {
  /** @param {Store} store @param {HTMLElement} el */
  constructor(store, el) {
    this.store = store;
    this.root = make("div", "forgelm-widget forgelm-monitor");
    this.steering = new Steering(store);
    this.alerts = new Alerts();
    this.log = make("details", "forgelm-monitor-log");
    this.logLines = make("pre", "forgelm-monitor-lines");
    this.logLines.tabIndex = 0;
    this.logLines.setAttribute("aria-label", "Last lines of the log");
    this.log.append(make("summary", "", "Last lines of the log"), this.logLines);
    this.log.hidden = this.log.open = true;
    this.board = new Board(store, this.root, this.steering.paths);
    this.table = new DataTable(store, () => this.board.entries());
    this.spoken = make("div", "forgelm-spoken");
    this.spoken.setAttribute("role", "status");
    this.spoken_ms = -Infinity;
    this.root.append(this.steering.node, this.alerts.node, this.log, this.board.node, this.table.node, this.spoken);
    keepKeys(this.root);
    el.append(this.root);
    this.board.onMove = (plot) => {
      this.spoken_ms = performance.now();
      say(this.spoken, this.board.words(plot));
    };
    this.isSeen = true;
    this.isStale = true;
    this.frame = this.pause = 0;
    this.next_ms = -Infinity;
    this.change = (/** @type {boolean} */ hasNewPoints) => {
      this.isStale ||= hasNewPoints;
      this.schedule();
    };
    store.views.add(this.change);
    this.sights = new IntersectionObserver((entries) => {
      this.isSeen = entries[entries.length - 1].isIntersecting;
      this.schedule();
    });
    this.sights.observe(this.root);
    this.timer = setInterval(() => this.isSeen && !document.hidden && this.steering.tick(), 1000);
    this.paint();
  }

  schedule() {
    if (this.frame || !this.isSeen) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const { status } = this.store;
    this.root.dataset.state = status.state in STATES ? status.state : "other";
    this.steering.paint();
    this.alerts.paint(status);
    const lines = (status.log ?? []).join("\n");
    this.log.hidden = !lines;
    say(this.logLines, lines);
    if (this.isStale) this.draw();
    else this.board.showWaiting(this.board.plots.size > 0);
    this.speak(status);
  }

  /** Draw the charts, or wait with it when they were drawn just now. */
  draw() {
    const now_ms = performance.now();
    this.root.toggleAttribute("data-stale", now_ms < this.next_ms);
    clearTimeout(this.pause);
    if (now_ms < this.next_ms) {
      this.pause = setTimeout(() => this.schedule(), this.next_ms - now_ms);
      return;
    }
    this.isStale = false;
    this.board.update();
    this.next_ms = now_ms + DRAWN_EVERY_MS;
    // Comes after the browser has put the canvases on the screen.
    requestAnimationFrame(() => {
      this.next_ms = Math.max(this.next_ms, now_ms + (performance.now() - now_ms) / MOST_OF_THE_TIME);
    });
  }

  /** @param {Status} status */
  speak(status) {
    if (performance.now() - this.spoken_ms < SPOKEN_EVERY_MS) return;
    this.spoken_ms = performance.now();
    const losses = this.board.entries().filter(({ panel }) => panel === "loss");
    const values = losses.map(({ name, label }) => `${label} ${number(this.store.curve(name).at(null))}`);
    const [, state] = STATES[status.state] ?? ["", status.state];
    say(this.spoken, [status.words || state, ...values].join(", "));
  }

  close() {
    this.store.views.delete(this.change);
    this.sights.disconnect();
    clearInterval(this.timer);
    clearTimeout(this.pause);
    cancelAnimationFrame(this.frame);
    this.board.close();
    this.root.remove();
  }
}

export default () => {
  /** @type {Store} */
  let store;
  return {
    /** @param {{model: Model}} context */
    initialize({ model }) {
      store = new Store(model);
      return () => store.close();
    },
    /** @param {{el: HTMLElement}} context */
    render({ el }) {
      const view = new View(store, el);
      return () => view.close();
    },
  };
};
