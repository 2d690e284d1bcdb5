"""Site ids and hostnames: the only two kinds of text that reach file names, keys and server configs."""

from __future__ import annotations

SITE_ID_LENGTH = 40
PLATFORM_NAME_LENGTH = 20
CODEBASE_LENGTH = 40
NODE_LENGTH = 40
HOSTNAME_LENGTH = 253
LABEL_LENGTH = 63

# Every process of every site checks these first: sets are ready at once, regular expressions have to be compiled.
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
DIGITS = frozenset("0123456789")
HEX_DIGITS = DIGITS | frozenset("abcdef")
ALPHANUMERIC = LETTERS | DIGITS
LDH = ALPHANUMERIC | {"-"}
WORD = ALPHANUMERIC | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def shown(value: object) -> str:
    """
    Return ``value`` as an error message may show it: ASCII, on one line, at most 60 characters. The credentials of
    a URL that was written into the wrong key are left out.
    """
    text = ascii(value)
    if "@" in text and ":/" in text:
        text = f"{text.partition(':/')[0]}:/***@{text.rpartition('@')[2]}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_made_of(text: str, first: frozenset[str], further: str, length: int) -> bool:
    """Return whether ``text`` is 1 to ``length`` characters of ``first`` and, from the second on, of ``further``."""
    return 0 < len(text) <= length and text[0] in first and first.union(further).issuperset(text)


def is_slug(text: str) -> bool:
    """Return whether ``text`` is words of a-z and digits, the first of which starts with a letter, between hyphens."""
    return text[:1] in LETTERS and LDH.issuperset(text) and not text.endswith("-") and "--" not in text


def is_label(text: str) -> bool:
    """Return whether ``text`` is an LDH label (RFC 1123 section 2.1) in lower case."""
    return 0 < len(text) <= LABEL_LENGTH and LDH.issuperset(text) and "-" not in (text[0], text[-1])


def reads_as_ip_address(text: str) -> bool:
    """
    Return whether a name whose last label is ``text`` reads as an IP address
    (https://url.spec.whatwg.org/#ends-in-a-number-checker).
    """
    return DIGITS.issuperset(text) or (text.startswith("0x") and HEX_DIGITS.issuperset(text[2:]))


def parse_slug(value: str, *, what: str, length: int) -> str:
    """Return ``value`` when it is a slug of at most ``length`` characters; raises ValueError."""
    if len(value) > length:
        raise ValueError(f"{what} {shown(value)} has {len(value)} characters; at most {length} are accepted.")
    if not is_slug(value):
        raise ValueError(
            f"{what} {shown(value)} is not accepted: it must start with a letter a-z, "
            "go on with letters a-z, digits and single hyphens, and not end with a hyphen."
        )
    return value


def parse_site_id(value: str) -> str:
    """Return the site id ``value``; raises ValueError with a sentence when it is not one."""
    return parse_slug(value, what="The site id", length=SITE_ID_LENGTH)


def parse_codebase(value: str) -> str:
    """Return the name ``value`` of a codebase; raises ValueError with a sentence when it is not one."""
    return parse_slug(value, what="The codebase", length=CODEBASE_LENGTH)


def parse_node_group(value: str) -> str:
    """Return the id ``value`` of a group of nodes; raises ValueError with a sentence when it is not one."""
    return parse_slug(value, what="The group of nodes", length=NODE_LENGTH)


def parse_platform_name(value: str) -> str:
    """Return the platform name ``value``; raises ValueError with a sentence when it is not one."""
    return parse_slug(value, what="The platform name", length=PLATFORM_NAME_LENGTH)


def parse_hostname(value: str) -> str:
    """
    Return ``value`` as the lower-case ASCII hostname that clients send; raises ValueError.

    A name in Unicode becomes its IDNA 2008 A-labels. At most 253 characters, LDH labels of at most
    63 (RFC 1123 section 2.1), at least one dot. IP addresses, wildcards, ports, a trailing dot, and
    labels that mix scripts or look like Latin ones are refused.
    """
    name = value.translate(ASCII_LOWER)
    if not name.isascii() or "xn--" in name:
        name = to_ascii(name)
    if len(name) > HOSTNAME_LENGTH:
        raise ValueError(
            f"The hostname {shown(value)} has {len(name)} characters; at most {HOSTNAME_LENGTH} are accepted."
        )
    if set("/:").intersection(name):
        raise ValueError(
            f"The hostname {shown(value)} is not accepted: write the name alone, without https://, a port or a path."
        )
    if not all(map(is_label, name.split("."))):
        raise ValueError(
            f"The hostname {shown(value)} is not accepted: every part between dots must be 1 to "
            f"{LABEL_LENGTH} letters, digits and hyphens, with no hyphen at either end."
        )
    _, dot, last = name.rpartition(".")
    if not dot:
        raise ValueError(f"The hostname {shown(value)} is not accepted: it must have at least one dot.")
    if reads_as_ip_address(last):
        raise ValueError(
            f"The hostname {shown(value)} is not accepted: it reads as an IP address, and a site needs a name."
        )
    return name


def to_ascii(name: str) -> str:
    import idna  # its tables take milliseconds to load, and few names need them

    labels = name.split(".")
    try:
        # Label by label: idna.encode would also split at full stops of other scripts (UTS 46).
        encoded = [idna.alabel(label).decode() for label in labels]
        unicode_labels = [idna.ulabel(label) for label in encoded]
    except (idna.IDNAError, UnicodeError):
        raise ValueError(
            f"The hostname {shown(name)} is not accepted: it is not a valid IDNA 2008 name in lower case."
        ) from None
    for label in unicode_labels:
        refuse_lookalike(label, tld=encoded[-1])
    return ".".join(encoded)


def refuse_lookalike(label: str, *, tld: str) -> None:
    if label.isascii():
        return
    from wagtail_multihost.spec.scripts import is_mixed, passes_for_latin  # for the same reason

    if is_mixed(label):
        raise ValueError(f"The hostname part {shown(label)} is not accepted: it mixes the letters of several scripts.")
    if passes_for_latin(label, tld=tld):
        raise ValueError(f"The hostname part {shown(label)} is not accepted: it looks like a Latin name.")
