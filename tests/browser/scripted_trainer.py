# A trainer that only tells a story, for a kernel to `exec`: same events, no model.
import math
import time

from forgelm import ProgressEvent
from forgelm_widgets import TrainingMonitor


class ScriptedTrainer:
    def __init__(self, steps, pause_s=0.0, end="train_end", message=None):
        self.steps, self.pause_s, self.end, self.message = steps, pause_s, end, message
        self.listeners, self.seq = [], 0

    def subscribe(self, listener):
        self.listeners.append(listener)

    def unsubscribe(self, listener):
        self.listeners.remove(listener)

    def tell(self, kind, step, message=None, **metrics):
        event = ProgressEvent(
            kind=kind,
            run_id="fg-0123456789ab",
            seq=self.seq,
            time=time.time(),
            step=step,
            max_steps=self.steps,
            epoch=2 * step / self.steps,
            metrics=metrics,
            message=message,
        )
        self.seq += 1
        for listener in self.listeners:
            listener(event)

    def train(self):
        self.tell("train_begin", 0)
        self.tell("evaluate", 0, eval_loss=5.1)
        for step in range(1, self.steps + 1):
            time.sleep(self.pause_s)
            wave = 0.12 * math.sin(2.3 * step) + 0.1 * math.sin(0.7 * step)
            loss = 1.6 + 3.4 * math.exp(-4 * step / self.steps) + wave
            rate = 2e-4 * (1 - step / self.steps)
            self.tell("log", step, loss=loss, learning_rate=rate, tokens_per_second=912.0)
            if step % 20 == 0:
                self.tell("evaluate", step, eval_loss=loss + 0.2 - wave)
        self.tell(self.end, self.steps, self.message)


def watch(trainer):
    TrainingMonitor(trainer).show()
    trainer.train()
