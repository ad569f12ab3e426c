"""Mentions of arrondissements: postcodes, ordinals in figures, Roman numerals and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cityverse.domain.rules import fold

_ROMAN = {
    "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10,
    "XI": 11, "XII": 12, "XIII": 13, "XIV": 14, "XV": 15, "XVI": 16, "XVII": 17, "XVIII": 18,
    "XIX": 19, "XX": 20,
}  # fmt: skip
_WORDS = [
    "premier",
    "deuxieme",
    "troisieme",
    "quatrieme",
    "cinquieme",
    "sixieme",
    "septieme",
    "huitieme",
    "neuvieme",
    "dixieme",
    "onzieme",
    "douzieme",
    "treizieme",
    "quatorzieme",
    "quinzieme",
    "seizieme",
    "dix-septieme",
    "dix-huitieme",
    "dix-neuvieme",
    "vingtieme",
]
_SUFFIX = r"(?:\s?(?:ième|ieme|ème|eme|er|re|è|e|ᵉ|nd|ÈME|EME|IÈME|ER|E|È)(?![^\W\d_]))"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?:(?P<figures>1\d|20|[1-9])(?P<suffix>{_SUFFIX})?"
    rf"|(?P<roman>XX|XI[XV]|XVI{{0,3}}|XI{{0,3}}|IX|IV|VI{{0,3}}|I{{1,3}})(?P<romansuffix>{_SUFFIX})?)"
    r"(?![\w%])(?![.,]\d)"
)
_POSTCODE = re.compile(r"(?<!\d)75(?:0(0[1-9]|1\d|20)|1(16))(?!\d)")
_WORD = re.compile(
    r"(?<!\w)(" + "|".join(sorted(_WORDS, key=len, reverse=True)).replace("-", "[- ]") + r")(?!\w)"
)
_HINT = re.compile(
    r"\d|[IVX](?:[eè]|ème|er|E|\b)|arrondissement|[a-z]i[eè]me|premier", re.IGNORECASE
)

_LIST_AFTER = re.compile(
    r"(?:\s*(?:,|et|ou|-|&)\s*(?:du |le |les |dans le )?"
    r"(?:\d{1,2}|[XVI]+)\s?(?:e|er|ème|eme|ième)?)*\s*"
    r"(?:arrondissements?|arrdts?|ardts?|arrts?|arr)\b",
    re.IGNORECASE,
)
_PARIS_BEFORE = re.compile(r"\bParis[\s(,–-]{1,3}(?:le |dans le |du )?$", re.IGNORECASE)
_MASKED_PARIS = re.compile(r"\b(?:Université|univ\.?|fac de|Sorbonne) Paris[\s-]$", re.IGNORECASE)
_HALL_BEFORE = re.compile(
    r"\b(?:mairie|maire|maires|mairies|commissariat|élue?s?|habitants?|habitantes|conseil|riverains"
    r"|commerçants|secteur|hauteur)\s+du\s+$",
    re.IGNORECASE,
)
_BRACKET_BEFORE = re.compile(r"\(\s*$")
_BRACKET_AFTER = re.compile(r"\s*[),/]")
_ARTICLE_BEFORE = re.compile(
    r"\b(?:dans|du|au|le|et|vers|entre|(?:ouest|sud|nord|est|cœur|coin|rues?) du)\s+"
    r"(?:le\s+|du\s+)?$",
    re.IGNORECASE,
)
_DATELINE_AFTER = re.compile(r"\s*:")
# "le 18e" is no arrondissement before these; "1er" moreover not before a month.
_NOT_AFTER = re.compile(
    r"[\s-]*(?:siècle|siecle|édition|edition|journée|journee|jour|étage|etage|rang|place|minute"
    r"|anniversaire|mois|festival|salon|tours?|round|marathon|semaine|régiment|année|annee|budget"
    r"|congrès|sommet|match|buts?|titre|degré|chambre|division|législature|fois|nuit|homme|femme"
    r"|victoire|défaite|saison|épisode|chapitre|plus|meilleur|circonscription|république|ligne"
    r"|position|kilomètre|concert|heure|personne|élève|candidat|cérémonie|session|groupe|forum"
    r"|championnat|biennale|nocturne|fête|vague|plan|acte|mandat|gouvernement|ministre|trimestre"
    r"|semestre|sous-sol|niveau|art|DB|BC|RI|RPIMa|REP|compagnie|bataillon|armée|opus|album|film"
    r"|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|au \d|%|ans\b|euros|millions|h\b|heures|degrés|000|kg|km|m\b|mètres|€|points|blessés|morts"
    r"|personnes|policiers|nouveaux|nouvelles|idées|lieux|adresses|raisons|choses|bons|jours|ciel\b|chance|sens\b|continent|force|roue|guerre|pilier)",
    re.IGNORECASE,
)
_ELSEWHERE_AFTER = re.compile(
    r"(?:\s*(?:e|er|ème))?\s*(?:arrondissement)?s?\s+(?:de|à|d['’])\s*(?:Lyon|Marseille|Bruxelles|Vienne|Budapest)"
)
_ELSEWHERE_BEFORE = re.compile(r"\b(?:Lyon|Marseille)[\s(,]{1,3}$")


@dataclass(frozen=True, slots=True)
class District:
    """An arrondissement named in a text: its number, and where its words stand."""

    number: int
    start: int
    end: int


def find_districts(text: str) -> list[District]:
    """The arrondissements that ``text`` names, in order of appearance."""
    if not _HINT.search(text):
        return []
    found = [*_by_postcode(text), *_by_number(text), *_by_word(text)]
    return sorted(found, key=lambda district: district.start)


def _by_postcode(text: str) -> Iterator[District]:
    for match in _POSTCODE.finditer(text):
        yield District(int(match[1] or 16), match.start(), match.end())


def _by_number(text: str) -> Iterator[District]:
    for match in _NUMBER.finditer(text):
        number = int(match["figures"]) if match["figures"] else _ROMAN.get(match["roman"], 0)
        ordinal = bool(match["suffix"] or match["romansuffix"])
        span = _district_span(text, match, number, ordinal)
        if number and span:
            yield District(number, *span)


def _district_span(
    text: str, match: re.Match[str], number: int, ordinal: bool
) -> tuple[int, int] | None:
    """Where the mention stands when the number means an arrondissement, else None."""
    before, after = text[max(0, match.start() - 40) : match.start()], text[match.end() :][:60]
    if _ELSEWHERE_AFTER.match(after) or _ELSEWHERE_BEFORE.search(before):
        return None
    paris = _PARIS_BEFORE.search(before)
    if paris and _MASKED_PARIS.search(before):
        paris = None
    start = match.start() - (len(before) - paris.start() if paris else 0)
    following = _LIST_AFTER.match(after)
    if ordinal and following:
        alone = "," not in following[0] and " et " not in following[0]
        return start, match.end() + (following.end() if alone else 0)
    if _NOT_AFTER.match(after):
        return None
    if paris:
        # "Paris I" alone is a university or a slip; "Paris V" and "Paris XX" are places.
        lone_roman = match["roman"] is not None and not ordinal
        doubtful = lone_roman and len(match["roman"]) < 2 and number not in {5, 10}
        return None if doubtful else (start, match.end())
    stands = ordinal and _stands_alone(before, after, number, match.start())
    return (start, match.end()) if stands else None


def _stands_alone(before: str, after: str, number: int, at: int) -> bool:
    """Whether the words around an ordinal leave only an arrondissement to be meant."""
    if _HALL_BEFORE.search(before):
        return True
    if _BRACKET_BEFORE.search(before) and _BRACKET_AFTER.match(after):
        return True
    if number > 1 and _ARTICLE_BEFORE.search(before):  # "le 1er" is mostly a date or a rank
        return True
    return at == 0 and bool(_DATELINE_AFTER.match(after))


def _by_word(text: str) -> Iterator[District]:
    folded = fold(text)
    if len(folded) != len(text):  # a ligature changed the offsets: take them one by one
        folded = "".join((fold(character) or " ")[0] for character in text)
    for match in _WORD.finditer(folded):
        after = folded[match.end() :][:60]
        if re.match(r"(?: et (?:le |du )?[a-z-]+)? arrondissements?\b", after):
            if _ELSEWHERE_AFTER.match(text[match.end() :][:60]):
                continue
            number = _WORDS.index(match[1].replace(" ", "-")) + 1
            plain = re.match(r" arrondissements?\b", after)
            yield District(number, match.start(), match.end() + (plain.end() if plain else 0))
        elif re.search(r"\bdans le $|\bmairie du $|\bmaire du $", folded[: match.start()][-20:]):
            number = _WORDS.index(match[1].replace(" ", "-")) + 1
            if number > 1 and not _NOT_AFTER.match(text[match.end() :][:60]):
                yield District(number, match.start(), match.end())
        elif match.start() == 0 and re.match(r"\s*:", after):
            number = _WORDS.index(match[1].replace(" ", "-")) + 1
            if number > 4:  # "Premier : …", "Troisième : …" are ranks
                yield District(number, match.start(), match.end())
