"""Small models of the architectures in use, built at random, each with a loss to go backward from."""

from tests.families.family import Family, Member
from tests.families.language import LANGUAGE
from tests.families.pictures import PICTURES
from tests.families.recurrent import RECURRENT

__all__ = ["FAMILIES", "Family", "Member"]

FAMILIES: dict[str, Family] = LANGUAGE | PICTURES | RECURRENT
