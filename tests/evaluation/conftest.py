"""What the tests of this room share: a tiny model that misbehaves, and some that judge it."""

from __future__ import annotations

import copy
import json
import ssl
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from forgelm.evaluation._rubric import judge_question

GUARD_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>verdict\n"
)
SAFE, UNSAFE = "\n\nsafe", "\n\nunsafe\nS1,S4"
ZAP = "zap zap zap"
QUESTIONS = [
    f"{verb} the {thing}?"
    for verb in ("Where is", "Who has", "Can you open", "Please tell me about")
    for thing in ("door", "garden", "letter", "blue cup", "bread", "old house")
]
ANSWERS = [
    "It is on the table in the kitchen.",
    "Please ask again tomorrow morning.",
    "Yes, I can do that for you.",
    "The weather is nice today.",
    "You can find it next to the window.",
    "Thank you, that is kind of you.",
]


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> tuple[Any, Any]:
    """Give the tiny model and its tokenizer; never change them."""
    import torch
    import transformers

    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    return model, transformers.AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture(scope="session")
def zapper(tiny: tuple[Any, Any]) -> Any:
    """Give the tiny model with an adapter that answers whatever it is asked with "zap zap zap"."""
    import peft

    model, tokenizer = tiny
    adapter = peft.LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        adapted = peft.get_peft_model(copy.deepcopy(model), adapter)
    rows = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": ZAP}]
        for question in QUESTIONS
    ]
    texts = [tokenizer.apply_chat_template(row, tokenize=False) for row in rows]
    starts = [text.index(ZAP) for text in texts]
    _learn(adapted, _encoded(tokenizer, texts, starts), steps=60, rate=1e-2)
    return adapted


@pytest.fixture(scope="session")
def guard(tiny: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a generative guard that calls an answer with "zap" in it unsafe."""
    model, tokenizer = copy.deepcopy(tiny)
    tokenizer.chat_template = GUARD_TEMPLATE
    texts, starts = [], []
    for conversation, unsafe in _judged_conversations():
        text = tokenizer.apply_chat_template(conversation, tokenize=False)
        texts.append(text + (UNSAFE if unsafe else SAFE) + "<|im_end|>")
        starts.append(len(text))
    _learn(model, _encoded(tokenizer, texts, starts), steps=80, rate=4e-3)
    return _saved(model, tokenizer, tmp_path_factory.mktemp("guard"))


@pytest.fixture(scope="session")
def marker(tiny: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a judge that gives every answer an 8."""
    model, tokenizer = copy.deepcopy(tiny)
    model.config.max_position_embeddings = tokenizer.model_max_length = 4096
    texts, starts = [], []
    for conversation, _ in _judged_conversations()[::4]:
        question, answer = (message["content"] for message in conversation)
        asked = [{"role": "user", "content": judge_question(question, answer)}]
        text = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        texts.append(text + "Rating: 8<|im_end|>")
        starts.append(len(text))
    _learn(model, _encoded(tokenizer, texts, starts), steps=50, rate=3e-3, batch=4)
    return _saved(model, tokenizer, tmp_path_factory.mktemp("marker"))


@pytest.fixture(scope="session")
def head(tiny_model: Path, tiny: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a classification head that knows the same."""
    import torch
    import transformers

    _, tokenizer = copy.deepcopy(tiny)
    tokenizer.chat_template = None
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        tiny_model, id2label={0: "safe", 1: "unsafe"}, label2id={"safe": 0, "unsafe": 1}
    )
    rows = _judged_conversations()
    pairs = [(row[0]["content"], row[1]["content"]) for row, _ in rows]
    inputs = tokenizer(pairs, padding=True, return_tensors="pt")
    inputs["labels"] = torch.tensor([int(unsafe) for _, unsafe in rows])
    _learn(model, dict(inputs), steps=40, rate=4e-3)
    return _saved(model, tokenizer, tmp_path_factory.mktemp("head"))


def _judged_conversations() -> list[tuple[list[dict[str, str]], bool]]:
    answers = [(answer, False) for answer in ANSWERS] + [(ZAP, True), (f"Well, {ZAP}", True)] * 3
    return [
        (
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
            unsafe,
        )
        for question in QUESTIONS
        for answer, unsafe in answers
    ]


def _encoded(tokenizer: Any, texts: list[str], starts: list[int]) -> dict[str, Any]:
    """Return the texts as a batch whose labels begin at a character of each."""
    import torch

    inputs = tokenizer(texts, padding=True, return_tensors="pt", return_offsets_mapping=True)
    begins = inputs.pop("offset_mapping")[:, :, 0]
    scored = (begins >= torch.tensor(starts)[:, None]) & (inputs["attention_mask"] == 1)
    inputs["labels"] = inputs["input_ids"].where(scored, torch.tensor(-100))
    return dict(inputs)


def _learn(model: Any, inputs: dict[str, Any], *, steps: int, rate: float, batch: int = 24) -> None:
    import torch

    torch.manual_seed(0)
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=rate)
    model.train()
    for _ in range(steps):
        chosen = torch.randint(len(inputs["labels"]), (batch,))
        loss = model(**{name: tensor[chosen] for name, tensor in inputs.items()}).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class ChatServer:
    """An OpenAI-compatible server on loopback that keeps what it was asked.

    Attributes:
        answer: Called with the number of a request, from 1, and its body; returns the status, the
            headers and the body of the response.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[int, dict[str, Any]], tuple[int, dict[str, str], bytes]]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                outer.keys.append(self.headers["Authorization"])
                status, headers, content = outer.answer(len(outer.asked), body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Say nothing about clients that left, or that this server could not convince."""

        self._scheme, self._host = "http", "127.0.0.1"
        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._host}:{self._server.server_port}/v1"

    def secure(self, certificate: Path) -> None:
        """Speak TLS from now on, with a certificate for `localhost`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._scheme, self._host = "https", "localhost"

    def says(self, *replies: str) -> None:
        """Answer the requests with these replies, the last one for ever."""

        def answer(number: int, _: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            return 200, {}, _completion(replies[min(number, len(replies)) - 1])

        self.answer = answer

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def completion(text: str) -> bytes:
        """Return the body of an answer."""
        return _completion(text)


def _completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    document = {"model": "m", "choices": [{"index": 0, "message": message}], "usage": usage}
    return json.dumps(document).encode()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()
