// @ts-check
// Classic scripts, joined into one: nothing to import, nothing to fetch.

/**
 * @typedef {{get(key: string): any, send(content: object): void,
 *   on(event: string, call: Function): void, off(event: string, call: Function): void}} Model
 * @typedef {{ok: boolean, value?: any, error?: string}} Answer
 * @typedef {{heard?: () => void, late?: () => void}} Told  called when an ack came, or came not in time
 */

const RESEND_AFTER_MS = 3000;
const NO_ANSWER = "The kernel does not answer: it runs a cell, or it is gone. What was asked waits for it.";

/** The kernel's end of a widget: a command is sent again once when nobody says it came. */
class Kernel {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.prefix = Math.random().toString(36).slice(2);
    this.number = 0;
    /** @type {Map<string, {done: (answer: Answer) => void, timer: number, told: Told}>} */
    this.open = new Map();
    /** @type {(words: string) => void} */
    this.onFault = () => {};
    this.hear = this.hear.bind(this);
    model.on("msg:custom", this.hear);
  }

  /** @param {string} name @param {object} [args] @param {Told} [told] @returns {Promise<Answer>} */
  call(name, args = {}, told = {}) {
    const id = `${this.prefix}-${++this.number}`;
    const message = { kind: "cmd", id, name, args };
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.model.send(message);
        const last = setTimeout(() => this.settle(id, NO_ANSWER), RESEND_AFTER_MS);
        this.open.set(id, { done, timer: last, told });
        told.late?.();
      }, RESEND_AFTER_MS);
      this.open.set(id, { done, timer, told });
      this.model.send(message);
    });
  }

  /** @param {any} message */
  hear(message) {
    if (message?.kind === "fault") this.onFault(String(message.error));
    const call = this.open.get(message?.id);
    if (!call) return;
    clearTimeout(call.timer);
    if (message.kind === "ack") call.told.heard?.();
    if (message.kind === "result") this.settle(message.id, null, message);
  }

  /** @param {string} id @param {string | null} error @param {Answer} [answer] */
  settle(id, error, answer) {
    const call = this.open.get(id);
    this.open.delete(id);
    call?.done(answer ?? { ok: false, error: error ?? "" });
  }

  close() {
    for (const { timer } of this.open.values()) clearTimeout(timer);
    this.open.clear();
    this.model.off("msg:custom", this.hear);
  }
}

/** Sends what is typed after a pause, and knows whether the kernel's state has caught up. */
class Sender {
  /** @param {Kernel} kernel @param {number} pause_ms @param {() => void} onAnswer */
  constructor(kernel, pause_ms, onAnswer) {
    this.kernel = kernel;
    this.onAnswer = onAnswer;
    this.pause_ms = pause_ms;
    this.timer = 0;
    this.inFlight = 0;
    this.wanted = 0;
    /** @type {(() => Promise<Answer>) | null} */
    this.next = null;
  }

  /** @param {string} name @param {object} args @param {boolean} [now] */
  send(name, args, now = false) {
    this.next = () => this.kernel.call(name, args);
    clearTimeout(this.timer);
    if (now) this.flush();
    else this.timer = setTimeout(() => this.flush(), this.pause_ms);
  }

  flush() {
    clearTimeout(this.timer);
    const call = this.next;
    if (!call) return;
    this.next = null;
    this.inFlight += 1;
    call().then((answer) => {
      this.inFlight -= 1;
      if (answer.ok) this.wanted = Number(answer.value) || 0;
      else this.kernel.onFault(answer.error ?? "");
      this.onAnswer();
    });
  }

  /** Whether a state of number `seq` is older than what was typed. @param {number} seq */
  isAhead(seq) {
    return this.next !== null || this.inFlight > 0 || seq < this.wanted;
  }
}
