"""Likely secrets, by a file's name and by patterns in its text. No message shows the value, only its kind and line."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

_NAMES = (
    ".env", ".env.*", "*.env", ".envrc", "id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk",
    "*_rsa", "*_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx", ".netrc",
    "_netrc", ".pgpass", ".my.cnf", ".pypirc", ".git-credentials", ".htpasswd", ".vault-token", "shadow", "credentials",
    "credentials.json", "credentials.toml", "credentials.y*ml", "secrets.json", "secrets.toml", "secrets.y*ml",
)  # fmt: skip
_HARMLESS = ("example", "sample", "template", "dist", "defaults", "schema")  # .env.example holds no values

# A kind, the literals of which one must be there (a search through a megabyte is quick then), and its pattern.
_TOKENS = (
    ("a private key", ("PRIVATE KEY",),
     r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
     r"(?:(?:[\s\"'+,]|\\[nr]|[A-Z][\w-]{2,30}: [^\n]*\n){1,20}[A-Za-z0-9+/=]{40}"
     r"|\n[^`]{1,9999}-----END [A-Z0-9 ]{0,40}PRIVATE KEY)"),
    ("an AWS access key", ("AKIA", "ASIA"), r"\bA[KS]IA(?![A-Z0-9]{9}EXAMPLE)[A-Z0-9]{16}\b"),
    ("a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b"),
    ("a GitHub token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{60,255}\b"),
    ("a GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("an Anthropic key", ("sk-ant-",), r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("an API key", ("sk-",), r"\bsk-(?!ant-)(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{32,}"),
    ("a Stripe key", ("k_live_",), r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    ("a Slack token", ("xox",), r"\bxox[abeoprs]-[0-9]{6,}[A-Za-z0-9-]{10,}"),
    ("a Google API key", ("AIza",), r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("an npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("an npm token", ("_authToken",), r"_authToken *= *(?![$<{])[^\s\"']{8,}"),
    ("a PyPI token", ("pypi-AgEI",), r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    ("a JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}"),
)  # fmt: skip
_PATTERNS = [(kind, literals, re.compile(pattern)) for kind, literals, pattern in _TOKENS]
_VALUE = re.compile(r"[:=]\s{0,4}(?:[\"']([^\"'\s]{12,200})[\"']|([A-Za-z0-9+/_=-]{16,200})[ \t\r]*$)", re.MULTILINE)
_KEY = re.compile(
    r"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|(?:access|secret|auth|private)[_-]?key)[\"']?\s{0,4}$",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api_?key|(?:access|private|auth)_?key)$")
SHORTEST = 8  # characters: what is shorter is found in ordinary words
_PLACEHOLDER = re.compile(r"(?i)[$<>{}()%]|\.\.|://|example|changeme|placeholder|xxxx|your")
_WORDY = re.compile(r"[a-z]+\d{0,4}|[A-Z]+\d{0,4}|[A-Z][a-z]+\d{0,4}|\d{0,8}[a-z]?")


def by_name(name: str) -> bool:
    """Whether files of this name usually hold secrets."""
    name = name.lower()
    if name.rsplit(".", 1)[-1] in _HARMLESS:
        return False
    return any(fnmatchcase(name, pattern) for pattern in _NAMES)


def in_text(text: str) -> tuple[str, int] | None:
    """The kind of the first likely secret and its line, counted from 1; None if there is none."""
    found = [
        (hit.start(), kind)
        for kind, literals, pattern in _PATTERNS
        if any(literal in text for literal in literals) and (hit := pattern.search(text))
    ]
    for hit in _VALUE.finditer(text):
        at = hit.start()
        if _KEY.search(text[max(0, at - 30) : at]) and _random(hit[1] or hit[2]):
            found.append((at, "a password or key"))
            break
    if not found:
        return None
    at, kind = min(found)
    return kind, text.count("\n", 0, at) + 1


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text with every likely secret replaced by its kind, and every value of `known` too."""
    for value in known:
        if value in text:
            text = text.replace(value, "[a secret of the environment]")
    for kind, literals, pattern in _PATTERNS:
        if any(literal in text for literal in literals):
            text = pattern.sub(f"[{kind}]", text)
    if ":" in text or "=" in text:
        text = _VALUE.sub(lambda hit: _hidden(hit, text), text)
    return text


def values(environ: Mapping[str, str]) -> list[str]:
    """The values in an environment that are secret by the name of their variable, longest first."""
    found = {v for k, v in environ.items() if len(v) >= SHORTEST and _SECRET_NAME.search(k) and not v.startswith("/")}
    return sorted(found, key=len, reverse=True)


def _hidden(hit: re.Match[str], text: str) -> str:
    at = hit.start()
    value = hit[1] or hit[2]
    secret = _KEY.search(text[max(0, at - 30) : at]) and _random(value)
    return hit[0].replace(value, "[a password or key]") if secret else hit[0]


def _random(value: str) -> bool:
    """Whether letters and digits are mixed as no name has them, with at least 3 bits of entropy per character."""
    digits, letters = (sum(map(kind, value)) for kind in (str.isdigit, str.isalpha))
    if digits < 2 or letters < 2 or _PLACEHOLDER.search(value):
        return False
    parts = re.split(r"[-_./:]", value)
    if len(parts) > 1 and all(map(_WORDY.fullmatch, parts)):  # gpt-4o-2024-08-06
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= 3.0
