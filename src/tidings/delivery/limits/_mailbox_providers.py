"""Who runs the mailboxes of a domain: limits and reputation belong to Google or Microsoft, not to each of their domains.

Known by the domain itself for the large public ones, else by where its MX records point, else the domain stands alone.
"""

from collections.abc import Iterable

OTHER = "other"
"""Of a domain whose MX is not known yet, or belongs to nobody in the table."""

# Domains that people have addresses at. Country domains of the same name count too: see `_FAMILIES`.
_DOMAINS: dict[str, str] = {
    "gmail.com": "google",
    "googlemail.com": "google",
    "google.com": "google",
    "outlook.com": "microsoft",
    "passport.com": "microsoft",
    "windowslive.com": "microsoft",
    "msn.com": "microsoft",
    "aol.com": "yahoo",
    "aim.com": "yahoo",
    "ymail.com": "yahoo",
    "rocketmail.com": "yahoo",
    "myyahoo.com": "yahoo",
    "verizon.net": "yahoo",
    "sky.com": "yahoo",
    "icloud.com": "apple",
    "me.com": "apple",
    "mac.com": "apple",
    "comcast.net": "comcast",
    "xfinity.com": "comcast",
    "t-online.de": "t-online",
    "magenta.de": "t-online",
    "web.de": "united internet",
    "gmx.de": "united internet",
    "gmx.net": "united internet",
    "gmx.at": "united internet",
    "gmx.ch": "united internet",
    "gmx.com": "united internet",
    "mail.com": "united internet",
    "freenet.de": "freenet",
    "orange.fr": "orange",
    "wanadoo.fr": "orange",
    "laposte.net": "laposte",
    "free.fr": "free",
    "sfr.fr": "sfr",
    "libero.it": "libero",
    "virgilio.it": "libero",
    "mail.ru": "mail.ru",
    "bk.ru": "mail.ru",
    "inbox.ru": "mail.ru",
    "list.ru": "mail.ru",
    "yandex.ru": "yandex",
    "yandex.com": "yandex",
    "ya.ru": "yandex",
    "qq.com": "tencent",
    "foxmail.com": "tencent",
    "163.com": "netease",
    "126.com": "netease",
    "yeah.net": "netease",
    "naver.com": "naver",
    "proton.me": "proton",
    "protonmail.com": "proton",
    "pm.me": "proton",
    "fastmail.com": "fastmail",
    "zoho.com": "zoho",
    "seznam.cz": "seznam",
    "wp.pl": "wp",
    "o2.pl": "wp",
    "onet.pl": "onet",
    "btinternet.com": "bt",
    "att.net": "yahoo",
    "sbcglobal.net": "yahoo",
    "bellsouth.net": "yahoo",
}

# The name before a country's ending: hotmail.fr, yahoo.co.jp, live.co.uk. (yahoo.co.jp is another company's, with its own rules.)
_FAMILIES = {"hotmail": "microsoft", "outlook": "microsoft", "live": "microsoft", "yahoo": "yahoo", "aol": "yahoo"}
_APART = {"yahoo.co.jp": "yahoo japan"}

# Where MX records point, by the end of the host's name. From the providers' own set-up pages.
_MX: tuple[tuple[str, str], ...] = (
    ("google.com", "google"),
    ("googlemail.com", "google"),
    ("protection.outlook.com", "microsoft"),
    ("mx.microsoft", "microsoft"),
    ("olc.protection.outlook.com", "microsoft"),
    ("hotmail.com", "microsoft"),
    ("yahoodns.net", "yahoo"),
    ("mail.icloud.com", "apple"),
    ("comcast.net", "comcast"),
    ("t-online.de", "t-online"),
    ("web.de", "united internet"),
    ("gmx.net", "united internet"),
    ("kundenserver.de", "united internet"),
    ("ionos.com", "united internet"),
    ("pphosted.com", "proofpoint"),
    ("ppe-hosted.com", "proofpoint"),
    ("mimecast.com", "mimecast"),
    ("barracudanetworks.com", "barracuda"),
    ("messagingengine.com", "fastmail"),
    ("protonmail.ch", "proton"),
    ("zoho.com", "zoho"),
    ("zoho.eu", "zoho"),
    ("yandex.net", "yandex"),
    ("yandex.ru", "yandex"),
    ("mail.ru", "mail.ru"),
    ("qq.com", "tencent"),
    ("orange.fr", "orange"),
    ("secureserver.net", "godaddy"),
    ("emailsrvr.com", "rackspace"),
    ("ovh.net", "ovh"),
)

NAMES = tuple(sorted({*_DOMAINS.values(), *_FAMILIES.values(), *_APART.values(), *(name for _, name in _MX)}))
"""All names that the tables can give."""


def by_domain(domain: str) -> str | None:
    """Who runs a well-known domain (lower case, ASCII); None when its MX must tell."""
    known = _APART.get(domain) or _DOMAINS.get(domain)
    if known:
        return known
    labels = domain.split(".")
    country = len(labels) == 2 or (len(labels) == 3 and labels[1] in {"co", "com"})
    return _FAMILIES.get(labels[0]) if country else None


def by_mx(hosts: Iterable[str]) -> str | None:
    """Who runs a domain with these MX hosts (as `10 host`, or bare): the first, by preference, that the table knows."""
    for host in sorted(hosts, key=_preference):
        name = host.rpartition(" ")[2].rstrip(".").lower()
        for suffix, provider in _MX:
            if name == suffix or name.endswith("." + suffix):
                return provider
    return None


def _preference(host: str) -> tuple[int, str]:
    number, _, name = host.rpartition(" ")
    return (int(number) if number.isdecimal() else 0, name)
