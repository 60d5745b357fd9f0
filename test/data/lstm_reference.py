"""Make lstm_reference.txt: one small LSTM in PyTorch, its activations, losses and gradients.

Needs PyTorch, any version; run once and kept, so that the tests need none:

    python3 lstm_reference.py >lstm_reference.txt

Everything in float64 and printed so that float32 loses nothing.  Weights are rounded to float32 first.  Cases
have different lengths; times are hidden in one of them and unknown at one event.  Two batches are learned with
Adam, so that the optimiser is part of the reference.
"""

import math

import torch

V, H, E = 6, 8, 5
TIME_SCALE, EDGE, GAP_WEIGHT, RATE, CLIP = 0.1, 0.02, 0.7, 0.01, 0.05
CASES = [[0, 3, 2, 5, 1, 0, 4], [2, 2, 1, 0, 5], [5, 4, 3, 2], [1]]
HIDDEN_TIMES = [0, 1, 0, 0]

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)


def show(name, tensor):
    values = tensor.detach().reshape(-1).tolist()
    print(name, len(values))
    for i in range(0, len(values), 8):
        print(" ".join(f"{v:.12g}" for v in values[i:i + 8]))


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(V, E)
        self.lstm = torch.nn.LSTM(E + 3, H, batch_first=True)
        self.out = torch.nn.Linear(H, V + 2)
        with torch.no_grad():
            self.lstm.bias_hh_l0.zero_()
            for p in self.parameters():
                p.copy_(p.to(torch.float32))
        # the second bias would double the optimiser's steps
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, events, times):
        h, _ = self.lstm(torch.cat([self.embed(events), times], 2))
        return h, self.out(h)


def named(network, pick):
    """In the layout of the core: matrices that a row vector is multiplied with, gates i f g o."""
    ih = pick(network.lstm.weight_ih_l0).T
    yield "embed", pick(network.embed.weight)
    yield "input", ih[:E]
    yield "recurrent", torch.cat([pick(network.lstm.weight_hh_l0).T, ih[E:]])
    yield "bias", pick(network.lstm.bias_ih_l0)
    yield "out", pick(network.out.weight).T
    yield "out_bias", pick(network.out.bias)


def main():
    network = Network()
    longest = max(map(len, CASES))
    events = torch.zeros(len(CASES), longest, dtype=torch.long)
    target = torch.full((len(CASES), longest), -100)
    gap = torch.full((len(CASES), longest), math.nan)
    since = torch.full((len(CASES), longest), math.nan)
    generator = torch.Generator().manual_seed(11)
    for c, case in enumerate(CASES):
        events[c, :len(case)] = torch.tensor(case)
        target[c, :len(case)] = torch.tensor(case[1:] + [V])
        seconds = torch.rand(len(case), generator=generator) * 9000
        seconds[0] = 0
        gap[c, :len(case)] = torch.log1p(seconds).to(torch.float32)
        since[c, :len(case)] = torch.log1p(seconds.cumsum(0)).to(torch.float32)
    gap[0, 3] = math.nan
    known = torch.isfinite(gap) & torch.isfinite(since)
    known &= torch.tensor(HIDDEN_TIMES).reshape(-1, 1) == 0
    times = torch.stack([torch.where(known, gap * TIME_SCALE, torch.zeros(())),
                         torch.where(known, since * TIME_SCALE, torch.zeros(())), known.double()], 2)
    gap_target = torch.full_like(gap, math.nan)
    gap_target[:, :-1] = gap[:, 1:] * TIME_SCALE
    has_gap = torch.isfinite(gap_target) & (target != -100) & (target != V)

    print("# Made by lstm_reference.py with PyTorch", torch.__version__)
    for name, value in (("n_cases", len(CASES)), ("n_events", V), ("hidden", H), ("embedding", E),
                        ("gap_weight", GAP_WEIGHT), ("rate", RATE), ("clip", CLIP)):
        show(name, torch.tensor([value]))
    show("lengths", torch.tensor([len(c) for c in CASES]))
    show("event", torch.tensor(sum(CASES, [])))
    show("hide", torch.tensor(HIDDEN_TIMES))
    show("log_gap", torch.cat([gap[c, :len(case)] for c, case in enumerate(CASES)]))
    show("log_since", torch.cat([since[c, :len(case)] for c, case in enumerate(CASES)]))
    for name, value in named(network, lambda p: p):
        show(name, value)

    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=RATE)
    for step in range(2):
        optimizer.zero_grad()
        h, logits = network(events, times)
        n = int((target != -100).sum())
        loss = torch.nn.functional.cross_entropy(logits[..., :V + 1].reshape(-1, V + 1), target.reshape(-1), reduction="sum")
        off = (logits[..., V + 1] - gap_target)[has_gap].abs()
        gap_loss = torch.where(off <= EDGE, off * off / (2 * EDGE), off - EDGE / 2).sum()
        ((loss + GAP_WEIGHT * gap_loss) / n).backward()
        if step == 0:
            rows = [(c, t) for c, case in enumerate(CASES) for t in range(len(case))]
            show("h", torch.stack([h[c, t] for c, t in rows]))
            show("probability", torch.stack([torch.softmax(logits[c, t, :V + 1], 0) for c, t in rows]))
            show("next_gap", torch.stack([logits[c, t, V + 1] for c, t in rows]))
        show(f"loss_{step}", loss)
        show(f"gap_loss_{step}", gap_loss)
        for name, value in named(network, lambda p: p.grad):
            show(f"d_{name}_{step}", value)
        torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], CLIP)
        optimizer.step()
        for name, value in named(network, lambda p: p):
            show(f"{name}_{step}", value)


main()
