"""Where an article happened: names found in its words, weighed, the best one first.

One pass over the words finds every name of the gazetteer, longest first. A name counts
when its cue holds; mask phrases and names of other towns take their words away from the
places. What remains is weighed by its type, by where it stands, and by the turn of
phrase before it. An article about the whole city, the region or elsewhere has no place.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from cityverse.domain.places import Evidence, Location
from cityverse.errors import InputError
from cityverse.news.cues import CONTEXTS, CUES, cue_holds
from cityverse.news.gazetteer import OUTSIDE, Gazetteer, Name, Outlines, Place, load
from cityverse.news.ordinals import District, find_districts
from cityverse.news.text import speak_utf8
from cityverse.news.tokens import PARTICLES, Tokens, read_words

_THRESHOLD = 0.5
_IN_TITLE = 0.15
_DATELINE = 0.12
_HOUSE_NUMBER = 0.08
# Contexts that weigh this much tell where somebody lives or was taken.
_AT_HOME = -0.35
_AGREES = 0.08
_DISAGREES = -0.2
_LATER = 0.004
_IN_OTHER_TOWN = -0.7
_LONGEST_TEXT = 5000
_LONGEST_LINE = 1_000_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_ROUND_UP = 4

_STREETS = frozenset({"street", "byway", "unplaced"})
_STREETLIKE = _STREETS | {
    "square",
    "area",
    "quartier",
    "sector",
    "arrondissement",
    "market",
    "park",
}
_HEADS = (
    "rue|avenue|boulevard|place|quai|gare|porte|bois|pont|hotel|square|faubourg|villa|passage|impasse"
    "|cite|lycee|college|station|metro|route|parc|jardin|theatre|cafe|restaurant|bar|ligne|stade|ecole"
    "|zoo|musee|hopital|puces|terminus|direction|axe|accord|accords|traite"
)
_HEAD_BEFORE = re.compile(rf"(?:^| )(?:{_HEADS})(?: de| d| du| des)?(?: la| l| le)?$")
_AT = re.compile(
    r"(?:^| )(?:a|au|aux|en|dans|vers|pres de|commune de|ville de)(?: la| le| l| les)?$"
)
_PARIS = re.compile(r" (?:paris|parisiens?|parisiennes?|intra muros|capitale) ")
_PARIS_ITSELF = re.compile(r" (?:paris|intra muros) ")
_AWAY = re.compile(
    r" (?:a l etranger|en province|en montagne|en vacances|au ski|en mer|outre mer) "
)
_BETWEEN = PARTICLES | {"dans", "pres", "banlieue"}
_DATELINE_END = re.compile(r"^\s*(?:\([^()]{1,30}\)\s*)?(?:[:,|–—]|\.\s)")
_DEPARTMENT = re.compile(r"\((?:7[78]|9[1-5])\)")
_HOUSE = re.compile(
    r"(?<![\d.,])(?<!\d )([1-9]\d{0,2}(?: ?(?:bis|ter|quater))?)"
    r",? (?:de la |de l['’]|du |des |de )?$",
    re.IGNORECASE,
)
_PERSON_BEFORE = frozenset(
    {"mme", "m", "mlle", "monsieur", "madame", "me", "dr", "docteur", "pr", "professeur", "juge"}
)
_FIRST_NAMES = read_words("first-names")
_FAMILY_BEFORE = re.compile(
    r"(?:^| )(?:chez|famille|clan|dynastie|freres|soeurs|epoux)(?: les| des)?$"
)
_PERSON_AFTER = re.compile(
    r"(?:l |le |la |un |une |cette |cet )?(?:homme|femme|icone|pionnier|pionniere|heros|heroine"
    r"|poete|poetesse|ecrivain|ecrivaine|roi|reine|general|marechal|peintre|philosophe|savante?"
    r"|resistante?|compositeur|compositrice|revolutionnaire|tribun|marquise?|aviateur|aviatrice"
    r"|inventeur|medecin des|militante?|ne en|nee en|mort en|morte en|figure|ancetre) "
)
_PLURALS = {
    "rues": "rue", "avenues": "avenue", "boulevards": "boulevard", "quais": "quai", "gares": "gare",
    "portes": "porte", "places": "place", "ponts": "pont", "hopitaux": "hopital", "lycees": "lycee",
    "stations": "station", "squares": "square", "parcs": "parc", "musees": "musee",
    "theatres": "theatre", "mairies": "mairie",
}  # fmt: skip
_CORNERS = dict.fromkeys(
    ("angle", "carrefour", "croisement", "intersection"), ("rue", "boulevard", "avenue")
)
_HEADS_OF_MANY = _PLURALS.keys() | _CORNERS.keys()
_TITLE_OF_WORK = re.compile(
    r" (?:film|films|roman|livre|serie|comedie musicale|musical|album|chanson|documentaire|pochoir"
    r"|bande dessinee|bd|piece|podcast|telefilm|long metrage|court metrage|thriller|polar|essai"
    r"|jeu video|single|clip|recueil|saison \d|netflix|biopic|tube|romanciers?|romanciere|auteure?"
    r"|autrice|ecrivains?|ecrivaine|realisateur|realisatrice|cineaste|acteur|actrice|intrigue"
    r"|best seller|fiction|feuilleton|dessinateur|dessinatrice|chanteur|chanteuse|rappeur|rappeuse"
    r"|comedien|comedienne|dessin anime|manga|nouvelle|poeme|opera rock|spectacle|musicals?"
    r"|reedite|traduit|librairies?) "
)
_QUOTED = re.compile(r"[«“\"„]\s?([^«»“”\"„]{1,60}?)\s?[»”\"]")


@dataclass(frozen=True, slots=True)
class Found:
    """A place that an article names: how much speaks for it, and the words that do."""

    place: Place
    score: float
    evidence: tuple[Evidence, ...]
    number: str | None = None
    """The house number before a street, as written ("12 bis")."""

    def location(self) -> Location:
        """As a point to plot; the score is capped at 1."""
        precision = self.place.kind.precision
        assert precision is not None  # noqa: S101 (places outside Paris are never Found)
        numbers = self.place.arrondissements
        return Location(
            place=self.place.name,
            lat=self.place.lat,
            lon=self.place.lon,
            precision=precision,
            arrondissement=numbers[0] if numbers else None,
            score=round(min(1.0, self.score), 3),
            evidence=self.evidence,
        )


@dataclass(slots=True)
class _Mention:
    """A place named at words ``first`` to ``last`` of a field."""

    place: Place
    field: str
    first: int
    last: int
    start: int
    end: int
    score: float
    number: str | None = None


@dataclass(slots=True)
class _Field:
    """One text of an article with everything found in it."""

    name: str
    tokens: Tokens
    mentions: list[_Mention]
    outside: list[_Mention]
    districts: list[District]


class Locator:
    """Finds the places of articles. Building one takes a moment; using it is thread-safe."""

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        self._gazetteer = gazetteer or load()
        self._outlines = Outlines()

    def arrondissement_at(self, lat: float, lon: float) -> int | None:
        """The arrondissement around a point (degrees, WGS 84), None outside Paris."""
        return self._outlines.arrondissement_at(lat, lon)

    def locate(self, title: str, summary: str) -> Location | None:
        """The place to plot an article at, or None for news of no one place in Paris."""
        places = self.places(title, summary)
        return places[0].location() if places else None

    def places(self, title: str, summary: str) -> list[Found]:
        """Every place an article is about, the best first; empty when it has none."""
        tokens = [Tokens(text[:_LONGEST_TEXT]) for text in (title, summary)]
        article = tokens[0].line + "|" + tokens[1].line
        fields = [
            self._read(name, part, article) for name, part in zip(_FIELDS, tokens, strict=True)
        ]
        if _dateline_elsewhere(fields[0], article):
            return []
        self._weigh(fields, article)
        mentions = [m for field in fields for m in field.mentions if m.score >= _THRESHOLD]
        if _is_round_up(mentions):
            return []
        return _merge(fields, mentions)

    # --- reading one text -----------------------------------------------------------------

    def _read(self, name: str, tokens: Tokens, article: str) -> _Field:
        field = _Field(name, tokens, [], [], find_districts(tokens.text))
        quoted = _quoted_titles(tokens, article)
        previous: _Mention | None = None
        for first, last, key in self._longest(tokens):
            candidates = self._gazetteer.get(key)
            if candidates[0].place.type == "mask":
                continue
            holding = [
                candidate
                for candidate in candidates
                if self._holds(candidate, tokens, first, last, article, previous)
            ]
            if not holding:
                continue
            place = _most_talked_of(holding, article).place
            mention = _mention(place, field, first, last)
            if place.type in OUTSIDE:
                if not _HEAD_BEFORE.search(tokens.left(first)):
                    field.outside.append(mention)
            elif not any(start <= mention.start < end for start, end in quoted):
                field.mentions.append(mention)
                previous = mention
        field.mentions += self._plurals(field)
        for district in field.districts:
            whole = self._gazetteer.districts.get(district.number)
            if whole:
                field.mentions.append(
                    _Mention(whole, name, -1, -1, district.start, district.end, 0.0)
                )
        return field

    def _longest(self, tokens: Tokens) -> list[tuple[int, int, str]]:
        """Names in the text, as word spans; a longer one takes its words from the shorter."""
        spans = []
        for start, end, key in self._gazetteer.scan(tokens.line):
            span = tokens.span(start, end)
            if span:
                spans.append((*span, key))
        spans.sort(key=lambda span: (span[0] - span[1], span[0]))
        taken: set[int] = set()
        kept = []
        for first, last, key in spans:
            numbers = range(first, last + 1)
            if taken.isdisjoint(numbers):
                taken.update(numbers)
                kept.append((first, last, key))
        return sorted(kept)

    @staticmethod
    def _holds(
        name: Name, tokens: Tokens, first: int, last: int, article: str, previous: _Mention | None
    ) -> bool:
        if _is_person(tokens, first, last):
            return False
        if name.cue == "none":
            return False
        cue = CUES[name.cue]
        if cue.free and _reads_as_person(tokens, first, last):
            cue = CUES["local"]
        if cue_holds(cue, tokens, first, last, article):
            return True
        # "stations Arts et Métiers, République et Opéra": one cue serves a whole list.
        listed = (
            previous is not None
            and previous.place.type in {"station", "square"}
            and cue.left is not None
            and tokens.words[previous.last + 1 : first] in (["et"], [], ["a"], ["et", "a"], ["ou"])
        )
        return listed and (not tokens.cased or tokens.capital(last))

    def _plurals(self, field: _Field) -> Iterator[_Mention]:
        """One head for several names: "rues de Tolbiac et de Choisy"."""
        words = field.tokens.words
        for number, word in enumerate(words):
            heads = _CORNERS.get(word) or (_PLURALS[word],) if word in _HEADS_OF_MANY else ()
            at = number + 1
            for _ in range(4):
                last, name = self._with_head(heads, words, at)
                if name is None:
                    break
                yield _mention(name.place, field, number if at == number + 1 else at, last)
                at = last + 1
                if at < len(words) and words[at] in {"et", "ou", "puis"}:
                    at += 1

    def _with_head(
        self, heads: tuple[str, ...], words: list[str], at: int
    ) -> tuple[int, Name | None]:
        """The place called one of ``heads`` and the words from ``at`` on, and its last word."""
        for length in (5, 4, 3, 2, 1) if heads else ():
            tail = words[at : at + length]
            if len(tail) == length and tail[-1] not in PARTICLES:
                joined = " ".join(tail)
                bare = (joined,) if "station" in heads else ()
                for written in (*(f"{head} {joined}" for head in heads), *bare):
                    for name in self._gazetteer.get(written):
                        if name.place.kind.precision is not None and name.place.type != "quartier":
                            return at + length - 1, name
        return 0, None

    # --- weighing -------------------------------------------------------------------------

    def _weigh(self, fields: list[_Field], article: str) -> None:
        numbers = {district.number for field in fields for district in field.districts}
        in_paris = bool(_PARIS.search(article)) or bool(numbers)
        title_outside = [m for m in _towns(fields[0]) if _AT.search(fields[0].tokens.left(m.first))]
        here = bool(_PARIS_ITSELF.search(article)) or bool(numbers)
        away = not here and (_elsewhere(fields) or bool(_AWAY.search(article)))
        for field in fields:
            for mention in field.mentions:
                mention.score = _score(mention, field, numbers)
                if away and _is_background(mention, field):
                    mention.score += _IN_OTHER_TOWN
                mention.score += _other_town(mention, field)
                common = mention.place.type in _STREETLIKE or mention.field == "summary"
                if title_outside and not in_paris and common:
                    mention.score += _IN_OTHER_TOWN
                if not in_paris and mention.place.name in _NAMESAKES and _elsewhere(fields):
                    mention.score += _IN_OTHER_TOWN


_FIELDS = ("title", "summary")
# Streets that half the towns of France have: another town in the article makes them its own.
_NAMESAKES = frozenset(
    """Avenue Jean-Jaurès|Place de la République|Place de la Nation|Boulevard Voltaire
    |Avenue Foch|Avenue Gambetta|Place Gambetta|Avenue de la République|Rue de la Paix
    |Rue Saint-Jacques|Rue Nationale|Place Victor-Hugo|Avenue Victor-Hugo|Rue du Commerce
    |Rue Pasteur|Boulevard Pasteur|Rue Lafayette|Rue de Strasbourg|Boulevard de Strasbourg
    |Boulevard Saint-Michel|Rue Gambetta|Avenue du Général-Leclerc|Rue Saint-Denis|Rue Saint-Martin
    |Rue de Metz|Place de la Madeleine|Place de la Bourse|Rue de la Liberté|Boulevard Jean-Jaurès
    |Place Dauphine|Place Saint-Michel|Rue Jeanne-d'Arc|Avenue de Paris|Rue de Belfort|Rue Carnot
    |Avenue Carnot|Boulevard Carnot|Rue de Rivoli|Hôtel de Ville|Hôtel-Dieu|Rue de la République"""
    .replace("\n    ", "").split("|")
)  # fmt: skip


def _most_talked_of(names: list[Name], article: str) -> Name:
    """Of places that share a name (a hospital, a school) the one the article is about."""
    if len(names) == 1:
        return names[0]

    def talk(name: Name) -> int:
        near = CUES[name.cue].near
        return len(set(near.findall(article))) if near else 0

    return max(names, key=talk)


def _mention(place: Place, field: _Field, first: int, last: int) -> _Mention:
    tokens = field.tokens
    start, number = tokens.starts[first], None
    if place.type in _STREETS or place.type == "square":
        house = _HOUSE.search(tokens.text, max(0, start - 20), start)
        if house:
            start, number = house.start(), house[1]
    return _Mention(place, field.name, first, last, start, tokens.ends[last], 0.0, number)


def _is_person(tokens: Tokens, first: int, last: int) -> bool:
    """ "Sophie Marais", "Mme Bastille", "chez les Batignolles", "Gambetta, l'homme qui …"."""
    if not tokens.cased:
        return False
    if _FAMILY_BEFORE.search(tokens.left(first)):
        return True
    if tokens.after(last).startswith(",") and _PERSON_AFTER.match(tokens.right(last)):
        return True
    if first != last or first == 0:
        return False
    before = tokens.words[first - 1]
    if tokens.text[tokens.ends[first - 1] : tokens.starts[first]].strip(" .-"):
        return False
    return before in _PERSON_BEFORE or (before in _FIRST_NAMES and tokens.capital(first - 1))


def _reads_as_person(tokens: Tokens, first: int, last: int) -> bool:
    """Whether a name is a first name and another, without the hyphen that places have."""
    named = first < last and tokens.words[first] in _FIRST_NAMES and tokens.capital(first)
    return named and tokens.text[tokens.ends[first] : tokens.starts[first + 1]] == " "


def _quoted_titles(tokens: Tokens, article: str) -> list[tuple[int, int]]:
    """Spans of short quotations in an article about films, books and the like."""
    if not _TITLE_OF_WORK.search(article):
        return []
    return [match.span() for match in _QUOTED.finditer(tokens.text)]


def _dateline_elsewhere(title: _Field, article: str) -> bool:
    """ "Montreuil : …", "À Lyon, …": the title itself says that it is not about Paris."""
    if _DEPARTMENT.search(title.tokens.text):
        return not _PARIS_ITSELF.search(title.tokens.line) and not title.districts
    for mention in _towns(title):
        before = title.tokens.words[: mention.first]
        if all(word in PARTICLES for word in before) and _DATELINE_END.match(
            title.tokens.text[mention.end : mention.end + 40]
        ):
            return not _PARIS_ITSELF.search(title.tokens.line) and not title.districts
    return False


def _score(mention: _Mention, field: _Field, numbers: set[int]) -> float:
    place, tokens = mention.place, field.tokens
    score = place.kind.weight - _LATER * min(20, mention.start // 12)
    left = _left(mention, tokens)
    if mention.first < 0:  # an arrondissement: its own pattern was its cue
        score += _IN_TITLE * 0.6 if field.name == "title" else 0.0
        return score + sum(
            c.weight for c in CONTEXTS if c.weight <= _AT_HOME and c.words.search(left)
        )
    score += _IN_TITLE if field.name == "title" else 0.0
    if field.name == "title" and ":" in tokens.after(mention.last)[:3] and mention.first < 6:
        score += _DATELINE
    if mention.number:
        score += _HOUSE_NUMBER
    if numbers and place.arrondissements:
        agrees = not numbers.isdisjoint(place.arrondissements)
        score += _AGREES if agrees else _DISAGREES if place.type in _STREETS else 0.0
    return score + sum(context.weight for context in CONTEXTS if context.words.search(left))


def _other_town(mention: _Mention, field: _Field) -> float:
    """Minus, when another town stands right behind ("rue de Paris à Charenton") or before."""
    words = field.tokens.words
    for other in field.outside:
        between = words[mention.last + 1 : other.first]
        if (
            mention.last >= 0
            and other.first > mention.last
            and len(between) <= 3
            and _ties(between, mention.place.type)
            and (mention.place.type in _STREETLIKE or between)
            and not re.search(r"[.;:!?]", field.tokens.text[mention.end : other.start])
        ):
            return _IN_OTHER_TOWN
        gap = field.tokens.text[other.end : mention.start] if other.end <= mention.start else "…"
        if mention.place.type in _STREETS and re.fullmatch(r"[\s,(]{1,3}(?:au )?[\d\s,]{0,8}", gap):
            return _IN_OTHER_TOWN
    return 0.0


def _is_background(mention: _Mention, field: _Field) -> bool:
    """Whether the words before tell of somebody's home, past or way, not of what happened."""
    left = _left(mention, field.tokens)
    return any(context.weight < 0 and context.words.search(left) for context in CONTEXTS)


