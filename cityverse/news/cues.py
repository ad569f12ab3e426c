"""When a name means the place: rules as data, looked up by the names the fact tables use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from cityverse.news.tokens import PARTICLES, Tokens, read_words


class Capital(Enum):
    """Which words of a match must start with a capital letter."""

    NONE = "none"
    PROPER = "one word that is no common noun"
    TAIL = "one word after the first"
    ANY = "one word"
    ALL = "every word but particles"
    UPPER = "all letters"


@dataclass(frozen=True, slots=True)
class Cue:
    """What must surround a name.

    The capital rule always holds; beyond it, one of the contexts that are given is
    enough: ``left`` (the words just before), ``right`` (just after), ``opening``
    (the name opens the text and a colon follows), or ``near`` (anywhere in the
    article) together with ``near_left`` or an opening. ``unless``, anywhere in the
    article, forbids.
    """

    capital: Capital = Capital.PROPER
    left: re.Pattern[str] | None = None
    right: re.Pattern[str] | None = None
    near: re.Pattern[str] | None = None
    near_left: re.Pattern[str] | None = None
    opening: bool = False
    unless: re.Pattern[str] | None = None

    @property
    def free(self) -> bool:
        """Whether the capital rule is all there is."""
        return not (self.left or self.right or self.near or self.opening)


def _left(words: str, article: bool = True) -> re.Pattern[str]:
    tail = r"(?: d| de| du| des| a)?(?: la| le| les| l)?" if article else ""
    return re.compile(rf"(?:^| )(?:{words}){tail}$")


def _near(stems: str) -> re.Pattern[str]:
    return re.compile(rf" (?:{stems})")


_STATION = (
    "metro|metros|station|stations|rer|gare|gares|arret|arrets|tram|tramway|terminus|correspondance"
    r"|ligne \w{1,3}|lignes \w{1,3} et \w{1,3}|rames? [a-z ]{0,20}"
)
_HERE = "a|au|aux|dans|vers|entre|jusqu a|quartier|secteur|pres|cote|autour|depuis"
_LINE_AFTER = re.compile(r"^(?:ligne|m|metro|rer|station|l\d)(?: |$)")
_BY_SQUARE = f"{_STATION}|place|carrefour|rond point|entre|vers|jusqu a|quartier|autour"
_MEDICAL = (
    "hopita|hospitali|malade|urgences|medecin|infirmi|soignant|patient|maternite|chirurg|brancardier"
    "|lits |ap hp|aphp|interne|psychiatr|bloc operatoire|anesthesi|reanimation|greffe|opere|pediatr"
    "|sages? femmes?|gynecolog|cancer|diagnosti|dons? de sang|addict|geriatr|accouche"
    "|nouveaux? nes?"
    "|nourrisson|prematur|oncolog|cardiolog|neurolog|ophtalm|dermatolog|consultation|ghu|chu |samu"
    "|aide soignant|service de sante|soins"
)
_SHOW = (
    "concert|salle|scene|groupe|chanteu|rappeu|spectacle|festival|cabaret|humorist|tournee|musicien"
    "|club|showcase|theatre|exposition|expo "
)
_MARCH = (
    "manif|cortege|defil|rassembl|marche |parcours|mobilisation|metro|ligne|station|syndicat|pride"
)
_TRANSPORT = (
    "l\\d{1,2}b? |lignes? \\d|ligne |lignes |rer |metro|ratp|rames? |tramway|t3|trafic |voyageur"
    "|quais? |escalator|pickpocket|conducteur|tunnel "
)
_STUDY = (
    "amphi|etudiant|facs? |facult|universit|partiels|campus|licence|blocus|bloqu|sorbonnard"
    "|enseignants? chercheur|recteur|selection"
)
_SCHOOL = "lycee|college|eleve|prepa|classes preparatoires|proviseur|lyceen|collegien|internat|bac "
_FRONT = (
    "devant|face|parvis|abords|autour|rassembl[a-z]*|manifest[a-z]*|pres|enceinte|facade|interieur"
    "|siege|proximite|derriere|grilles|occup[a-z]*|intrus[a-z]*|cour|jardins?"
)

CUES: dict[str, Cue] = {
    "any": Cue(Capital.NONE),
    "cap": Cue(),
    "capany": Cue(Capital.ANY),
    "capall": Cue(Capital.ALL),
    "tail": Cue(Capital.TAIL),
    "acronym": Cue(Capital.UPPER),
    "square": Cue(
        left=re.compile(rf"(?:{_left(_BY_SQUARE).pattern})|(?:^| )a$"),
        right=re.compile(r"^(?:nation|bastille|republique|concorde)(?: |$)"),
        near=_near(_MARCH),
        near_left=_left("a|de|depuis|et|ou|puis|au depart", article=True),
        opening=True,
    ),
    "local": Cue(left=_left(f"{_STATION}|{_HERE}"), right=_LINE_AFTER, opening=True),
    "opening": Cue(left=_left(_STATION), right=_LINE_AFTER, opening=True),
    "station": Cue(left=_left(_STATION), right=_LINE_AFTER),
    "stop": Cue(
        left=_left(_STATION),
        right=_LINE_AFTER,
        near=_near(_TRANSPORT),
        near_left=_left("a|entre|et|vers|depuis|jusqu a|devant|sous|de", article=True),
    ),
    "park": Cue(
        left=_left("parc|jardin|square|bois"),
        near=_near("parc |jardin|square|pelouse|arbres|manege|jogg"),
        near_left=_left("a|au|aux"),
    ),
    "pompidou": Cue(
        left=_left("centre|musee"),
        near=_near(
            "centre d art|centre pompidou|musee|beaubourg|expo|collection|oeuvres|bpi |art "
        ),
        near_left=_left("a|au|de"),
        unless=_near("hopital|metz|president|georges pompidou"),
    ),
    "quartier": Cue(left=_left("quartiers?|secteur|village|conseil de quartier|cite|zac")),
    "halles": Cue(left=_left("aux|des|les|quartier des|station|metro", article=False)),
    "champs": Cue(left=_left("aux|des|les", article=False)),
    "madeleine": Cue(left=_left("eglise|place|quartier|parvis|a|vers|metro|station")),
    "museum": Cue(
        left=_left("musee|museum|exposition|expo|musee du quai"),
        near=_near("musee|expo|tableau|impressionn|chefs? d oeuvre"),
        near_left=_left("a|au"),
    ),
    "luxembourg": Cue(
        left=_left("jardins?|parc|station|rer|gare|palais|theatre|orangerie"),
        near=_near("jardin|senat"),
        near_left=_left("au|du", article=False),
    ),
    "bercy": Cue(
        left=_left("a|parc|quartier|secteur|pres|gare|station|metro|concerts? a|salle"),
        opening=True,
        unless=_near(
            "ministre|ministere|budget|impot|fiscal|econom|financ|deficit|taxe|dette|croissance"
        ),
    ),
    "villette": Cue(left=_left("a|dans|vers|de|quartier|pour")),
    "front": Cue(Capital.ANY, left=_left(_FRONT)),
    "court": Cue(
        Capital.NONE,
        left=_left(_FRONT),
        near=_near("alerte a la bombe|evacue|parvis|porte de clichy|batignolles|demenage"),
        near_left=re.compile(r".?$"),
    ),
    "courtparis": Cue(
        Capital.NONE,
        left=_left(_FRONT),
        near=_near("ile de la cite|orfevres|alerte a la bombe"),
        near_left=re.compile(r".?$"),
    ),
    "jeudepaume": Cue(
        Capital.ANY,
        near=_near("musee|expo|photo|tuileries|concorde"),
        near_left=re.compile(r".?$"),
    ),
    "archives": Cue(
        Capital.ANY, near=_near("expo|musee|soubise|marais|visite"), near_left=re.compile(r".?$")
    ),
    "sciencespo": Cue(
        near=_near("paris|bloc|bloqu|occup|evacu|guillaume|devant|campus|etudiant"),
        near_left=re.compile(r".?$"),
        unless=_near("sciences po (?:lille|lyon|rennes|bordeaux|grenoble|toulouse|aix|strasbourg)"),
    ),
    "ensparis": Cue(Capital.NONE, unless=_near("lyon|cachan|saclay|rennes|gif sur")),
    "university": Cue(
        left=_left("fac|faculte|universite|campus|amphi[a-z]*|etudiants|etudiantes"),
        near=_near(_STUDY),
        near_left=_left("a|de|d|site|centre|devant|pour"),
    ),
    "pupils": Cue(
        left=_left("lycee|college|etablissement|prepa|ecole"),
        near=_near(_SCHOOL),
        near_left=_left(f"{_HERE}|de|lyceens|eleves"),
    ),
    "school": Cue(
        left=_left("lycee|college|etablissement|prepa|ecole"),
        near=_near(_SCHOOL),
        near_left=_left(f"{_HERE}|de|lyceens|eleves"),
        opening=True,
    ),
    "hospital": Cue(
        left=_left(
            "hopital|hopitaux|clinique|chu|maternite|urgences|service|personnels?|soignants?|infirmiers?"
            "|infirmieres?|medecins?|chirurgiens?|bloc|ghu"
        ),
        near=_near(_MEDICAL),
        near_left=_left("a|de|d|l|pour|contre|entre|et|vers|par"),
    ),
    "zenith": Cue(left=_left("au|du|le|salle du", article=False)),
    "olympia": Cue(left=_left("l|a l|de l|salle", article=False)),
    "concert": Cue(Capital.ALL, near=_near(_SHOW), near_left=re.compile(r".?$")),
    "venue": Cue(left=_left("au|du|le", article=False), near=_near(_SHOW), near_left=_left("a|au")),
    "cinema": Cue(near=_near("cinema|film|salle|projection"), near_left=re.compile(r".?$")),
    "bar": Cue(near=_near("bar |guinguette|buttes|pavillon|parc "), near_left=re.compile(r".?$")),
    "shop": Cue(
        near=_near("haussmann|grands? magasins?|vitrine|enseigne|boutique"),
        near_left=re.compile(r".?$"),
        unless=_near("cerisier|meteo|fleurs|saison"),
    ),
}

# Words that name a kind of place or are common nouns: a capital on them alone proves nothing.
_COMMON = PARTICLES | read_words("common-nouns")
# Names that are everyday words too: without capitals to go by they need a place before them.
_EVERYDAY = read_words("everyday-words")


def capitals_hold(rule: Capital, tokens: Tokens, first: int, last: int) -> bool:
    """Whether the words ``first`` to ``last`` are written as the rule asks."""
    numbers = range(first, last + 1)
    if rule is Capital.NONE:
        return True
    if rule is Capital.UPPER:
        return all(_is_acronym(tokens.raw[n]) for n in numbers)
    if not tokens.cased:
        return (
            rule is not Capital.PROPER
            or any(tokens.words[n] not in _COMMON | _EVERYDAY for n in numbers)
            or (not tokens.shouted and tokens.capital(last) and opens(tokens, first, last))
        )
    if rule is Capital.ANY:
        return any(tokens.capital(n) for n in numbers)
    if rule is Capital.ALL:
        return all(tokens.capital(n) for n in numbers if tokens.words[n] not in PARTICLES)
    if rule is Capital.TAIL:
        tail = [n for n in numbers[1:] if tokens.words[n] not in PARTICLES]
        return any(tokens.capital(n) for n in tail)
    proper = [n for n in numbers if tokens.words[n] not in _COMMON] or list(numbers)
    return any(tokens.capital(n) for n in proper)


def _is_acronym(word: str) -> bool:
    return word.isdigit() or sum(letter.isupper() for letter in word) > 1


def opens(tokens: Tokens, first: int, last: int) -> bool:
    """Whether the words open the text (bar "à", "Paris" or an article) and a colon follows."""
    before = tokens.words[:first]
    return ":" in tokens.after(last)[:3] and all(word in _BEFORE_OPENING for word in before)


_BEFORE_OPENING = PARTICLES | {"paris", "metro"}


def cue_holds(cue: Cue, tokens: Tokens, first: int, last: int, article: str) -> bool:
    """Whether the name at ``first`` to ``last`` stands where its cue wants it.

    ``article`` is title and summary as one folded line.
    """
    if not capitals_hold(cue.capital, tokens, first, last):
        return False
    if cue.unless and cue.unless.search(article):
        return False
    if cue.free:
        return True
    left = tokens.left(first)
    opening = opens(tokens, first, last)
    if (cue.left and cue.left.search(left)) or (cue.opening and opening):
        return True
    if cue.right and cue.right.search(tokens.right(last)):
        return True
    if cue.near and cue.near.search(article):
        return opening or first == 0 or bool(cue.near_left and cue.near_left.search(left))
    return False


@dataclass(frozen=True, slots=True)
class Context:
    """A turn of phrase before a name, and how much it speaks for or against "it happened here"."""

    words: re.Pattern[str]
    weight: float


_TO = (
    r"(?: [a-z0-9]+){0,5}? (?:a|au|aux|vers|dans|de|pour)(?: l)?"
    r"(?: hopital| la| le| les| clinique| hopitaux)?(?: de| d| l)?(?: la| l)?$"
)

CONTEXTS: tuple[Context, ...] = (
    Context(
        re.compile(
            r"(?:^| )(?:transport|condui|hospitalis|evacu|admis|soign|oper|achemin|transfer"
            r"|envoy)[a-z]*" + _TO
        ),
        -0.45,
    ),
    Context(re.compile(r"(?:^| )pris(?:e|es)? en charge" + _TO), -0.45),
    Context(
        re.compile(
            r"(?:^| )(?:habit[a-z]*|resid[a-z]*|domicili[a-z]*|originaires?|natifs?|natives?"
            r"|grandi[a-z]*|enfance|elevee?s?|vivait|vivant|demeurant|locataires?|proprietaires?"
            r"|gerante?s?|patronn?e?s?|loge[a-z]*|scolaris[a-z]*|employ[a-z]*|venus? de|venue de)"
            r"(?: [a-z0-9]+){0,3}?(?: a| de| du| des| dans| rue| au| d)?(?: la| le| l| les)?$"
        ),
        -0.35,
    ),
    Context(
        re.compile(
            r"(?:^| )(?:interpell|arret|retrouv|cach|fui|enleve|kidnapp|sequestr|juge|jugee"
            r"|comparu)[a-z]*(?: [a-z0-9]+){0,3}? (?:a|au|dans|de|pres|gare|rue|place|devant)"
            r"(?: la| le| l| du| de)?$"
        ),
        -0.2,
    ),
    Context(
        re.compile(
            r"(?:^| )(?:comme|a l instar|contrairement|apres celui|apres celle|apres ceux"
            r"|compare[a-z]*|equivalent|taille|fois)(?: [a-z]+){0,2}?"
            r" ?(?:a|au|de|du|le|la)?(?: la| le| l)?$"
        ),
        -0.3,
    ),
    Context(
        re.compile(
            r"(?:^| )(?:ancien[a-z]*|ex|eleves?|lyceenn?e?s?|etudiante?s?|prof[a-z]*"
            r"|pompiers?|policiere?s?|agente?s?|employee?s?|salariee?s?)"
            r" (?:[a-z]+ ){0,3}(?:a|au|de|du)(?: la| l)?(?: lycee| college)?$"
        ),
        -0.1,
    ),
    Context(
        re.compile(
            r"(?:^| )(?:a|au|aux|dans|sur|pres|devant|place|quartier|angle|hauteur|long|parvis"
            r"|sous|rue|station|metro|niveau|metres|derriere|face)"
            r"(?: de| du| des| d)?(?: la| le| les| l)?$"
        ),
        0.06,
    ),
)
"""Checked in order; each that fits counts once."""
