"""Patterns of personal data and secrets, and what makes a match a real one and no placeholder.

The patterns are for polars and for `re` alike, without looking ahead or behind: what must not stand before or after is
matched outside group 1.
"""

from __future__ import annotations

import ipaddress
import re

# -- e-mail addresses ------------------------------------------------------------------------------------------------

EMAIL = r"(?i)(?:^|[^\w.+%@/-])([a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,18})"
# RFC 2606 and 6761 reserve example.* and four top-level domains; the rest is what people write for "your address".
EXAMPLE_DOMAINS = re.compile(
    r"(?:^|[.@-])(?:example|test|domain|yourdomain|mydomain|samplemail|sample|email|mail|company|yourcompany|companyname|"
    r"mycompany|yourwebsite|website|yoursite|site|business|yourbusiness|businessname|abc|xyz|xxx+|foo|bar|acme|"
    r"[a-z]*company|your[a-z-]+|insert[a-z-]*|somewhere|server|host|provider|fake[a-z]*)"
    r"\.(?:com|org|net|edu|co|io|de|fr|uk|co\.uk|gov|info|biz|cn|email|mail)$|\.(?:test|invalid|localhost|local|example)$"
)
EXAMPLE_USERS = re.compile(
    r"^(?:your|my|user|username|name|first|last|firstname|lastname|someone|somebody|email|mail|example|test|sample|xxx+|"
    r"abc\d*|foo|bar|no-?reply|donotreply|me|you|git|recipient|sender|address|placeholder|account|person|customer|client|"
    r"john\.?_?doe\d*|jane\.?_?doe\d*|(?:john|jane)\.?_?smith\d*|janedoe|johndoe|bob|alice)"
    r"(?:[._-]?(?:name|email|mail|address|user|\d+|first|last|firstname|lastname))*$"
)
PUBLIC_USERS = re.compile(
    r"^(?:info|support|contact|sales|press|media|help|admin|office|hello|service|services|customerservice|jobs|careers|"
    r"privacy|legal|hr|enquiries|inquiries|feedback|webmaster|postmaster|abuse|security|reservations|booking|orders|"
    r"team|marketing|billing|noreply|[a-z]*support|[a-z]*service|events|editor|editors|news|mail)$"
)
FILE_NAMES = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|py|js|ts|css|html|json|md|txt|yml|yaml|service|git)$")


def is_email(text: str) -> bool:
    """A person's address: not reserved for documentation, not a placeholder, not an office's."""
    user, _, domain = text.lower().partition("@")
    if EXAMPLE_DOMAINS.search("@" + domain) or FILE_NAMES.search(domain):
        return False
    if len(user) < 2 or len(domain.split(".")[-2]) < 2 or ".." in user:  # a@b.co
        return False
    return not (EXAMPLE_USERS.match(user) or PUBLIC_USERS.match(user))


# -- telephone numbers -----------------------------------------------------------------------------------------------

PHONE = (
    r"(?:^|[^\w.+$€£=/,#:-]|[a-zA-Z]: ?)("
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"  # +44 20 7946 0018
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}"  # (212) 736-5000
    r"|(?:1[ .-])?\d{3}[-.]\d{3}[-.]\d{4}"  # 212-736-5000
    r"|1[3-9]\d[ -]\d{4}[ -]\d{4}"  # Chinese mobile; eleven digits in a row may be any number
    r")(?:[^\w.%-]|[.-](?:\s|$)|$)"
)


def is_phone(text: str) -> bool:
    """A number that could be dialled: not 555, not a run, not mostly one digit, and not 1-800."""
    digits = re.sub(r"\D", "", text)
    if not 10 <= len(digits) <= 15 or len(set(digits)) < 4:
        return False
    if "1234567" in digits or "9876543" in digits or "0000" in digits or re.search(r"(\d\d\d)\1\1", digits):
        return False
    if text.startswith("+") and not text.startswith("+1"):
        return len(digits) <= 13 or not text[1:].isdigit()  # a longer run of digits is rather a number
    if re.fullmatch(r"1[3-9]\d[ -]\d{4}[ -]\d{4}", text):
        return True
    national = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if len(national) != 10:
        return False
    area, exchange = national[:3], national[3:6]
    toll_free = area in ("800", "833", "844", "855", "866", "877", "888", "900")
    return area[0] in "23456789" and exchange[0] in "23456789" and area != "555" and exchange != "555" and not toll_free


# -- keys and other secrets ------------------------------------------------------------------------------------------

SECRET_GATE = (
    r"sk-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AIza|[sr]k_live_|SG\.|hf_|npm_|pypi-AgE|dop_v1_|shpat_|"
    r"-----BEGIN|eyJ|ya29\."
)
SECRET = (
    r"(?:^|[^A-Za-z0-9_-])("
    r"sk-(?:proj-|ant-[a-z0-9-]{2,10}-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,200}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,100}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|xox[abprs]-[A-Za-z0-9-]{20,200}|AIza[A-Za-z0-9_-]{35}|[sr]k_live_[A-Za-z0-9]{20,200}"
    r"|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{40,250}"
    r"|dop_v1_[a-f0-9]{64}|shpat_[a-f0-9]{32}|ya29\.[A-Za-z0-9_-]{40,250}"
    r"|-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=:,\s-]{64}"
    r"|eyJ[A-Za-z0-9_-]{15,500}\.eyJ[A-Za-z0-9_-]{15,800}\.[A-Za-z0-9_-]{20,400}"
    r")"
)
FAKE_SECRET = re.compile(
    r"(?i)example|your|xxxx|1234567890|abcdefgh|placeholder|insert|dummy|sample|fake|test|secret|redacted"
)


