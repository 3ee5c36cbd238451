import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import undertow
from undertow.engine.graph import Graph
from undertow.observe.batches import Batches
from undertow.observe.conditions import conditions
from undertow.observe.data import loaders, tensors
from undertow.observe.fresh import looks_fresh
from undertow.observe.probes import loss_head
from undertow.observe.roster import Roster
from undertow.observe.targets import target


def noted(loss):
    graph = Graph.read(loss)
    head = loss_head(graph)
    return conditions(graph, head, target(graph, head), Roster(), Batches())


def wanted(loss):
    graph = Graph.read(loss)
    return target(graph, loss_head(graph))


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_norm_tells_its_mode_and_over_how_many_numbers_it_averages(training):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train(training)
    (norm,) = noted(net(torch.randn(5, 1, 6, 6)).sum()).norms
    assert (norm.training, norm.entries, norm.untouched) == (training, 5 * 4 * 4, not training)


@pytest.mark.parametrize(
    ("norm", "shape", "told"),
    [
        (nn.InstanceNorm2d(4), (2, 1), [("instance", 2)]),
        (nn.InstanceNorm2d(4), (3, 1), []),
        (nn.GroupNorm(4, 4), (1, 1), [("group", 1)]),
        (nn.GroupNorm(2, 4), (1, 1), [("group", 2)]),
        (nn.GroupNorm(1, 4), (1, 1), []),
        (nn.LayerNorm(2), (1, 2), [("layer", 2)]),
        (nn.LayerNorm(1), (2, 1), [("layer", 1)]),
        (nn.LayerNorm(3), (1, 3), []),
        (nn.BatchNorm2d(4), (2, 1), []),
    ],
)
def test_a_normalisation_of_one_or_two_numbers_by_their_own_statistics_is_noted(norm, shape, told):
    answer = norm(nn.Conv2d(3, 4, 1)(torch.randn(5, 3, *shape)))
    assert [(tiny.kind, tiny.entries) for tiny in noted(answer.sum()).tiny] == told


@pytest.mark.parametrize(("row", "alike"), [([3, 3, 3], True), ([3, 1, 3], False)])
def test_what_is_looked_up_tells_whether_it_is_the_same_for_all_examples_and_places_are_left_out(row, alike):
    embed, place = nn.Embedding(5, 4), nn.Embedding(2, 4)
    x = embed(torch.tensor(row)[:, None].expand(3, 2)) + place(torch.arange(2))
    (found,) = noted(nn.Linear(4, 1)(x).sum()).looked_up
    assert (found.rows, found.low, found.high, found.alike) == (3, min(row), 3, alike)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_dropout_is_known_by_its_noise(rate):
    x = nn.Linear(40, 400)(torch.randn(64, 40))
    (dropout,) = noted(F.dropout(x, rate).sum()).dropouts
    assert dropout.kept == pytest.approx(1 - rate)


def test_a_mask_or_a_scale_is_no_dropout():
    x = nn.Linear(40, 400)(torch.randn(64, 40))
    mask = (torch.rand(64, 400) > 0.5).float()
    assert not noted((x * mask * torch.rand(64, 400) * torch.full((400,), 2.0)).sum()).dropouts


def by_hand(q, k, v):
    return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v


@pytest.mark.parametrize("attend", [by_hand, F.scaled_dot_product_attention])
@pytest.mark.parametrize(("sharpness", "entropy", "settled"), [(0.0, 1.0, 0.0), (1e4, 0.0, 1.0)])
def test_attention_tells_how_it_spreads(attend, sharpness, entropy, settled):
    torch.manual_seed(0)
    q = (torch.randn(2, 3, 7, 16) * sharpness).requires_grad_()
    weight = nn.Linear(16, 1)
    (attention,) = noted(weight(attend(q, torch.randn(2, 3, 7, 16), torch.randn(2, 3, 7, 16))).sum()).attentions
    assert attention.keys == 7
    assert attention.entropy == pytest.approx(entropy, abs=1e-3)
    assert attention.settled == pytest.approx(settled, abs=0.2)


def spread(scores, mask=None):
    """The attention of scores that a network made."""
    made = scores * nn.Parameter(torch.ones(1))
    shares = (made if mask is None else made.masked_fill(mask, -1e9)).softmax(-1)
    values = nn.Linear(4, 4)(torch.randn(2, scores.shape[-1], 4))
    (attention,) = noted(nn.Linear(4, 4)(shares @ values).sum()).attentions
    return attention.settled


def test_keys_that_score_the_same_share_a_settled_attention_and_those_left_by_a_mask_need_not():
    even, pair = torch.zeros(2, 3, 6), torch.tensor([0.0, 300.0, 0.0, 0.0, 300.0, 0.0]).expand(2, 3, 6)
    rest = torch.tensor([False, True, False, False, True, False])
    assert spread(pair) == spread(pair, rest) + 1 == 1.0
    assert spread(even) == spread(even, rest) == 0.0
    assert spread(pair / 30, ~rest) == 0.0


