"""
Which scripts a part of a hostname is written in, by Unicode's own data (the ``regex`` package has it).

Rules: Unicode TS 39, section 5.1 (resolved script sets) and 5.2 ("highly restrictive"); Chromium's docs/idn.md for
parts of one script that pass for Latin.
"""

from __future__ import annotations

from functools import lru_cache

import regex

# Scripts that one part may mix (Unicode TS 39, section 5.2).
MIXES = ({"Latn", "Hani", "Hira", "Kana"}, {"Latn", "Hani", "Bopo"}, {"Latn", "Hani", "Hang"})
# Every script of Unicode 15 but Common and Inherited, which go with all (PropertyValueAliases.txt).
SCRIPT_CODES = """\
Latn Hani Hira Kana Hang Cyrl Grek Arab Hebr Thai Deva Beng Taml Telu Knda Mlym Gujr Guru Orya Sinh Geor Armn Ethi
Khmr Laoo Mymr Tibt Thaa Bopo Mong Cher Cans Tfng Nkoo Syrc Adlm Olck Yiii Vaii Lisu Bali Java Sund Cham Cakm Mtei
Newa Rohg Osge Hmnp Wcho Nagm Toto Plrd Limb Lepc Tale Talu Tavt Lana Kali Saur Sylo Bugi Batk Rjng Tglg Hano Buhd
Tagb Aghb Ahom Armi Avst Bamu Bass Bhks Brah Brai Cari Chrs Copt Cpmn Cprt Diak Dogr Dsrt Dupl Egyp Elba Elym Glag
Gong Gonm Goth Gran Hatr Hluw Hmng Hung Ital Kawi Khar Khoj Kits Kthi Lina Linb Lyci Lydi Mahj Maka Mand Mani Marc
Medf Mend Merc Mero Modi Mroo Mult Nand Narb Nbat Nshu Ogam Orkh Osma Ougr Palm Pauc Perm Phag Phli Phlp Phnx Prti
Runr Samr Sarb Sgnw Shaw Shrd Sidd Sind Sogd Sogo Sora Soyo Takr Tang Tirh Tnsa Ugar Vith Wara Xpeo Xsux Yezi Zanb
"""
COMMON = regex.compile(r"[\p{scx=Zyyy}\p{scx=Zinh}]")
# Letters that look like Latin ones, by the script that has them, and the top-level domains whose people read them
# (Chromium: components/url_formatter/spoof_checks/idn_spoof_checker.cc).
LATIN_LOOKALIKES = {
    "Cyrl": ("асԁеһіјӏорԛѕԝхуъьҽпгѵѡ", {"bg", "by", "kz", "pyc", "ru", "su", "ua", "uz"}),
    "Grek": ("αικνορυω", {"gr"}),
}


@lru_cache(maxsize=4096)
def scripts_of(character: str) -> frozenset[str]:
    """Return the scripts that ``character`` is used in (Script_Extensions); none for one that goes with all."""
    if COMMON.match(character):
        return frozenset()
    return frozenset(script for script in SCRIPT_CODES.split() if regex.match(rf"\p{{scx={script}}}", character))


def is_mixed(label: str) -> bool:
    """Return whether ``label`` is neither of one script nor of a mix that its readers know."""
    found = [scripts for scripts in map(scripts_of, label) if scripts]
    one = not found or frozenset.intersection(*found)
    return not one and not any(all(scripts & mix for scripts in found) for mix in MIXES)


def passes_for_latin(label: str, *, tld: str) -> bool:
    """
    Return whether every letter of ``label`` looks like a Latin one, below a Latin top-level domain ``tld`` (in
    ASCII, as clients send it) whose people do not read that script.
    """
    letters = {character for character in label if character.isalpha()}
    if not letters or tld.startswith("xn--"):
        return False
    return any(tld not in readers and letters <= set(alike) for alike, readers in LATIN_LOOKALIKES.values())
