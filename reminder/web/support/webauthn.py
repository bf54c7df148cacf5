"""Passkeys: the options for the browser, and the verification of its answers by the package webauthn."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import webauthn
from fastapi import Request
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from reminder.errors import RefusedInputError
from reminder.storage.auth.accounts import AccountView
from reminder.wiring import App

Credential = Mapping[str, Any]
# The longest credential id (WebAuthn Level 3, 5.1.3), and twice the public key of RSA with 4096 bits.
LONGEST_ID, LONGEST_KEY = 1023, 2048


@dataclass(frozen=True)
class Site:
    """The name for which a passkey is valid, and the origin from which it may be used."""

    name: str
    origin: str


def site_of(request: Request, app: App) -> Site:
    """Return the site of the public address; without one, of this machine's own names."""
    public = app.settings.public_url
    if public is not None:
        return Site(urlsplit(public).hostname or "", public)
    host = request.headers.get("host", "")
    name = urlsplit(f"//{host}").hostname or ""
    if name not in ("localhost", "127.0.0.1", "::1"):
        raise RefusedInputError("passkey_refused")
    return Site(name, f"http://{host}")


def options_to_register(
    site: Site, account: AccountView, challenge: bytes, known: Sequence[bytes]
) -> Mapping[str, object]:
    """Return the options for registering a passkey; `known` are not offered again."""
    options = webauthn.generate_registration_options(
        rp_id=site.name,
        rp_name="期限だより",
        user_id=str(account.id).encode(),
        user_name=account.address,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return cast(Mapping[str, object], json.loads(webauthn.options_to_json(options)))


def options_to_sign_in(site: Site, challenge: bytes) -> Mapping[str, object]:
    """Return the options for signing in."""
    options = webauthn.generate_authentication_options(
        rp_id=site.name, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
    )
    return cast(Mapping[str, object], json.loads(webauthn.options_to_json(options)))


def read_registration(site: Site, credential: Credential) -> tuple[bytes, VerifiedRegistration]:
    """Return the challenge that was signed, to look it up, and the new passkey. Raises RefusedInputError."""
    with _refused_unless_well():
        challenge = _challenge(credential)
        made = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            require_user_verification=True,
        )
        if not 0 < len(made.credential_id) <= LONGEST_ID or not 0 < len(made.credential_public_key) <= LONGEST_KEY:
            raise ValueError
    return challenge, made


def read_signature(site: Site, credential: Credential, public_key: bytes, sign_count: int) -> tuple[bytes, int]:
    """Return the challenge that was signed, to look it up, and the passkey's new count. Raises RefusedInputError."""
    with _refused_unless_well():
        challenge = _challenge(credential)
        checked = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    return challenge, checked.new_sign_count


def credential_id(credential: Credential) -> bytes:
    """Return the id of the passkey. Raises RefusedInputError."""
    with _refused_unless_well():
        found = base64url_to_bytes(str(credential["rawId"])[: LONGEST_ID * 2])
    return bytes(found)


def _challenge(credential: Credential) -> bytes:
    said = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    return base64url_to_bytes(said["challenge"])


@contextmanager
def _refused_unless_well() -> Iterator[None]:
    """Turn whatever is raised while strangers' bytes are read into one refusal, which holds nothing of them.

    The package reads CBOR, ASN.1, JSON and keys by others; what each of them may raise is nowhere listed.
    """
    try:
        yield
    except Exception:  # noqa: BLE001  # of any class: see above
        raise RefusedInputError("passkey_refused") from None
