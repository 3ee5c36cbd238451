import warnings

import pytest
import torch

from tests.gallery.hurts import cured
from tests.gallery.judge import observed
from tests.gallery.table import Case, load

CASES = load()

MISREAD_ONCE = {
    "checkpoint_with_a_prefix": "UT107",
    "column_of_log_probabilities_times_row_of_advantages": "UT404",
    "every_word_unknown": "UT502",
    "image_zero_for_every_index": "UT502",
    "instances_of_two_numbers": "UT602",
    "letters_added_up": "UT407",
    "log_of_clamped_scores": "UT402",
    "lower_bound_minimised": "UT409",
    "numbers_compared_with_strings": "UT504",
    "only_one_of_two_zeroed": "UT303",
    "patience_in_the_wrong_direction": "UT704",
    "shares_cast_to_integers": "UT504",
    "temporal_classification_of_raw_scores": "UT402",
    "tied_without_scaling": "UT408",
    "transformer_without_warm_up": "UT301",
    "views_only_pulled_together": "UT205",
    "weight_norm_after_the_optimizer": "UT304",
}


@pytest.fixture(autouse=True)
def one_thread_and_other_peoples_warnings():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.code and c.split == "held"], ids=lambda c: c.name)
def test_every_fault_that_was_held_back_can_be_taken_out_of_its_source(case):
    assert callable(cured(case))


@pytest.mark.parametrize("name", sorted(MISREAD_ONCE))
def test_a_fault_that_was_misread_is_named_and_its_cured_twin_is_not_accused_of_it(name, tmp_path):
    case, code = CASES[name], MISREAD_ONCE[name]
    assert observed(case, tmp_path / "sick", every=25).cause.code == code
    twin = Case(name, cured(case), None, None, "held", "", None)
    assert code not in {f.code for f in observed(twin, tmp_path / "well", every=25).findings}


def test_networks_made_anew_every_few_steps_have_no_course_to_judge(tmp_path):
    assert observed(CASES["reptile_on_sines"], tmp_path / "run", every=25).outcome.kind in {"learned", "unknown"}


def test_copies_in_full_precision_stand_for_the_parameters(tmp_path):
    review = observed(CASES["half_precision_without_a_loss_scale"], tmp_path / "run", every=25)
    assert "UT304" not in {f.code for f in [*review.findings, *review.remarks]}


FALLS_FOR_NOTHING = (
    "similarity_as_a_loss",
    "concordance_minimised",
    "discs_by_the_wrong_end_of_dice",
    "survival_the_wrong_way_round",
    "siamese_pairs_of_one_kind",
)
LEARNED_BY_HEART = ("friedman_learned_by_heart", "inputs_shuffled_alone")


@pytest.mark.parametrize("name", FALLS_FOR_NOTHING)
def test_does_not_see_a_loss_that_falls_for_nothing(name, tmp_path):
    assert observed(CASES[name], tmp_path / "run", every=25).verdict == "healthy"


@pytest.mark.parametrize("name", LEARNED_BY_HEART)
def test_does_not_see_what_is_learned_by_heart(name, tmp_path):
    assert observed(CASES[name], tmp_path / "run", every=25).verdict != "sick"


def test_places_looked_up_alike_for_all_examples_are_no_data_where_data_are_added_to_them(tmp_path):
    def train():
        torch.manual_seed(0)
        place, out = torch.nn.Embedding(4, 8), torch.nn.Linear(8, 3)
        opt = torch.optim.SGD([*place.parameters(), *out.parameters()], lr=0.01)
        for _ in range(40):
            x = torch.randn(16, 4, 8) + place(torch.arange(4).expand(16, 4))
            opt.zero_grad()
            torch.nn.functional.cross_entropy(out(x.tanh().mean(1)), torch.randint(3, (16,))).backward()
            opt.step()

    review = observed(Case("places", train, None, None, "held", "", None), tmp_path / "run", every=5)
    assert "UT502" not in {f.code for f in [*review.findings, *review.remarks]}


@pytest.mark.parametrize(("name", "remarked"), [("slice_of_parameters", True), ("optimizer_of_the_head_kept", False)])
def test_does_not_accuse_a_training_of_layers_it_may_leave_out_on_purpose(name, remarked, tmp_path):
    review = observed(CASES[name], tmp_path / "run", every=25)
    assert review.verdict == "healthy"
    assert ("UT304" in {f.code for f in review.remarks}) == remarked
