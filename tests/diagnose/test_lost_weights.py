"""What was learned and never came to be trained is told, with its line; what is begun afresh on purpose is not."""

import copy
import inspect
import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(16, 48), nn.Tanh(), nn.Linear(48, 24), nn.Tanh())
        self.head = nn.Linear(24, classes)

    def forward(self, x):
        return self.head(self.trunk(x))


def fit(net, steps=40, rate=0.01):
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=rate)
    for _ in range(steps):
        inputs = torch.randn(32, 16)
        optimizer.zero_grad()
        F.cross_entropy(net(inputs), (inputs[:, 0] + inputs[:, 1] * inputs[:, 2] > 0).long()).backward()
        optimizer.step()
    return net


def start(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)


def loaded_then_applied(first):
    net = Net(3)
    net.trunk.load_state_dict(first.trunk.state_dict())
    net.apply(start)  # lost
    return net


def loaded_then_reset(first):
    net = Net(2)
    net.load_state_dict(first.state_dict())
    for module in (*net.trunk, net.head):
        if isinstance(module, nn.Linear):
            module.reset_parameters()  # lost
    return net


def loaded_then_written_over(first):
    net = Net(2)
    net.load_state_dict(first.state_dict())
    for module in net.modules():
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(mean=0.0, std=0.02)  # lost
    return net


def loaded_then_made_orthogonal(first):
    net = Net(2)
    net.load_state_dict(first.state_dict())
    for weight in [p for p in net.parameters() if p.dim() > 1]:
        nn.init.orthogonal_(weight)  # lost
    return net


def copied_then_applied(first):
    net = Net(3)
    net.trunk = copy.deepcopy(first.trunk)
    net.apply(start)  # lost
    return net


def shared_then_applied(first):
    net = Net(3)
    net.trunk = first.trunk
    net.apply(start)  # lost
    return net


def loaded_then_made_anew(first):
    net = Net(2)
    net.trunk.load_state_dict(first.trunk.state_dict())
    return Net(2)  # lost


def loaded_under_other_names(first):
    net = Net(2)
    state = {f"module.{name}": value for name, value in first.state_dict().items()}
    net.load_state_dict(state, strict=False)  # lost
    return net


def trunk_loaded_into_the_whole(first):
    net = Net(2)
    net.load_state_dict(first.trunk.state_dict(), strict=False)  # lost
    return net


LOST = (
    *(loaded_then_applied, loaded_then_reset, loaded_then_written_over, loaded_then_made_orthogonal),
    *(copied_then_applied, shared_then_applied, loaded_then_made_anew),
    *(loaded_under_other_names, trunk_loaded_into_the_whole),
)


def transferred(folder, way, **second):
    """What is told of a training that another one went before, on the way from which the weights took."""
    torch.manual_seed(0)
    with undertow.observe(store=folder, budget=0.2) as run:
        fit(way(fit(Net(2))), **second)
    review = run.review()
    told = [f for f in (*review.findings, *review.remarks) if f.code == "UT901"]
    return review, told


@pytest.mark.parametrize("way", LOST)
def test_weights_lost_on_the_way_are_told_with_names_and_line(way, tmp_path):
    _, (found,) = transferred(tmp_path / "run", way)
    lines, first = inspect.getsourcelines(way)
    marked = next(first + number for number, line in enumerate(lines) if "# lost" in line)
    assert found.source.endswith(f":{marked}")
    assert {name.rpartition("trunk.")[2] for name in found.evidence["parameters"]} >= {"0.weight", "2.weight"}
    assert found.evidence["of_trained"] > 0.5


def test_they_are_an_alarm_where_the_loss_bears_it_and_a_remark_where_it_does_not(tmp_path):
    stalled, (alarm,) = transferred(tmp_path / "stalled", loaded_then_written_over, steps=60, rate=1e-5)
    assert stalled.cause.code == "UT901"
    assert alarm.harm >= 0.5
    well, (remark,) = transferred(tmp_path / "well", loaded_then_applied, steps=600, rate=0.03)
    assert well.verdict == "healthy"
    assert remark.harm < 0.5