def is_secret(text: str) -> bool:
    """A key that looks drawn at random: digits and letters mixed, many different signs, no word such as EXAMPLE."""
    if text.startswith("-----"):
        return len(set(text)) > 30
    body = text.split("-")[-1] if text.startswith("sk-") and len(text.split("-")[-1]) >= 20 else text[4:]
    if FAKE_SECRET.search(text) or len(set(body)) < (8 if len(body) == 16 else 10):
        return False
    if text.startswith(("AKIA", "ASIA")) or re.search(r"\d", body):
        return bool(re.search(r"[A-Za-z]", body))
    return not text.startswith("sk-") and body != body.lower() and body != body.upper()  # sk- and words is a name


# -- cards and accounts ----------------------------------------------------------------------------------------------

CARD = (
    r"(?:^|[^\w.$-])([2-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5})"
    r"(?:[^\w.-]|[.-](?:\s|$)|$)"
)
CARD_KINDS = re.compile(
    r"^(?:4\d{15}|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14})$"
)
# What card networks and payment services publish for testing.
_TEST_CARDS = """
4111111111111111 4242424242424242 4012888888881881 4222222222222 4000056655665556 5555555555554444
5105105105105100 2223003122003222 2223000048400011 5200828282828210 378282246310005 371449635398431
378734493671000 6011111111111117 6011000990139424 6011981111111113 3056930009020004 30569309025904
38520000023237 3530111333300000 3566002020360505 4000000000000002 4000000000009995 4532015112830366
4539578763621486 4485275742308327 4916338506082832 4532756279624064 5425233430109903 4263982640269299
374245455400126 4716461583322103 4556737586899855 4012001037141112 4917484589897107 4001919257537193
4007702835532454 6362970000457013 6062826786276634 5425233430109903 2222420000001113 2223000048410010
4000000000000000
"""
TEST_CARDS = frozenset(_TEST_CARDS.split())


def luhn(digits: str) -> bool:
    """The mod-10 check of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def is_card(text: str) -> bool:
    """A number of a card network with a right check digit that is no published test number."""
    digits = re.sub(r"\D", "", text)
    fits = CARD_KINDS.match(digits) and luhn(digits) and digits not in TEST_CARDS
    return bool(fits) and len(set(digits)) >= 5 and "123456" not in digits and "000000" not in digits


IBAN = r"(?:^|[^A-Za-z0-9])([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?:[^A-Za-z0-9]|$)"
# ISO 13616 registry: length and countries.
_LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "PT",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
IBAN_LENGTHS = {country: length for length, countries in _LENGTHS.items() for country in countries.split()}
# The examples of the registry and of the banks' own pages.
_TEST_IBANS = """
DE89370400440532013000 GB29NWBK60161331926819 GB82WEST12345698765432 FR1420041010050500013M02606
NL91ABNA0417164300 ES9121000418450200051332 IT60X0542811101000000123456 CH9300762011623852957
AT611904300234573201 BE68539007547034 GB33BUKB20201555555555 FR7630006000011234567890189
DE75512108001245126199 PT50000201231234567890154 IE29AIBK93115212345678 SE4550000000058398257466
NO9386011117947 DK5000400440116243 FI2112345600000785 PL61109010140000071219812874 TR330006100519786457841326
SA0380000000608010167519 AE070331234567890123456
"""
TEST_IBANS = frozenset(_TEST_IBANS.split())


def is_iban(text: str) -> bool:
    """An account number of its country's length, right by ISO 7064 mod 97-10, and no published example."""
    size = IBAN_LENGTHS.get(text[:2], 0)
    whole = re.match(rf"(?:[A-Z0-9] ?){{{size}}}", text) if size else None
    if whole is None or not (whole.end() == len(text) or whole.group().endswith(" ")):  # a short word may follow
        return False
    plain = whole.group().replace(" ", "")
    return plain not in TEST_IBANS and int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


# -- internet addresses ----------------------------------------------------------------------------------------------

IP = r"(?:^|[^\w.:/-]|://|@)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?:[^\w.-]|[.-](?:\s|$)|$)"
# Public resolvers, and what stands for any address.
_COMMON = """
8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 208.67.222.222 208.67.220.220 1.2.3.4 12.34.56.78 123.45.67.89
123.45.67.8 11.22.33.44 98.76.54.32 23.45.67.89 34.56.78.90 45.67.89.12 45.67.89.10 123.123.123.123
111.222.33.44
"""
COMMON = frozenset(_COMMON.split())


def is_ip(text: str) -> bool:
    """A public IPv4 address: not private, reserved or for documentation (RFC 1918, 5737, 6890), no public resolver."""
    try:
        address = ipaddress.IPv4Address(text)
    except ipaddress.AddressValueError:
        return False
    octets = text.split(".")
    version = int(octets[0]) < 12 and all(int(octet) < 30 for octet in octets)  # 2.10.4.1 is rather a section
    counted = text in COMMON or len(set(octets)) == 1 or octets[3] == "0"
    return address.is_global and not address.is_multicast and not counted and not version