def test_units_that_a_mask_leaves_at_zero_do_not_make_those_between_them_alike():
    half = nn.Linear(6, 8)
    with torch.no_grad():
        half.weight[::2] = 0
    assert not noted(half(torch.randn(4, 6)).sum()).alike


def test_units_that_nothing_tells_apart_are_alike_and_others_are_not():
    same, other = nn.Linear(6, 8), nn.Linear(8, 8)
    nn.init.constant_(same.weight, 0.3)
    graph = Graph.read(other(same(torch.randn(4, 6)).tanh()).sum())
    names = {index: leaf is same.weight for index, leaf in graph.leaves()}
    assert [names[index] for index in noted(other(same(torch.randn(4, 6)).tanh()).sum()).alike] == [True]


def test_the_same_batch_has_the_same_mark_and_tells_what_it_was_cut_from():
    net, x = nn.Linear(6, 1), torch.randn(100, 6)
    marks = [noted(F.mse_loss(net(x[a : a + 10]), torch.ones(10, 1))).batch for a in (0, 0, 10)]
    assert marks[0] == marks[1] != marks[2]
    assert (marks[0].rows, marks[0].held) == (10, 100)


def test_a_batch_made_anew_is_told_from_one_that_is_kept():
    net, x, batches = nn.Linear(6, 1), torch.randn(100, 6), Batches()

    def drawn(rows):
        loss = F.mse_loss(net(rows), torch.ones(len(rows), 1))
        graph = Graph.read(loss)
        return batches.batch(graph, target(graph, loss_head(graph))).drawn

    assert [drawn(x[torch.arange(10)]) for _ in range(3)] == [False, True, True]
    kept = x[torch.arange(10)]
    assert [drawn(kept) for _ in range(3)] == [True, False, False]
    assert not drawn(x[:10])


def test_the_users_tensors_are_found_with_their_size():
    mine, weight = torch.zeros(70, 3, 2), torch.zeros(90, 2, requires_grad=True)
    found = {facts["name"]: facts for facts in tensors() if facts["name"] in {"mine", "weight"}}
    assert found == {"mine": {"name": "mine", "rows": len(mine), "width": 6}}
    assert weight.requires_grad


def test_a_signal_times_a_number_is_told_from_one_times_data():
    x = nn.Linear(3, 4)(torch.randn(5, 3))
    assert len(noted((x * 3).sum()).scaled) == len(noted((x / 7.0).sum()).scaled) == 1
    assert not noted((x * torch.randn(5, 4)).sum()).scaled


def test_modules_in_eval_mode_are_counted_if_it_matters_to_them():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Dropout(0.0), nn.BatchNorm1d(4)).eval()
    roster = Roster()
    roster.models[roster.meet_model(net)].called.update({"0", "1", "2", "3"})
    graph = Graph.read(net(torch.randn(3, 4)).sum())
    assert conditions(graph, loss_head(graph), None, roster, Batches()).resting == {"Dropout": 1, "BatchNorm1d": 1}


@pytest.mark.parametrize("squash", [torch.sigmoid, torch.tanh, torch.relu])
@pytest.mark.parametrize("turned", [False, True])
def test_the_target_of_a_loss_written_by_hand_is_had_back(squash, turned):
    y = torch.randn(30, 1)
    output = squash(nn.Linear(3, 1)(torch.randn(30, 3)))
    written = ((y - output) ** 2 if turned else (output - y) ** 2).mean()
    found, library = wanted(written), wanted(F.mse_loss(output, y))
    for name in ("mean", "variance", "low", "high", "past_unit", "past_tanh", "past_zero", "varied"):
        assert getattr(found, name) == pytest.approx(getattr(library, name), rel=1e-4, abs=1e-6)
    assert found.past_zero == pytest.approx(float(y.clamp(max=0).square().mean()))


