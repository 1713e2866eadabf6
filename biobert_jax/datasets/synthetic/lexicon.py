"""Invented names of drugs, diseases and genes, composed as real ones are."""

import random
from collections.abc import Collection
from typing import NamedTuple

CHEMICAL, DISEASE, GENE = "Chemical", "Disease", "Gene"

# Everyday words that are entities in some contexts only; the grammar has the other contexts.
AMBIGUOUS = {
    CHEMICAL: ("lead", "gold", "silver", "iron"),
    DISEASE: ("cold", "stroke", "shock", "depression", "rash"),
}


def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_DRUG_HEADS = _parts("ver zol cor tal mir pex lun dor fal ben cry sil ner gav tor quil rav ome")
_DRUG_MIDDLES = _parts("a i o u ana ero ila ovi ume ati eni ora uzi")
_DRUG_TAILS = _parts(
    "mab tinib olol pril statin azole cillin mycin oxacin sartan gliptin parin idone amide"
)
_SALTS = ("hydrochloride", "sulfate", "acetate", "citrate")

_ORGANS = _parts("dermat gastr nephr cardi oste myel neur pulmon splen arthr col thyr hepat cyst")
_MODIFIERS = _parts("velm brack thorn ostr calv jarr ludw finst merr sorb wend hald")
_MODIFIER_TAILS = _parts("ar ian er ett in oid ow")
_PROCESSES = _parts("itis osis opathy oma algia odynia omalacia")
_QUALIFIERS = ("hereditary", "chronic", "familial", "acute", "congenital", "juvenile")
_KINDS = ("syndrome", "disease", "anemia", "dystrophy", "fever", "carcinoma", "deficiency")
_LESIONS = _parts("fibrosis stenosis atrophy necrosis edema sclerosis")
_LESION_HEADS = _parts("micro xero pachy lipo hydro osteo neo angio")
_SITES = ("knee", "left ear", "bile duct", "lower jaw", "retina", "small bowel", "scalp", "tongue")

_GENE_STEMS = _parts("KR TB ZN FA MY PL CD SL RX NF GR HO WN")
_GENE_MIDDLES = _parts("A B D K L M P R T X")


def chemical_name(rng: random.Random) -> str:
    """A drug, such as "veranamab", at times with its salt."""
    middle = rng.choice(_DRUG_MIDDLES)
    if rng.random() < 0.4:
        middle += rng.choice("lrnvd") + rng.choice("aiou")
    tail = rng.choice(_DRUG_TAILS)
    name = rng.choice(_DRUG_HEADS) + (middle[:-1] if tail[0] in "aio" else middle) + tail
    return f"{name} {rng.choice(_SALTS)}" if rng.random() < 0.12 else name


def disease_name(rng: random.Random) -> str:
    """A disease, such as "xerofibrosis of the knee" or "hereditary brackow syndrome"."""
    process = rng.choice(_ORGANS) + rng.choice(_PROCESSES)
    modifier = rng.choice(_MODIFIERS) + rng.choice(_MODIFIER_TAILS)
    match rng.randrange(5):
        case 0:
            return process
        case 1:
            lesion = rng.choice(_LESION_HEADS) + rng.choice(_LESIONS)
            return f"{lesion} of the {rng.choice(_SITES)}"
        case 2:
            return f"{rng.choice(_QUALIFIERS)} {process}"
        case 3:
            return f"{rng.choice(_QUALIFIERS)} {modifier} {rng.choice(_KINDS)}"
        case _:  # named after somebody
            return f"{modifier.capitalize()} {rng.choice(_KINDS)}"


def gene_name(rng: random.Random) -> str:
    """A gene symbol, such as "KRT17"."""
    return rng.choice(_GENE_STEMS) + rng.choice(_GENE_MIDDLES) + str(rng.randrange(1, 30))


def abbreviation(disease: str) -> str:
    """The initials of a name of three or more words, "" for shorter ones."""
    words = [word for word in disease.split() if word not in ("of", "the")]
    return "".join(word[0].upper() for word in words) if len(words) > 2 else ""


class Lexicon(NamedTuple):
    """The names that a part of the corpus draws from, and what is true of them."""

    names: dict[str, tuple[str, ...]]  # by entity type
    treats: dict[str, tuple[str, ...]]  # chemical to diseases
    causes: dict[str, tuple[str, ...]]  # chemical to other diseases

    def facts(self, relation: str) -> dict[str, tuple[str, ...]]:
        return {"treats": self.treats, "causes": self.causes}[relation]


_MAKERS = {CHEMICAL: chemical_name, DISEASE: disease_name, GENE: gene_name}


def make_lexicon(
    rng: random.Random,
    sizes: dict[str, int],
    known: Lexicon | None = None,
    unseen: float = 1.0,
    avoid: Collection[str] = (),
) -> Lexicon:
    """Invents a lexicon.

    Args:
      rng: its only source of chance.
      sizes: how many names of each type.
      known: a lexicon that the rest of the names come from.
      unseen: the share of names that `known` does not have.
      avoid: further names that a new one must not have.
    """
    names = {}
    for type_, size in sizes.items():
        old = known.names[type_] if known else ()
        fresh = size if known is None else round(size * unseen)
        chosen = dict.fromkeys(rng.sample(old, size - fresh))
        while len(chosen) < size:
            name = _MAKERS[type_](rng)
            if name not in old and name not in avoid:
                chosen[name] = None
        names[type_] = tuple(chosen)
    treats, causes = {}, {}
    for chemical in names[CHEMICAL] + AMBIGUOUS[CHEMICAL]:
        diseases = rng.sample(names[DISEASE] + AMBIGUOUS[DISEASE], 5)
        treats[chemical], causes[chemical] = tuple(diseases[:3]), tuple(diseases[3:])
    return Lexicon(names, treats, causes)
