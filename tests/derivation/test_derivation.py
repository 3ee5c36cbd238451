"""The backward pass written out: it runs by itself, gives PyTorch's gradients, and reads as it should."""

import ast
import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, scaled_dot_product_attention

import undertow
from tests.house.root import ROOT, blocks, executed
from tests.samples import SAMPLES
from undertow.derivation.derivation import written
from undertow.derivation.scopes import Scopes
from undertow.derivation.values import Values
from undertow.errors import DerivationError, GraphError, MissingRuleError


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Convolved(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.act, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.conv2, self.head = nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.Linear(6, 3)

    def forward(self, x):
        x = self.pool(self.act(self.bn(self.conv1(x))))
        return self.head(torch.relu(self.conv2(x)).mean((2, 3)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.fc, self.out = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.into(x)
        return self.out(x + torch.relu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_net = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.net = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(self.before_attention(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        mixed = scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.net(self.before_net(x))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.twice, self.head = nn.Embedding(7, 6), nn.Linear(6, 6), nn.Linear(6, 7, bias=False)
        self.head.weight = self.token.weight

    def forward(self, x):
        return self.head(self.twice(self.twice(self.token(x)).square()))


CLASSES = torch.tensor([0, 1, 2, 0, 1])

TASKS = {
    "multilayer perceptron": (Mlp, cross_entropy, torch.randn(5, 4), CLASSES),
    "convolutions": (Convolved, cross_entropy, torch.randn(5, 3, 8, 8), CLASSES),
    "residual": (Residual, cross_entropy, torch.randn(5, 4), CLASSES),
    "transformer block": (Block, mse_loss, torch.randn(2, 5, 8), torch.randn(2, 5, 8)),
    "tied and used twice": (Tied, cross_entropy, CLASSES, CLASSES),
}


def built(name):
    make, loss_fn, *example = TASKS[name]
    torch.manual_seed(0)
    return make().double(), loss_fn, [t.double() if t.is_floating_point() else t for t in example]


def alone(source, parameters, saved):
    namespace = {}
    exec(source, namespace)
    return namespace["backward"](parameters, saved)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", TASKS)
def test_the_source_runs_by_itself_and_gives_the_gradients_of_pytorch(name, mode):
    model, loss_fn, example = built(name)
    getattr(model, mode)()
    derived = undertow.derive(model, loss_fn, example)
    gradients = alone(str(derived), derived.parameters, derived.saved)
    loss_fn(model(example[0]), *example[1:]).backward()
    assert [*gradients] == [parameter for parameter, _ in model.named_parameters()]
    for parameter, tensor in model.named_parameters():
        torch.testing.assert_close(gradients[parameter], tensor.grad, rtol=1e-6, atol=1e-12)
        assert torch.equal(derived()[parameter], gradients[parameter])


def gradients_of(loss, names):
    values = Values()
    try:
        source = written(loss, names, Scopes({}), values, "sample")
    except GraphError:
        return {}
    return alone(source, values.table("parameters"), values.table("saved"))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_whatever_has_a_rule_is_written_out_as_its_rule_says(name):
    for sample in SAMPLES[name]:
        inputs, outputs = sample.ran()
        if any(tensor.is_complex() for tensor in (*inputs, *outputs)):
            continue
        loss = sum((output * torch.rand_like(output)).sum() for output in outputs)
        names = {tensor: f"x{number}" for number, tensor in enumerate(inputs)}
        gradients = gradients_of(loss, names)
        expected = torch.autograd.grad(loss, inputs, allow_unused=True)
        for number, theirs in enumerate(expected):
            if theirs is not None:
                ours = gradients.get(f"x{number}", torch.zeros_like(theirs))
                finite = theirs.isfinite()
                torch.testing.assert_close(ours[finite], theirs[finite], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_it_imports_torch_alone_and_reads_all_that_it_is_given(name):
    derived = undertow.derive(*built(name))
    tree = ast.parse(derived.source)
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == ["import torch"]
    read = set(re.findall(r' (?:parameters|saved)\["(.+)"\]', derived.source))
    assert read == {*derived.parameters, *derived.saved}


@pytest.mark.parametrize("name", TASKS)
def test_every_module_with_parameters_heads_a_block(name):
    model, loss_fn, example = built(name)
    source = undertow.derive(model, loss_fn, example).source
    for path, module in model.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            assert f"# {path} ({type(module).__name__}): " in source


def test_paths_that_meet_are_added_in_plain_sight():
    source = undertow.derive(*built("residual")).source
    assert "d_into = d_add + d_into_via_fc\n" in source
    tied = undertow.derive(*built("tied and used twice")).source
    assert "grad_token_weight = grad_token_weight_via_head + grad_token_weight_via_token\n" in tied


def test_the_page_shows_what_is_printed():
    page = ROOT / "docs" / "derive.md"
    (shown,) = re.findall(r"^```text\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert shown in executed(blocks(page), str(page))


def test_the_model_is_left_as_it_was():
    model, loss_fn, example = built("convolutions")
    model.head = nn.Sequential(nn.Dropout(0.5), model.head)
    before, state = {n: t.clone() for n, t in model.state_dict().items()}, torch.get_rng_state()
    undertow.derive(model, loss_fn, example)
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_edited_source_gives_what_it_says():
    derived = undertow.derive(*built("multilayer perceptron"))
    edited = derived.edited(derived.source.replace("d_fc1 = ", "d_fc1 = 0 * "))
    gradients = edited()
    assert not gradients["fc1.weight"].any()
    assert torch.equal(gradients["fc2.weight"], derived()["fc2.weight"])
    assert derived()["fc1.weight"].any()


@pytest.mark.parametrize("name", TASKS)
def test_called_with_another_batch_it_gives_the_gradients_there_with_the_parameters_of_now(name):
    model, loss_fn, example = built(name)
    derived = undertow.derive(model, loss_fn, example)
    changed = {id(tensor): tensor.roll(1, -1) for tensor in example}
    other = [changed[id(tensor)] for tensor in example]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    gradients = derived(*other)
    loss_fn(model(other[0]), *other[1:]).backward()
    for parameter, tensor in model.named_parameters():
        torch.testing.assert_close(gradients[parameter], tensor.grad, rtol=1e-6, atol=1e-12)


def test_called_with_a_batch_of_another_shape_it_says_where_the_source_would_differ():
    model, loss_fn, (inputs, targets) = built("multilayer perceptron")
    derived = undertow.derive(model, loss_fn, (inputs, targets))
    with pytest.raises(DerivationError, match=r"Line \d+ is .*# 2×.* and was .*# 5×.*\n  A source holds"):
        derived(inputs[:2], targets[:2])


def test_saved_it_runs_as_a_script_and_is_taken_up_again(tmp_path):
    derived = undertow.derive(*built("residual"))
    path = derived.save(tmp_path / "backward.py")
    ran = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True, cwd=tmp_path)
    told = {line.split()[1]: float(line.split()[0]) for line in ran.stdout.splitlines()}
    assert told == {name: pytest.approx(float(g.norm()), rel=1e-4) for name, g in derived().items()}
    path.write_text(path.read_text().replace("d_into = d_add + d_into_via_fc", "d_into = d_add"))
    again = derived.edited(path)
    assert not torch.equal(again()["into.weight"], derived()["into.weight"])
    assert again.save(path).read_text() == again.source


def test_it_is_saved_to_a_python_file_only(tmp_path):
    with pytest.raises(DerivationError, match=r"ends in \.py"):
        undertow.derive(*built("residual")).save(tmp_path / "backward.txt")


@pytest.mark.parametrize(("text", "said"), [("def backward(:", "not Python"), ("import torch", "defines no backward")])
def test_what_is_no_backward_pass_is_refused(text, said):
    with pytest.raises(DerivationError, match=said):
        undertow.derive(*built("residual")).edited(text)


def test_frozen_parameters_have_no_gradient_in_it():
    model, loss_fn, example = built("multilayer perceptron")
    model.fc1.requires_grad_(requires_grad=False)
    assert [*undertow.derive(model, loss_fn, example)()] == ["fc2.weight", "fc2.bias"]


def test_an_operation_without_a_rule_is_named_with_its_module():
    class Spectrum(nn.Module):
        def forward(self, x):
            return torch.linalg.svdvals(x)

    model = nn.Sequential()
    model.add_module("fc", nn.Linear(4, 8))
    model.add_module("spectrum", Spectrum())
    with pytest.raises(MissingRuleError, match=r"no rule for LinalgSvdBackward0, met in spectrum"):
        undertow.derive(model, torch.sum, torch.randn(5, 4))


def test_a_loss_of_many_numbers_is_refused():
    model, _, example = built("multilayer perceptron")
    with pytest.raises(GraphError, match=r"not one number: \(5, 3\)"):
        undertow.derive(model, lambda outputs, _: outputs, example)


def test_a_loss_that_no_parameter_reaches_is_refused():
    with pytest.raises(GraphError, match="no parameter"):
        undertow.derive(nn.Flatten(), torch.sum, torch.randn(5, 4, requires_grad=True))


def test_the_source_is_that_of_one_batch_size():
    model, loss_fn, (inputs, targets) = built("multilayer perceptron")
    derived = undertow.derive(model, loss_fn, (inputs, targets))
    other = undertow.derive(model, loss_fn, (inputs[:2], targets[:2]))
    assert derived.saved.keys() == other.saved.keys()
    with pytest.raises(RuntimeError):
        alone(derived.source, other.parameters, other.saved)
