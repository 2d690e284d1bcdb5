"""Hostnames of real languages: the pattern is IDNA 2008 and Unicode's own script data, and no guess from names."""

from __future__ import annotations

import pytest

from wagtail_multihost.spec.identifiers import parse_hostname

# The first eleven are IANA's names for tests of internationalised domains (RFC 9224's example zone and
# https://www.iana.org/domains/reserved).
NAMES = {
    "\u0625\u062e\u062a\u0628\u0627\u0631.example": "xn--kgbechtv.example",
    "\u0622\u0632\u0645\u0627\u06cc\u0634\u06cc.example": "xn--hgbk6aj7f53bba.example",
    "\u6d4b\u8bd5.example": "xn--0zwm56d.example",
    "\u6e2c\u8a66.example": "xn--g6w251d.example",
    "\u0438\u0441\u043f\u044b\u0442\u0430\u043d\u0438\u0435.example": "xn--80akhbyknj4f.example",
    "\u092a\u0930\u0940\u0915\u094d\u0937\u093e.example": "xn--11b5bs3a9aj6g.example",
    "\u03b4\u03bf\u03ba\u03b9\u03bc\u03ae.example": "xn--jxalpdlp.example",
    "\ud14c\uc2a4\ud2b8.example": "xn--9t4b11yi5a.example",
    "\u05d8\u05e2\u05e1\u05d8.example": "xn--deba0ad.example",
    "\u30c6\u30b9\u30c8.example": "xn--zckzah.example",
    "\u0baa\u0bb0\u0bbf\u0b9f\u0bcd\u0b9a\u0bc8.example": "xn--hlcj6aya9esc7a.example",
    "\u4f50\u3005\u6728.example.jp": "xn--u6jy55gilq.example.jp",
    "\u6642\u3005.example.com": "xn--u6jz64n.example.com",
    "\u3006\u5207.example.jp": "xn--v6jt73h.example.jp",
    "\u3007\u3007.example.jp": "xn--w6ja.example.jp",
    "\u30b3\u30fc\u30d2\u30fc\u3068a.example.jp": "xn--a-29tykmerib.example.jp",
    "\u043f\u0440\u0438\u0441\u043b\u0456\u0432\u02bc\u044f.example.com.ua": "xn--mqa16eramsgi9iqc.example.com.ua",
    "\u0440\u0443\u0445.com.ua": "xn--p1agg.com.ua",
    "\u03b9\u03ba\u03b1.gr": "xn--mxapd.gr",
    "paral\u00b7lel.cat": "xn--parallel-koa.cat",
    "\u13e3\u13b3\u13a9.example": "xn--f9dt7l.example",
    "\u0939\u093f\u0928\u094d\u0926\u0940\u0967.example": "xn--j2bd4cyah0f6i.example",
    "\u09ae\u09e7.example": "xn--f6b8i.example",
    "fu\u00dfball.de": "xn--fuball-cta.de",
}


@pytest.mark.parametrize(("written", "sent"), NAMES.items(), ids=ascii)
def test_name_of_a_language_is_accepted(written: str, sent: str) -> None:
    """Marks, digits and letters that several scripts use go with each of them; the A-label is accepted too."""
    assert parse_hostname(written) == parse_hostname(sent) == sent


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("g\u0585\u0585gle.com", "mixes the letters"),  # Armenian
        ("\u65e5\u0430.com", "mixes the letters"),  # Han and Cyrillic
        ("\u00e1\u0431.com", "mixes the letters"),
        ("\u30ab\ud55c.com", "mixes the letters"),  # Katakana and Hangul
        ("\u0969\u0a69\u09e7.com", "mixes the letters"),  # digits of three scripts
        ("a\u3005\u0430.com", "mixes the letters"),
        ("\u0440\u0443\u0445.com", "looks like a Latin"),
        ("\u03b9\u03ba\u03b1.com", "looks like a Latin"),
        ("\u03b9\u03ba\u03b1.ru", "looks like a Latin"),
        ("\u0440\u0443\u0445.gr", "looks like a Latin"),
    ],
    ids=ascii,
)
def test_name_that_deceives_is_still_refused(name: str, reason: str) -> None:
    """What goes with all scripts joins none of them; lookalikes pass only where people read their script."""
    with pytest.raises(ValueError, match=reason):
        parse_hostname(name)