def _left(mention: _Mention, tokens: Tokens) -> str:
    first = mention.first if mention.first >= 0 else bisect_left(tokens.starts, mention.start)
    return tokens.left(first, 9)


def _towns(field: _Field) -> list[_Mention]:
    """What lies outside Paris but for countries: "guerre en …" may be marched against here."""
    return [mention for mention in field.outside if mention.place.type != "country"]


def _ties(between: list[str], type_: str) -> bool:
    if type_ == "station":  # "de la gare de Lyon à Melun" is a journey
        return False
    return all(word in _BETWEEN and word not in {"et", "les"} for word in between)


def _elsewhere(fields: Iterable[_Field]) -> bool:
    return any(
        _AT.search(field.tokens.left(m.first)) or m.first == 0
        for field in fields
        for m in field.outside
    )


def _is_round_up(mentions: list[_Mention]) -> bool:
    """Several places all over town, none of them in the title: news of the whole city."""
    if any(m.field == "title" for m in mentions):
        return False
    districts = {m.place.arrondissements[:1] for m in mentions if m.place.arrondissements}
    return len(districts) >= _ROUND_UP and len({m.place.name for m in mentions}) > _ROUND_UP


def _merge(fields: list[_Field], mentions: list[_Mention]) -> list[Found]:
    """One Found for each place, with all its evidence, best first."""
    by_place: dict[str, list[_Mention]] = {}
    for mention in mentions:
        by_place.setdefault(mention.place.name, []).append(mention)
    texts = {field.name: field.tokens.text for field in fields}
    found = [
        Found(
            same[0].place,
            max(m.score for m in same),
            tuple(
                Evidence(m.field, m.start, m.end, texts[m.field][m.start : m.end])
                for m in sorted(same, key=lambda m: (-m.score, m.field != "title", m.start))
            ),
            next((m.number for m in same if m.number), None),
        )
        for same in by_place.values()
    ]
    return sorted(found, key=lambda f: -f.score)


