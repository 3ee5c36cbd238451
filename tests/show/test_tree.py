import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.show import runs
from undertow.engine.graph import Edge, Operation, Topology
from undertow.show.tree import READABLE, Group, module_of, opened, tree


def chain(*modules: str) -> Topology:
    """One operation a module, one after the other, the first at the loss."""
    operations = tuple(Operation("MulBackward0", ((2,),), ("float32",), module) for module in modules)
    edges = tuple(Edge(i, 0, i + 1, 0) for i in range(len(modules) - 1))
    return Topology(operations, edges, ((0, 0),))


def shown(root: Group, unfolded: list[Group]) -> int:
    kept = {id(group) for group in unfolded}
    count = 0
    for item in root.items:
        count += shown(item, unfolded) if isinstance(item, Group) and id(item) in kept else 1
    return count


@given(
    st.lists(st.sampled_from(["", "a", "a.b", "a.b.0", "a.b.1", "c.0", "c.1", "c.2", "d"]), min_size=1, max_size=120)
)
def test_every_operation_is_in_the_tree_once_and_it_starts_readable(modules):
    root = tree(chain(*modules), {})
    assert sorted(root.operations()) == list(range(len(modules)))
    assert shown(root, opened(root, {}, "")) <= READABLE + 2


@pytest.mark.parametrize("make", [runs.deep, runs.functional, runs.transformer])
def test_networks_of_any_size_start_readable(tmp_path, make):
    topology = make(tmp_path / "run").passes[0].flow.topology
    root = tree(topology, {})
    assert sorted(root.operations()) == list(range(len(topology)))
    assert 5 <= shown(root, opened(root, {}, "")) <= READABLE + 2


def test_the_module_at_fault_is_unfolded_to():
    root = tree(chain(*[f"blocks.{i}.{part}" for i in range(300) for part in ("fc", "act")]), {})
    unfolded = opened(root, {}, "blocks.151.fc")
    assert any(any(inner.path == "blocks.151.fc" or "151" in inner.path for inner in g.groups()) for g in unfolded)


def test_a_list_of_layers_with_functions_between_them_keeps_the_order_of_the_flow():
    root = tree(chain("layers.2", "", "layers.1", "", "layers.0", ""), {})
    names = [item.name if isinstance(item, Group) else item for item in root.items]
    assert names == ["layers.2", 1, "layers.1", 3, "layers.0", 5]


def test_modules_with_one_module_inside_are_one():
    root = tree(chain("net.body.0", "net.body.1"), {})
    assert [item.name for item in root.groups()] == ["net.body"]


def test_operations_of_a_module_that_ran_unobserved_are_known_by_its_parameters():
    operations = (
        Operation("AddmmBackward0", ((2, 2),), ("float32",)),
        Operation("TBackward0", ((2, 2),), ("float32",)),
        Operation("ReluBackward0", ((2, 2),), ("float32",)),
        Operation("AccumulateGrad", ((2, 2),), ("float32",), leaf="G.4.weight"),
        Operation("AccumulateGrad", ((2,),), ("float32",), leaf="G.4.bias"),
    )
    edges = (Edge(0, 0, 4, 0), Edge(0, 1, 2, 0), Edge(0, 2, 1, 0), Edge(1, 0, 3, 0))
    assert module_of(Topology(operations, edges, ((0, 0),))) == ["G.4", "G.4", "", "G.4", "G.4"]
