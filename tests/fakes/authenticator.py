"""A passkey's authenticator: it makes credentials and signs challenges, as a telephone does."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """`site` is the name for which its passkeys are valid, `origin` where the browser is."""

    site: str = "127.0.0.1"
    origin: str = "http://127.0.0.1:8000"
    credential_id: bytes = b"a credential of 32 bytes in all."
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.derive_private_key(4711, ec.SECP256R1()))
    count: int = 0

    @property
    def cose_key(self) -> dict[int, object]:
        numbers = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def register(self, challenge: str, cose_key: object = None, **changed: object) -> dict[str, Any]:
        """`cose_key`: what stands for the public key; `changed`: parts of the attestation."""
        key = cbor2.dumps(self.cose_key if cose_key is None else cose_key)
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + key
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested, **changed}
        return self._credential(
            {
                "clientDataJSON": b64(self._client("webauthn.create", challenge)),
                "attestationObject": b64(cbor2.dumps(attestation)),
                "transports": ["internal"],
            }
        )

    def sign(self, challenge: str) -> dict[str, Any]:
        self.count += 1
        client, data = self._client("webauthn.get", challenge), self._data(0)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(signature),
                "userHandle": "MQ",
            }
        )

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, more: int) -> bytes:
        named = hashlib.sha256(self.site.encode()).digest()
        return named + bytes([PRESENT | VERIFIED | more]) + self.count.to_bytes(4, "big")

    def _credential(self, response: dict[str, object]) -> dict[str, Any]:
        name = b64(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
