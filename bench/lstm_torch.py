"""Epochs of the same network in PyTorch, one thread, as JSON on the last line.

usage: lstm_torch.py EVENTS N_EVENTS CASE_LENGTH BATCH EPOCHS WEIGHTS

The files are those of lstm_epoch.c; the batches are taken in the same order."""

import json
import sys
import time

import numpy as np
import torch

HIDDEN, EMBEDDING, RATE = 100, 32, 1e-3


def main(events, n_events, length, batch, epochs, weights):
    torch.set_num_threads(1)
    weights = np.fromfile(weights, dtype=np.float32)
    at = 0

    def take(*shape):
        nonlocal at
        n = int(np.prod(shape))
        at += n
        return torch.from_numpy(weights[at - n:at].reshape(shape).copy())

    embed = torch.nn.Embedding(n_events, EMBEDDING)
    lstm = torch.nn.LSTM(EMBEDDING, HIDDEN, batch_first=True)
    out = torch.nn.Linear(HIDDEN, n_events + 1)
    with torch.no_grad():
        embed.weight.copy_(take(n_events, EMBEDDING))
        lstm.weight_ih_l0.copy_(take(EMBEDDING, 4 * HIDDEN).T)
        lstm.weight_hh_l0.copy_(take(HIDDEN, 4 * HIDDEN).T)
        lstm.bias_ih_l0.copy_(take(4 * HIDDEN))
        lstm.bias_hh_l0.zero_()
        out.weight.copy_(take(HIDDEN, n_events + 1).T)
        out.bias.copy_(take(n_events + 1))
    # a second bias would double Adam's step on it
    lstm.bias_hh_l0.requires_grad_(False)
    parameters = [p for layer in (embed, lstm, out) for p in layer.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=RATE)

    x = torch.from_numpy(np.fromfile(events, dtype=np.uint16).reshape(-1, length).astype(np.int64))
    y = torch.cat([x[:, 1:], torch.full((len(x), 1), n_events)], 1)
    seconds, losses = [], []
    for _ in range(epochs):
        start, total = time.process_time(), 0.0
        for i in range(0, len(x), batch):
            optimizer.zero_grad()
            logits = out(lstm(embed(x[i:i + batch]))[0])
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, n_events + 1), y[i:i + batch].reshape(-1))
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x[i:i + batch])
        seconds.append(time.process_time() - start)
        losses.append(total / len(x))
    print(json.dumps({"seconds": seconds, "losses": losses, "version": torch.__version__}))


main(sys.argv[1], *map(int, sys.argv[2:6]), sys.argv[6])
