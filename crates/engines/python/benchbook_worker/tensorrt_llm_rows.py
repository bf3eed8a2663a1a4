"""TensorRT-LLM: greedy decoding by an engine that it builds of a checkpoint of Transformers."""

import asyncio
import shutil
import tempfile

import torch
from tensorrt_llm import SamplingParams
from tensorrt_llm._tensorrt_engine import LLM

from .transformers_decoding import model_of


class Decoding:
    """`greedy-decoding` with a step for each answer of its stream."""

    def __init__(self, setting, inputs):
        self.setting, self.inputs, self.events = setting, inputs, asyncio.new_event_loop()
        folder = tempfile.mkdtemp(prefix="benchbook-tensorrt-llm-")
        try:
            model_of(setting, inputs).save_pretrained(folder)
            make = lambda: LLM(model=folder, skip_tokenizer_init=True)
            self.engine = setting.timed("compile_ns", make)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.sampling = SamplingParams(max_tokens=setting.tokens, top_k=1, end_id=-1, detokenize=False)

    def begin(self):
        self.made = []
        prompt = self.inputs["prompt"].tolist()
        self.stream = self.engine.generate_async(prompt, self.sampling, streaming=True).__aiter__()

    def step(self):
        """Waits for the next tokens; tells how many came, and whether there are more to come."""
        before = len(self.made)
        self.made = self.events.run_until_complete(anext(self.stream)).outputs[0].token_ids
        return len(self.made) - before, len(self.made) < self.setting.tokens

    def result(self):
        return torch.tensor(self.made)[:, None]
