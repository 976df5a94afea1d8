"""Likely secrets: each kind is found, the value never shown, and ordinary text let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclaw.tasks import secrets

ROOT = Path(__file__).parents[2]
R36, R40 = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1fG3hJ5", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1fG3hJ5kL7m"


def joined(*parts: str) -> str:
    """Written in pieces, so that no scanner takes this file for a leak."""
    return "".join(parts)


@pytest.mark.parametrize("name", [
    ".env", ".ENV", ".env.local", ".env.production", "prod.env", ".envrc", "id_rsa", "id_ed25519", "deploy_rsa",
    "server.pem",
    "tls.key", "a.p12", ".netrc", "credentials", "credentials.json", "secrets.yaml", "secrets.yml", ".git-credentials",
])  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert secrets.by_name(name)


@pytest.mark.parametrize("name", [
    ".env.example", ".env.sample", ".env.template", "id_rsa.pub", "environment.py", "keys.py", "secrets.py", "env",
    "key.md",
    ".npmrc", "credentials.py", "test_credentials.json.example", "monkey", "secrets.md",
])  # fmt: skip
def test_names_of_no_secrets(name: str) -> None:
    assert not secrets.by_name(name)


@pytest.mark.parametrize(("kind", "text"), [
    ("a private key", joined("-----BEGIN RSA PRIV", "ATE KEY-----\nMIIEpAIBAAKCAQEA", R40, "\n")),
    ("a private key", joined("-----BEGIN PRIV", "ATE KEY-----\\nMIIEpAIBAAKCAQEA", R40)),
    ("a private key", joined("-----BEGIN OPENSSH PRIV", "ATE KEY-----\r\n", R40, R40)),
    ("a private key", joined("-----BEGIN RSA PRIV", "ATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n", R40)),
    ("a private key", joined("-----BEGIN PGP PRIV", "ATE KEY BLOCK-----\nVersion: GnuPG v2\n\n", R40)),
    ("an AWS access key", joined("x = 'AK", "IAQ3EGRKV7JTXLM2PW'")),
    ("a GitHub token", joined("gh", "p_", R36)), ("a GitHub token", joined("github_", "pat_", R36, R36)),
    ("a GitLab token", joined("glp", "at-", R36[:20])), ("an Anthropic key", joined("sk-", "ant-api03-", R40)),
    ("an API key", joined("sk", "-", R40)), ("an API key", joined("sk", "-proj-", R40)),
    ("a Stripe key", joined("sk_", "live_", R36)), ("a Slack token", joined("xo", "xb-123456789012-", R36)),
    ("a Google API key", joined("AI", "za", R36[:35])), ("an npm token", joined("np", "m_", R36)),
    ("an npm token", joined("//registry.npmjs.org/:_auth", "Token=", R36)),
    ("a PyPI token", joined("pypi-", "AgEI", R36, R36)),
    ("a JSON web token", joined("eyJ", "hbGciOiJIUzI1NiJ9.eyJ", "zdWIiOiIxMjM0In0.", R36)),
    ("a password or key", joined('PASSWORD = "', 'tr0ub4dor&3-Xk9q"')),
    ("a password or key", joined("api_key: '", R36, "'")),
    ("a password or key", joined('"clientSecret": "', R36, '"')),
    ("a password or key", joined("export API_TOKEN=", R36)),
    ("a password or key", joined("db_password: ", R36, "  ")),
])  # fmt: skip
def test_secrets_in_text(kind: str, text: str) -> None:
    assert secrets.in_text(f"one\ntwo\n{text}\nend\n") == (kind, 3)


@pytest.mark.parametrize("text", [
    "-----BEGIN PRIVATE KEY----- marks a key", "AKIAIOSFODNN7EXAMPLE", 'token = "abab1212abab1212"',
    ".sk-fading-circle-and-many-more-of-these-classes-x",
    'password = "correct horse"', 'password = "changeme12345678"', 'token = "${GITHUB_TOKEN_2024}"',
    "token = get_token(12, 34)",
    'secret = os.environ["SECRET_2024"]', 'tokenizer = "o200k_base_2024"', 'model_token = "gpt-4o-2024-08-06"',
    "password: {{ vault_password_2024 }}", "_authToken=${NPM_TOKEN}", "sha256: 9f86d081884c7d659a2feaa0c55ad015",
    "max_tokens=200000",
    'PASSWORD_URL = "https://x.y/reset/2024/01"', "token: your-token-here-1234", "api_key = <paste 1234567890 here>",
])  # fmt: skip
def test_no_secrets_in_text(text: str) -> None:
    assert secrets.in_text(f"{text}\n") is None


def test_the_project_itself_has_none() -> None:
    files = [*ROOT.glob("openclaw/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("*.md")]
    assert len(files) > 20
    assert [(file.name, hit) for file in files if (hit := secrets.in_text(file.read_text()))] == []