# --- the command line's form --------------------------------------------------------------


def locate_lines(stdin: TextIO, stdout: TextIO, locator: Locator | None = None) -> None:
    """``news locate``: a line of JSON in (id, title, summary), a line of JSON out, in order.

    Raises InputError that names the first line which cannot be read.
    """
    speak_utf8(stdin)
    speak_utf8(stdout)
    finder = locator or Locator()
    number = 0
    while line := _read_line(stdin, number := number + 1):
        if line.strip():
            item = _read_item(line, number)
            location = finder.locate(item["title"], item["summary"])
            row = _as_row(item["id"], location)
            text = json.dumps(row, ensure_ascii=False)
            # Half a surrogate pair cannot be written as UTF-8, only as an escape.
            stdout.write((json.dumps(row) if _SURROGATE.search(text) else text) + "\n")


def _read_line(stdin: TextIO, number: int) -> str:
    try:
        return stdin.readline(_LONGEST_LINE + 1)
    except UnicodeDecodeError as error:
        raise InputError(f"line {number}: not UTF-8") from error


def _read_item(line: str, number: int) -> dict[str, Any]:
    if len(line) > _LONGEST_LINE:
        raise InputError(f"line {number}: over {_LONGEST_LINE} characters")
    try:
        item = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {number}: not JSON") from error
    if not isinstance(item, dict):
        raise InputError(f"line {number}: not a JSON object")
    texts = {key: item.get(key) if item.get(key) is not None else "" for key in _FIELDS}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"line {number}: {key} must be a text")
    return {"id": item.get("id"), **texts}


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(name)


def _as_row(id_: Any, location: Location | None) -> dict[str, Any]:
    if location is None:
        empty = dict.fromkeys(("place", "lat", "lon", "precision", "score"))
        return {"id": id_, **empty, "evidence": []}
    return {
        "id": id_,
        "place": location.place,
        "lat": location.lat,
        "lon": location.lon,
        "precision": location.precision.value,
        "score": location.score,
        "evidence": [asdict(evidence) for evidence in location.evidence],
    }
