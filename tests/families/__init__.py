"""Small models of the architectures in use, layers and losses of torch.nn: each with a loss to go backward from."""

from tests.families.family import Family, Member
from tests.families.language import LANGUAGE
from tests.families.layers import LAYERS
from tests.families.losses import LOSSES
from tests.families.pictures import PICTURES
from tests.families.recurrent import RECURRENT

__all__ = ["FAMILIES", "LAYERS", "LOSSES", "Family", "Member"]

FAMILIES: dict[str, Family] = LANGUAGE | PICTURES | RECURRENT
