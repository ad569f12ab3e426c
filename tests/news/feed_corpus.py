"""Odd, broken and hostile feeds, built in code: a name, the bytes, and what must come of them.

``expect`` is the number of entries, or ``None`` where the file must be refused.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from cityverse.news.parse import Feed


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    expect: int | None
    check: Callable[[Feed], object] = lambda feed: True


def rss(*items: str, head: str = "", attributes: str = "") -> str:
    return (
        f'<rss version="2.0" {attributes}><channel><title>Journal</title>'
        f"<link>https://news.example/</link>{head}{''.join(items)}</channel></rss>"
    )


def item(title: str = "Un titre", extra: str = "") -> str:
    return f"<item><title>{title}</title><link>https://news.example/a</link>{extra}</item>"


ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>Journal</title><id>urn:j</id>'
    '<link href="https://news.example/"/><updated>2026-04-22T10:00:00Z</updated>'
    '<entry><id>urn:1</id><title type="html">Le &lt;b&gt;titre&lt;/b&gt;</title>'
    '<link rel="alternate" href="/a?utm_source=x"/><published>2026-04-22T10:00:00+02:00</published>'
    "<updated>2026-04-22T11:00:00Z</updated><summary>Texte</summary>"
    "<author><name>Nom</name><email>n@news.example</email></author></entry></feed>"
)
RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<channel rdf:about="https://news.example/"><title>J</title><link>https://news.example/</link>'
    '</channel><item rdf:about="https://news.example/a"><title>Un titre</title>'
    "<link>https://news.example/a</link><dc:date>2026-04-22T10:00:00+02:00</dc:date></item></rdf:RDF>"
)
ATOM03 = (
    '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>J</title><entry><id>urn:1</id>'
    '<title>Le titre</title><link rel="alternate" type="text/html" href="https://news.example/a"/>'
    "<issued>2026-04-22T10:00:00Z</issued><modified>2026-04-22T11:00:00Z</modified></entry></feed>"
)
DELETED = (
    '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="urn:2" when="x">'
    "<at:by><name>Nom</name></at:by><at:comment>Retiré</at:comment></at:deleted-entry>"
    "<deleted-entry when='x' ref='https://news.example/?a=1&amp;b=2'/>"
)
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Journal",
    "home_page_url": "https://news.example/",
    "items": [
        {
            "id": 7,
            "url": "/a",
            "title": "Un titre",
            "content_html": "<p>Bonjour <script>x()</script>à tous</p>",
            "date_published": "2026-04-22T10:00:00+02:00",
            "authors": [{"name": "Nom"}],
            "image": "https://news.example/i.jpg",
        },
        "not an object",
    ],
}


def first(attribute: str, value: object) -> Callable[[Feed], object]:
    return lambda feed: getattr(feed.entries[0], attribute) == value


def titled(value: str) -> Callable[[Feed], object]:
    return first("title", value)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8")


def _doctype(subset: str) -> str:
    return f'<?xml version="1.0"?><!DOCTYPE rss [{subset}]>'


_LAUGHS = '<!ENTITY a "haha">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12)
)
_GEORSS = 'xmlns:georss="http://www.georss.org/georss"'
_GEO = 'xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#"'
_MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/"'

CASES: tuple[Case, ...] = (
    # the usual formats
    Case("rss2", _utf8(rss(item())), 1, titled("Un titre")),
    Case("rss091", _utf8(rss(item()).replace("2.0", "0.91")), 1, titled("Un titre")),
    Case("rss-no-version", _utf8(rss(item()).replace(' version="2.0"', "")), 1),
    Case("atom", _utf8(ATOM), 1, titled("Le titre")),
    Case("atom-link", _utf8(ATOM), 1, first("link", "https://news.example/a")),
    Case("atom-author", _utf8(ATOM), 1, first("author", "Nom")),
    Case("rdf", _utf8(RDF), 1, lambda f: f.entries[0].published.hour == 10),
    Case("json-feed", _utf8(json.dumps(JSON_FEED)), 1, first("summary", "Bonjour à tous")),
    Case(
        "json-feed-link", _utf8(json.dumps(JSON_FEED)), 1, first("link", "https://news.example/a")
    ),
    Case("json-feed-id", _utf8(json.dumps(JSON_FEED)), 1, first("id", "7")),
    Case("empty-feed", _utf8(rss()), 0),
    Case("empty-atom", b'<feed xmlns="http://www.w3.org/2005/Atom"></feed>', 0),
    # no feeds
    Case("empty-file", b"", None),
    Case("blank-file", b" \n\n ", None),
    Case("html", b"<!DOCTYPE html><html><body><h1>502</h1></body></html>", None),
    Case("html-no-doctype", b"<html><head><title>Erreur</title></head></html>", None),
    Case("html-upper", b"<HTML><BODY>gone</BODY></HTML>", None),
    Case("text", b"Service unavailable", None),
    Case("binary", bytes(range(256)) * 20, None),
    Case("png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, None),
    Case("kml", b'<kml xmlns="http://www.w3.org/2005/Atom"><Document/></kml>', None),
    Case("xhtml-as-atom", b'<html xmlns="http://www.w3.org/2005/Atom"><entry/></html>', None),
    Case("foreign-feed", b'<feed xmlns="http://other.example/"><entry/></feed>', None),
    Case("opensearch", b'<OpenSearchDescription xmlns="http://www.w3.org/2005/Atom"/>', None),
    Case("sitemap", b"<urlset><url/></urlset>", None),
    Case("json-other", b'{"items": []}', None),
    Case("json-broken", b'{"version": "https://jsonfeed.org/version/1.1", "items": [', None),
    Case("json-items-no-list", b'{"version":"https://jsonfeed.org/version/1","items":{}}', None),
    # charsets
    Case("bom", b"\xef\xbb\xbf" + _utf8(rss(item("été"))), 1, titled("été")),
    Case("utf16-bom", rss(item("été")).encode("utf-16"), 1, titled("été")),
    Case("utf16-no-bom", rss(item("été")).encode("utf-16-le"), 1, titled("été")),
    Case("utf32", rss(item("été")).encode("utf-32"), 1, titled("été")),
    Case(
        "declared-utf16-is-utf8",
        _utf8('<?xml version="1.0" encoding="utf-16"?>' + rss(item("été"))),
        1,
        titled("été"),
    ),
    Case(
        "latin1",
        ('<?xml version="1.0" encoding="iso-8859-1"?>' + rss(item("été"))).encode("latin-1"),
        1,
        titled("été"),
    ),
    Case(
        "cp1252-as-latin1",
        ('<?xml version="1.0" encoding="iso-8859-1"?>' + rss(item("l’œuvre à 3 €"))).encode(
            "cp1252"
        ),
        1,
        titled("l’œuvre à 3 €"),
    ),
    Case(
        "latin1-undeclared", rss(item("été à la mer")).encode("latin-1"), 1, titled("été à la mer")
    ),
    Case(
        "one-stray-byte",
        _utf8(rss(item("été à Évry, où l’été"), item("pr" + "@@" + "s"))).replace(b"@@", b"\xe9"),
        2,
        lambda f: (f.entries[0].title, f.entries[1].title) == ("été à Évry, où l’été", "prés"),
    ),
    Case(
        "unknown-charset",
        _utf8('<?xml version="1.0" encoding="martian-7"?>' + rss(item("été"))),
        1,
        titled("été"),
    ),
    Case(
        "cyrillic",
        ('<?xml version="1.0" encoding="windows-1251"?>' + rss(item("Привет"))).encode("cp1251"),
        1,
        titled("Привет"),
    ),
    Case("nul-bytes", _utf8(rss(item("a\x00b\x1bc"))), 1, titled("abc")),
    Case("nul-reference", _utf8(rss(item("a&#0;b&#x1b;c"))), 1, titled("a b c")),
    Case("surrogate-reference", _utf8(rss(item("a&#xD800;b"))), 1, titled("a\ufffdb")),
    Case("oversized-reference", _utf8(rss(item("a&#x7fffffff;b"))), 1, titled("a\ufffdb")),
    # markup
    Case(
        "html-title",
        _utf8(rss(item("Un &lt;b&gt;beau&lt;/b&gt; titre"))),
        1,
        titled("Un beau titre"),
    ),
    Case("cdata-title", _utf8(rss(item("<![CDATA[A & <i>B</i>]]>"))), 1, titled("A & B")),
    Case("script-title", _utf8(rss(item("a&lt;script&gt;x()&lt;/script&gt;b"))), 1, titled("ab")),
    Case(
        "html-entities",
        _utf8(rss(item("Caf&eacute; &amp;eacute;t&amp;#233;"))),
        1,
        titled("Café été"),
    ),
    Case("bare-ampersand", _utf8(rss(item("Fish & Chips &co"))), 1, titled("Fish & Chips &co")),
    Case("less-than", _utf8(rss(item("3 < 5 et 7 &lt; 9"))), 1, titled("3 < 5 et 7 < 9")),
    Case("truncated", _utf8(rss(item(), item("Deux")))[:-60], 2),
    Case("truncated-in-tag", _utf8(rss(item(), item("Deux")))[:-25], 2),
    Case("unclosed-cdata", _utf8("<rss><channel>" + item("<![CDATA[Fin")), 1),
    Case("mixed-tags", _utf8(rss("<item><title>a</b></title><p></item>", item("b"))), 2),
    Case("leading-blank-lines", b"\n" * 400_000 + _utf8(rss(item())), 1),
    Case("leading-warning", b"<br />\n<b>Warning</b>: x\n" + _utf8(rss(item())), 1),
    Case("comment-first", b"<!-- cache --><?xml version='1.0'?>" + _utf8(rss(item())), 1),
    Case("doctype", b'<!DOCTYPE rss PUBLIC "-//N//DTD" "http://x/y.dtd">' + _utf8(rss(item())), 1),
    Case("no-title", _utf8(rss("<item><description>Texte</description></item>")), 1),
    # links and ids
    Case(
        "javascript",
        _utf8(rss("<item><title>t</title><link>javascript:x()</link></item>")),
        1,
        first("link", None),
    ),
    Case(
        "data-link",
        _utf8(rss("<item><title>t</title><link>data:text/html,x</link></item>")),
        1,
        first("link", None),
    ),
    Case(
        "relative-link",
        _utf8(
            rss(
                "<item><title>t</title><link>/x?a=1&amp;utm_medium=rss&amp;b=2#xtor=RSS-1</link></item>"
            )
        ),
        1,
        first("link", "https://news.example/x?a=1&b=2"),
    ),
    Case(
        "guid-no-url",
        _utf8(rss("<item><title>t</title><guid>abc-1</guid></item>")),
        1,
        first("link", None),
    ),
    Case(
        "guid-id",
        _utf8(rss(item(extra='<guid isPermaLink="false">abc-1</guid>'))),
        1,
        first("id", "abc-1"),
    ),
    Case("link-id", _utf8(rss(item())), 1, first("id", "https://news.example/a")),
    Case(
        "hash-id",
        _utf8(rss("<item><title>t</title></item>")),
        1,
        lambda f: f.entries[0].id.startswith("sha256:"),
    ),
    Case(
        "duplicate-guids",
        _utf8(
            rss(
                *(
                    f"<item><title>{n}</title><guid>same</guid><link>https://news.example/{n}</link></item>"
                    for n in range(3)
                )
            )
        ),
        3,
        lambda f: len({e.id for e in f.entries}) == 3,
    ),
    Case(
        "same-entry-twice",
        _utf8(rss(item(), item())),
        2,
        lambda f: len({e.id for e in f.entries}) == 1,
    ),
    Case(
        "feedburner",
        _utf8(
            rss(
                item(extra="<feedburner:origLink>https://news.example/real</feedburner:origLink>"),
                attributes='xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"',
            )
        ),
        1,
        first("link", "https://news.example/real"),
    ),
    # people, pictures, places
    Case(
        "mail-author",
        _utf8(rss(item(extra="<author>a@news.example (Nom Propre)</author>"))),
        1,
        first("author", "Nom Propre"),
    ),
    Case(
        "bare-mail-author",
        _utf8(rss(item(extra="<author>a@news.example</author>"))),
        1,
        first("author", None),
    ),
    Case(
        "enclosure-image",
        _utf8(rss(item(extra='<enclosure url="https://news.example/i.jpg" type="image/jpeg"/>'))),
        1,
        first("image", "https://news.example/i.jpg"),
    ),
    Case(
        "enclosure-sound",
        _utf8(rss(item(extra='<enclosure url="https://news.example/i.mp3" type="audio/mpeg"/>'))),
        1,
        first("image", None),
    ),
    Case(
        "media-thumbnail",
        _utf8(
            rss(
                item(extra='<media:thumbnail url="https://news.example/t.png"/>'), attributes=_MEDIA
            )
        ),
        1,
        first("image", "https://news.example/t.png"),
    ),
    Case(
        "image-in-text",
        _utf8(rss(item(extra='<description>&lt;img src="/i.png"&gt;Texte</description>'))),
        1,
        first("image", "https://news.example/i.png"),
    ),
    Case(
        "georss",
        _utf8(rss(item(extra="<georss:point>48.86 2.34</georss:point>"), attributes=_GEORSS)),
        1,
        first("lat", 48.86),
    ),
    Case(
        "geo-lat",
        _utf8(
            rss(item(extra="<geo:lat>48.86</geo:lat><geo:long>2.34</geo:long>"), attributes=_GEO)
        ),
        1,
        first("lon", 2.34),
    ),
    Case(
        "geo-nonsense",
        _utf8(rss(item(extra="<geo:lat>x</geo:lat><geo:long>nan</geo:long>"), attributes=_GEO)),
        1,
        first("lat", None),
    ),
    Case(
        "geo-out-of-range",
        _utf8(rss(item(extra="<geo:lat>148</geo:lat><geo:long>2</geo:long>"), attributes=_GEO)),
        1,
        first("lat", None),
    ),
    Case(
        "gml-poslist-alone",
        _utf8(
            rss(
                item(extra="<gml:posList>1 2 3</gml:posList>"),
                item("b"),
                attributes='xmlns:gml="http://www.opengis.net/gml"',
            )
        ),
        1,
        titled("b"),
    ),
    Case(
        "counting-pixel",
        _utf8(
            rss(
                item(
                    extra="<description>&lt;img width='1' height=1 src='https://t.example/p.gif'&gt;"
                    "&lt;img src='https://news.example/i.jpg' width='640'&gt;</description>"
                )
            )
        ),
        1,
        first("image", "https://news.example/i.jpg"),
    ),
    Case(
        "enormous-image",
        _utf8(
            rss(
                item(
                    extra='<enclosure url="https://news.example/i.tif" type="image/tiff" '
                    'length="80000000"/>'
                )
            )
        ),
        1,
        first("image", None),
    ),
    Case(
        "data-image",
        _utf8(rss(item(extra='<enclosure url="data:image/png;base64,AA" type="image/png"/>'))),
        1,
        first("image", None),
    ),
    Case(
        "future-date",
        _utf8(rss(item(extra="<pubDate>Wed, 01 Jan 2199 00:00:00 GMT</pubDate>"))),
        1,
        first("published", None),
    ),
    Case("bidi-title", _utf8(rss(item("a\u202eb\u2066c\u2069d"))), 1, titled("abcd")),
    Case("bidi-reference", _utf8(rss(item("a&#x202e;b&amp;#8238;c"))), 1, titled("abc")),
    Case("rss090", _utf8(RDF.replace("/rss/1.0/", "/rss/0.9/")), 1, titled("Un titre")),
    Case("atom03", _utf8(ATOM03), 1, titled("Le titre")),
    Case(
        "atom-deleted",
        _utf8(ATOM.replace("</entry>", "</entry>" + DELETED)),
        1,
        lambda f: f.deleted == ("urn:2", "https://news.example/?a=1&b=2"),
    ),
    Case(
        "language",
        _utf8(rss(item(), head="<language>fr-FR</language>")),
        1,
        lambda f: f.language == "fr",
    ),
    Case(
        "language-nonsense",
        _utf8(rss(item(), head="<language>French!</language>")),
        1,
        lambda f: f.language is None,
    ),
    # not whole
    Case("flaw-none", _utf8(rss(item())), 1, lambda f: f.flaws == ()),
    Case("flaw-none-atom", _utf8(ATOM) + b"\n<!-- 3 ms -->", 1, lambda f: f.flaws == ()),
    Case(
        "flaw-none-empty",
        b'<feed xmlns="http://www.w3.org/2005/Atom"/>',
        0,
        lambda f: f.flaws == (),
    ),
    Case(
        "flaw-truncated",
        _utf8(rss(item(), item("b")))[:-60],
        2,
        lambda f: f.flaws == ("truncated",),
    ),
    Case("flaw-truncated-root", _utf8(rss(item()))[:-3], 1, lambda f: f.flaws == ("truncated",)),
    Case(
        "flaw-cdata",
        _utf8("<rss><channel>" + item("<![CDATA[Fin")),
        1,
        lambda f: f.flaws == ("truncated",),
    ),
    # denial of service
    Case(
        "billion-laughs",
        _utf8(_doctype(_LAUGHS) + rss(item("&m;"))),
        1,
        lambda f: len(f.entries[0].title) < 100,
    ),
    Case(
        "quadratic-entity",
        _utf8(_doctype(f'<!ENTITY a "{"x" * 50_000}">') + rss(item("&a;" * 5_000))),
        1,
    ),
    Case(
        "xxe",
        _utf8(_doctype('<!ENTITY x SYSTEM "file:///etc/passwd">') + rss(item("&x;"))),
        1,
        lambda f: "root" not in f.entries[0].title,
    ),
    Case(
        "xinclude",
        _utf8(
            rss(
                item('<xi:include href="file:///etc/passwd" parse="text"/>'),
                attributes='xmlns:xi="http://www.w3.org/2001/XInclude"',
            )
        ),
        1,
        lambda f: "root" not in str(f),
    ),
    Case(
        "doctype-without-end",
        b"<?xml version='1.0'?><!DOCTYPE rss [" + b"<!ENTITY a 'b'>" * 50_000,
        None,
    ),
    Case("deep", _utf8(rss("<item>" + "<a>" * 50_000 + "</item>")), None),
    Case("huge-tag", _utf8(rss("<item " + "a='b' " * 50_000 + "></item>")), None),
    Case("long-author", _utf8(rss(item(extra=f"<author>{'a@' * 200_000}</author>"))), 1),
    Case(
        "long-date",
        _utf8(rss(item(extra=f"<pubDate>{'1' * 1_000_000}</pubDate>"))),
        1,
        first("published", None),
    ),
    Case(
        "long-declaration", b"<?xml version='1.0'" + b" " * 40_000 + b"?>" + _utf8(rss(item())), 1
    ),
    Case(
        "long-text",
        _utf8(rss(item(extra=f"<description>{'mot ' * 500_000}</description>"))),
        1,
        lambda f: len(f.entries[0].summary) <= 2000,
    ),
    Case("ampersand-flood", _utf8(rss(item("&" * 2_000_000))), 1),
    Case("less-than-flood", _utf8(rss(item("<" * 2_000_000))), None),
    Case("tag-flood", _utf8(rss("<item>" + "<category>a</category>" * 50_000 + "</item>")), None),
    Case(
        "attribute-flood",
        _utf8(rss("<item>" + ("<a " + "b='c' " * 300 + "/>") * 60 + "</item>")),
        None,
    ),
    Case("gzip", gzip.compress(_utf8(rss(item()))), 1, titled("Un titre")),
    Case("gzip-bomb", gzip.compress(b"<rss>" + b" " * 60_000_000), None),
    Case("gzip-broken", gzip.compress(_utf8(rss(item())))[:20] + b"xxxx", None),
    Case("over-20-mb", b"<rss>" + b"x" * (20 * 1024 * 1024), None),
    Case("gzip-members", gzip.compress(_utf8(rss())[:60]) + gzip.compress(_utf8(rss())[60:]), 0),
    Case("gzip-many-members", gzip.compress(b"") * 50_000, None),
    Case(
        "gzip-cut",
        gzip.compress(_utf8(rss(item(), item("Deux"))), 0)[:-70],
        2,
        lambda f: f.flaws == ("truncated",),
    ),
    Case(
        "json-flood",
        b'{"version":"https://jsonfeed.org/version/1","items":[' + b"[[]]," * 999_999,
        None,
    ),
    Case(
        "json-no-objects",
        _utf8(json.dumps(JSON_FEED | {"items": [None, 7, "x", [], {"title": ["a"], "url": {}}]})),
        1,
        titled(""),
    ),
    Case(
        "json-bad-authors",
        _utf8(json.dumps(JSON_FEED | {"items": [{"title": "t", "authors": [], "author": 5}]})),
        1,
        titled("t"),
    ),
    Case(
        "json-deep", b'{"version":"https://jsonfeed.org/version/1","items":' + b"[" * 200_000, None
    ),
)