def test_weights_from_a_file_that_no_training_was_seen_of_are_told_as_well(tmp_path):
    torch.manual_seed(0)
    file = io.BytesIO()
    torch.save(fit(Net(2), steps=300).state_dict(), file)
    file.seek(0)

    def from_file(_):
        net = Net(2)
        net.load_state_dict(torch.load(file))
        return net.apply(start)

    assert transferred(tmp_path / "run", from_file)[1]


def loaded(first):
    net = Net(2)
    net.load_state_dict(first.state_dict())
    return net


def drawn_before_it_was_loaded(first):
    net = Net(2).apply(start)
    net.trunk.load_state_dict(first.trunk.state_dict())
    return net


def loaded_again_after_it_was_drawn(first):
    net = loaded(first).apply(start)
    net.load_state_dict(first.state_dict())
    return net


def with_a_new_head(first):
    net = loaded(first)
    nn.init.xavier_uniform_(net.head.weight)
    return net


def with_its_last_layers_drawn_anew(first):
    net = loaded(first)
    net.trunk[2].reset_parameters()
    net.head.reset_parameters()
    return net


def in_parts_under_other_names(first):
    net = Net(2)
    net.load_state_dict({"0.weight": torch.ones(2), **first.state_dict()}, strict=False)
    return net


def begun_afresh_in_place(first):
    return first.apply(start)


def begun_afresh_in_a_copy(first):
    return copy.deepcopy(first).apply(start)


def folds_each_with_its_best_weights_evaluated(first):
    for _ in range(2):
        best = copy.deepcopy(first.state_dict())
        fit(first, steps=5)
        first.load_state_dict(best)
        kept = Net(2)
        kept.load_state_dict(best)
        with torch.no_grad():
            kept(torch.randn(4, 16))
        first.apply(start)
    return Net(2)


def a_teacher_beside_a_student(first):
    teacher = loaded(first)
    student = Net(2)
    student.teacher = [teacher]
    return student


def a_lottery_ticket(first):
    net = loaded(first)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_((weight.abs() > weight.abs().median()).float())
    return net


def shrunk_and_perturbed(first):
    net = loaded(first)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(0.4).add_(0.01 * torch.empty_like(weight).normal_())
    return net


def a_member_of_a_population(first):
    members = [fit(Net(2), steps=5) for _ in range(2)]
    members[0].load_state_dict(members[1].state_dict())
    return members[0]


MEANT = (
    *(loaded, drawn_before_it_was_loaded, loaded_again_after_it_was_drawn, with_a_new_head),
    *(with_its_last_layers_drawn_anew, in_parts_under_other_names, begun_afresh_in_place, begun_afresh_in_a_copy),
    *(folds_each_with_its_best_weights_evaluated, a_teacher_beside_a_student, a_lottery_ticket),
    *(shrunk_and_perturbed, a_member_of_a_population),
)


@pytest.mark.parametrize("way", MEANT)
def test_what_is_kept_or_begun_afresh_on_purpose_is_not(way, tmp_path):
    assert not transferred(tmp_path / "run", way)[1]


def test_a_target_network_and_the_best_weights_so_far_are_not(tmp_path):
    torch.manual_seed(0)
    net, target = Net(2), Net(2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with undertow.observe(store=tmp_path / "run") as run:
        for step in range(60):
            if step % 5 == 0:
                target.load_state_dict(net.state_dict())
                snapshot = Net(2)
                snapshot.load_state_dict(net.state_dict())
            inputs = torch.randn(32, 16)
            with torch.no_grad():
                wanted = target(inputs) + 1
            optimizer.zero_grad()
            F.mse_loss(net(inputs), wanted).backward()
            optimizer.step()
    assert not [event for event in run.stored().events if event.kind == "lost"]


def copied_by_hand(first):
    net = Net(3)
    with torch.no_grad():
        for mine, learned in zip(net.trunk.parameters(), first.trunk.parameters(), strict=True):
            mine.copy_(learned)
    return net.apply(start)


def made_anew_while_the_loaded_one_lives(first):
    net = Net(2)
    net.kept = [loaded(first)]
    return net


@pytest.mark.parametrize("way", [copied_by_hand, made_anew_while_the_loaded_one_lives])
def test_what_was_copied_by_hand_or_lies_unused_is_not_followed(way, tmp_path):
    assert not transferred(tmp_path / "run", way)[1]
