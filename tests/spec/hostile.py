"""Text that must never pass for a site id or a hostname."""

from __future__ import annotations

HOSTILE_TEXT = (
    "",
    " ",
    "'",
    '"',
    'a".example',
    "a'.example",
    "a`id`.example",
    "$host.example",
    "${HOME}.example",
    "$(id).example",
    "%d.example",
    "%(host)s.example",
    "@(exec://id)",
    "@(exec://id).example",
    "a\n.example",
    "a.example\n",
    "a.example\r\nHost: b.example",
    "a.example;}",
    "a.example; } server { listen 80; ",
    "a.example{",
    "a\0.example",
    "a.example\0",
    "a\x1b[31m.example",
    "a\x7f.example",
    "a b.example",
    "a\t.example",
    "~^.*$",
    "~a.example",
    "a#.example",
    "a\\.example",
    "a/b.example",
    "../a.example",
    "/etc/passwd",
    "a,b.example",
    "a|b.example",
    "a&b.example",
    "a<b>.example",
    "user@a.example",
    "http://a.example",
    "x" * 300,
    "-a.example",
    "a-.example",
    "a.-example",
    "_a.example",
    "a_b.example",
    ".a.example",
    "a..example",
    ".",
    "..",
    "*",
    "*.example.org",
    "a.*.example",
    "a.example:80",
    "a.example.",
    f"{'a' * 64}.example",
)

LOOKALIKES = (
    "\u0430urora.example",  # Cyrillic a in a Latin word
    "auror\u0430.example",
    "\u0430\u0440\u0440\u04cf\u0435.com",  # "apple", all Cyrillic
    "xn--80ak6aa92e.com",  # the same, as it is sent
    "XN--80AK6AA92E.com",
    "www.\u0430\u0440\u0440\u04cf\u0435.com",
    "\u03b1\u03b9\u03ba.com",  # Greek letters alone
    "\u0455\u0441\u043e\u0440\u0435.com",
    "\uff41urora.example",  # fullwidth a
    "aurora.\uff45xample",
    "\u212aelvin.example",  # KELVIN SIGN, which str.lower() makes a Latin k
    "\u017fite.example",  # long s, which casefolds to a Latin s
    "a\u0131b\u0456.example",  # dotless i and Ukrainian i
    "aurora\u3002example",  # ideographic full stop
    "aurora.example\u3002",
    "aurora\uff0eexample",  # fullwidth full stop
    "aurora\uff61example",  # halfwidth ideographic full stop
    "auro\u200bra.example",  # zero width space
    "auro\u200cra.example",  # zero width non-joiner
    "auro\u200dra.example",  # zero width joiner
    "auro\u00adra.example",  # soft hyphen
    "\ufeffaurora.example",  # byte order mark
    "\u202eaurora.example",  # right-to-left override
    "aurora\u2044b.example",  # fraction slash
    "e\u0301.example",  # not in normal form C
    "\u043fp\u0438\u043c\u0435\u0440.\u0440\u0444",  # a Latin p in a Cyrillic word
    "\u05d0a.example",  # Hebrew and Latin
    "B\u00dcCHER.example",  # upper case is not IDNA 2008
    "xn--zz--.example",
    "xn--a.example",
    "xn--.example",
    "\U0001f4a9.example",  # emoji
    "\ud800.example",  # a lone surrogate, as os.environ has for bytes that are not UTF-8
)

ADDRESSES = (
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "1.0x7f",
    "a.0x",
    "a.123",
    "0.0.0.0",
    "2130706433",
    "[::1]",
    "::1",
    "[::ffff:127.0.0.1]",
    "\uff11\uff12\uff17.0.0.1",  # fullwidth digits
)

TOO_LONG = (
    ".".join(["a" * 63] * 4)[:254],
    ".".join(["b" * 49] * 5) + ".cccc",
    ".".join(["\u00fc" * 55] * 5),
    "\u00fc" * 64 + ".example",
)

HOSTILE_HOSTNAMES = (*HOSTILE_TEXT, *LOOKALIKES, *ADDRESSES, *TOO_LONG, "localhost", "aurora")

HOSTILE_SITE_IDS = (
    *HOSTILE_TEXT,
    *LOOKALIKES,
    *ADDRESSES,
    "Aurora",
    "aurora.example",
    "1aurora",
    "-aurora",
    "aurora-",
    "auro--ra",
    "auro_ra",
    "a" * 41,
    "\u0430urora",
    "\u212aelvin",
    "\u017fite",
    "\uff41urora",
    "auro\u200dra",
    "aurora\n",
    "aurora\0",
    "\u0661aurora",
    "aurora\u0661",  # an Arabic-Indic digit, which \d would accept
)
