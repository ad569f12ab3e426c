"""Addresses in feeds: made absolute, freed from tracking, and http or https only."""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from cityverse.domain.rules import check_link
from cityverse.errors import InvalidField

_LONGEST = 2048
_TRACKING = re.compile(
    r"utm_.*|at_(?:medium|campaign|custom\d|format|link.*|ptr.*|send.*|creation|emailtype)|xtor|xts"
    r"|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|igsh|mc_[ce]id|_hs(?:enc|mi)"
    r"|mkt_tok|vero_id|wickedid|oly_(?:anon|enc)_id|rb_clickid|s_cid|ncid|cmpid|ito|ocid|sr_share"
    r"|pk_\w+|mtm_\w+|piwik_\w+|matomo_\w+|hsa_\w+|ns_(?:campaign|mchannel|source|linkname|fee)",
    re.IGNORECASE,
)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\"<>\\^`{|}]")


def clean_link(raw: object, base: str | None = None) -> str | None:
    """``raw`` as an absolute http or https address without tracking parameters, else None."""
    if not isinstance(raw, str) or not raw.strip() or len(raw) > 2 * _LONGEST:
        return None
    try:
        own = re.sub(r"[\t\r\n]", "", raw.strip())
        absolute = own if re.match(r"https?:", own, re.IGNORECASE) else urljoin(base or "", own)
        parts = urlsplit(absolute)
        if parts.scheme not in {"http", "https"}:
            return None
        host = parts.netloc.lower()
        link = urlunsplit(
            (
                parts.scheme,
                host,
                # Some feeds glue an address without scheme to their own: host//host/path.
                parts.path.removeprefix(f"//{host}"),
                _without_tracking(parts.query),
                "" if _TRACKING.match(parts.fragment.partition("=")[0]) else parts.fragment,
            )
        )
        link = _UNSAFE.sub(lambda match: quote(match[0]), link)
        check_link("link", link)
    except (ValueError, InvalidField):
        return None
    return link


def same_address(link: str) -> str:
    """A clean link as a key: with and without TLS, ``www.`` or a last slash it is one address."""
    parts = urlsplit(link)
    path = parts.path.rstrip("/")
    return urlunsplit(("", site_of(link), path, parts.query, parts.fragment))


def site_of(link: str | None) -> str:
    """The host of a clean link without ``www.``; empty where there is none."""
    return ((urlsplit(link).hostname or "") if link else "").removeprefix("www.")


def is_front_page(link: str) -> bool:
    """Whether a clean link leads to a site as a whole."""
    parts = urlsplit(link)
    return not (parts.path.strip("/") or parts.query or parts.fragment)


def _without_tracking(query: str) -> str:
    """Only touched when something must go, so that odd queries stay as they are."""
    pairs = query.split("&") if query else []
    kept = [pair for pair in pairs if not _TRACKING.fullmatch(pair.partition("=")[0])]
    return "&".join(kept)