@pytest.mark.parametrize("by_hand", [lambda a, b: (a - b).abs().mean(), lambda a, b: ((b - a) ** 2).mean()])
def test_the_target_is_had_back_of_a_linear_layer_whose_output_was_not_saved(by_hand):
    layer, y = nn.Linear(3, 1), torch.randn(30)
    output = layer(nn.Linear(4, 3)(torch.randn(30, 4))).squeeze(1)
    found, library = wanted(by_hand(output, y)), wanted(F.mse_loss(output, y))
    for name in ("mean", "variance", "low", "high", "varied", "whole"):
        assert getattr(found, name) == pytest.approx(getattr(library, name), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("squash", [torch.sigmoid, torch.tanh])
def test_the_bounds_of_a_squash_times_a_number_are_known_and_of_one_times_data_they_are_not(squash):
    inside, y = squash(nn.Linear(3, 1)(torch.randn(40, 3))), 9 * torch.randn(40, 1)
    low = -1.0 if squash is torch.tanh else 0.0
    found = wanted(F.mse_loss(2.5 - 3 * inside, y))
    assert (found.least, found.most) == pytest.approx((2.5 - 3, 2.5 - 3 * low), rel=1e-4)
    assert math.isnan(wanted(F.mse_loss(inside * torch.randn(40, 1), y)).least)


def test_what_is_answered_right_is_counted_by_class():
    scores, y = torch.randn(200, 4, requires_grad=True), torch.randint(4, (200,))
    right = torch.bincount(y[scores.argmax(1) == y], minlength=4)
    assert wanted(F.cross_entropy(scores * 1, y)).hits == tuple(right.tolist())
    binary, ones = scores[:, 0] * 1, (y > 1).float()
    right = ((binary > 0) == (ones == 1)).float()
    expected = int((right * (1 - ones)).sum()), int((right * ones).sum())
    assert wanted(F.binary_cross_entropy_with_logits(binary, ones)).hits == expected
    assert wanted(F.binary_cross_entropy(binary.sigmoid(), ones)).hits == expected
    assert not wanted(F.binary_cross_entropy_with_logits(binary, ones * 0.9)).hits


def test_a_sum_is_told_from_a_mean():
    logits, y = nn.Linear(3, 4)(torch.randn(8, 3)), torch.arange(8) % 4
    assert wanted(F.cross_entropy(logits, y, reduction="sum")).summed
    assert not wanted(F.cross_entropy(logits, y)).summed


@pytest.mark.parametrize("seed", range(20))
def test_new_weights_look_fresh_and_trained_ones_do_not(seed):
    torch.manual_seed(seed)
    layers = [nn.Linear(64, 32), nn.Conv2d(8, 16, 3)]
    assert all(looks_fresh(layer.weight) for layer in layers)
    assert looks_fresh(nn.Conv1d(1, 6, 5).weight)
    assert looks_fresh(nn.Embedding(50, 4).weight)
    assert looks_fresh(0.02 * torch.randn(32, 64))
    loaded = [nn.Conv1d(1, 6, 5), nn.Embedding(50, 4)]
    for layer in loaded:
        layer.load_state_dict(layer.state_dict())
    assert not any(looks_fresh(layer.weight) for layer in loaded)
    normal = torch.randn(32, 64) / 64**0.5
    moved = layers[0].weight.detach() + 0.02 * torch.randn(32, 64)
    assert not any(looks_fresh(weight) for weight in (normal, moved, torch.zeros(32, 64), torch.ones(32, 64)))


def test_the_users_loaders_are_found_with_their_size_and_order():
    data = TensorDataset(torch.arange(20))
    ordered, mixed = DataLoader(data, batch_size=4), DataLoader(data, batch_size=5, shuffle=True)
    found = {facts["name"]: facts for facts in loaders() if facts["name"] in {"ordered", "mixed"}}
    assert found["ordered"] == {"name": "ordered", "examples": 20, "rows": 4, "in_order": True}
    assert found["mixed"] == {"name": "mixed", "examples": 20, "rows": 5, "in_order": False}
    assert ordered is not mixed


def test_conditions_survive_the_store(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 2))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.3)
    x, y = torch.randn(64, 6), torch.arange(64) % 2
    with undertow.observe(store=tmp_path / "run", every=1):
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
    run = undertow.Run(tmp_path / "run")
    found = run.passes[0].conditions
    assert [(norm.training, norm.entries) for norm in found.norms] == [(True, 64)]
    assert [dropout.kept for dropout in found.dropouts] == [0.5]
    assert found.batch.rows == 64
    assert run.passes[0].conditions.batch == run.passes[2].conditions.batch
    assert run.updates[0].decay == pytest.approx([0.3] * len(run.parameters), rel=1e-6)
    assert (run.updates[0].angle < math.pi / 2).mean() > 0.5


def test_a_step_uphill_is_told_from_one_downhill(tmp_path):
    net = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, maximize=True)
    with undertow.observe(store=tmp_path / "run", every=1):
        for _ in range(2):
            optimizer.zero_grad()
            net(torch.ones(4, 6)).square().mean().backward()
            optimizer.step()
    run = undertow.Run(tmp_path / "run")
    assert run.updates[0].angle == pytest.approx([math.pi] * 2, abs=1e-3)
    assert run.optimizers[0].settings["maximize"] is True


def test_shares_that_weigh_what_is_computed_are_attention_and_codes_and_answers_are_not():
    torch.manual_seed(0)
    x, lift, read = torch.randn(4, 6, 8), nn.Linear(8, 8), nn.Linear(48, 3)
    h = lift(x)
    attended = (h @ h.transpose(1, 2)).softmax(-1) @ h
    pooled = (lift(x).sum(-1, keepdim=True).transpose(1, 2).softmax(-1) @ h).squeeze(1)
    weighed = (h.sum(-1, keepdim=True).expand(4, 6, 8).softmax(-1) * h).flatten(1)
    code = h.softmax(-1)
    straight = nn.functional.one_hot(code.argmax(-1), 8) - code.detach() + code
    assert [len(noted(read(part.flatten(1)).sum()).attentions) for part in (attended, weighed, code, straight)] == [
        1,
        1,
        0,
        0,
    ]
    assert len(noted(nn.Linear(8, 3)(pooled).sum()).attentions) == 1
