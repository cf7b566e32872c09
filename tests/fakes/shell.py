"""A holder at a terminal, and a city behind a socket."""

import json
from dataclasses import dataclass

from typer.testing import CliRunner

from idservice import catalogue
from idservice.cli import holder as shared
from idservice.cli import wallet
from idservice.storage import wallet as storage
from tests.fakes import wire as fake_wire

PASSPHRASE = "correct horse battery"
CHEAP = storage.Cost(passes=1, memory=8 * 1024)


@dataclass
class Shell:
    """A holder at a terminal, and a city."""

    wire: object
    folder: object
    bundle: object

    def run(self, *arguments, given="", passphrase=PASSPHRASE):
        command, *rest = arguments
        return CliRunner().invoke(
            wallet.app,
            [command, "--folder", str(self.folder), *rest],
            input=given,
            env={shared.PASSPHRASE: passphrase},
        )

    def answer(self, *arguments, given=""):
        result = self.run(*arguments, "--json", given=given)
        return result.exit_code, json.loads(result.stdout)

    def receive(
        self,
        *arguments,
        given=fake_wire.TRANSACTION_CODE + "\n",
        configuration=catalogue.CONFIGURATION,
    ):
        root = self.wire.city.trust.root_fingerprint.hex(" ", 2)
        offer = fake_wire.offer(self.wire.city, configuration=configuration)
        link = fake_wire.offer_link(offer)
        return self.run(
            "receive", link, "--trust", str(self.bundle), "--root", root, *arguments, given=given
        )

    def asked(self, name="library", **changes):
        verifier = self.wire.city.verifiers[name]
        asking = fake_wire.asking(
            verifier,
            client_id=verifier.hash_client_id,
            response_uri=f"{self.wire.city.issuer}/answers/1",
            **changes,
        )
        self.wire.answers[asking.response_uri] = fake_wire.as_json(
            {"redirect_uri": "https://library.example/done"}
        )
        address = f"{self.wire.city.issuer}/requests/1"
        self.wire.make_request[address] = lambda nonce: fake_wire.signed(asking, wallet_nonce=nonce)
        invitation = fake_wire.Invitation(
            client_id=asking.client_id, request_uri=address, post=True
        )
        return asking, fake_wire.openid4vp.write_invitation(invitation)

    def posted(self):
        return [one for one in self.wire.sent if one.url.endswith("/answers/1")]
