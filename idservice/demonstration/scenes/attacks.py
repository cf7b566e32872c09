"""What somebody tries: asking too much, borrowing a policy, replaying, stealing a phone.

The over-asking verifier is a small server here that holds the bar's real key and certificate:
the bar's software, changed by its owner.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typing_extensions import override

from crypto.jose import jws
from idservice import clock, period
from idservice.apps import key_files
from idservice.demonstration import story as stories
from idservice.demonstration.household import Holder
from idservice.demonstration.stage import Stuck
from idservice.demonstration.story import Story
from idservice.period import Period
from idservice.verification import dcql, openid4vp
from idservice.wallet.model import WalletError
from idservice.wallet.question import Objection

_HOUR: Final = 3600


def ask_too_much(story: Story) -> None:
    """Let the bar's owner change the software: more facts, then a borrowed policy."""
    tell = story.narrator
    tell.act("The bar asks too much, then borrows the bank's policy")
    holder, honest, secret = stories.question(story, "Mei", "bar")
    for label, policy, required in (
        ("own policy, but with birth_date", "bar-age-18", ("age_over_18", "birth_date")),
        ("the bank's policy id", "bank-account", ("given_name", "family_name", "birth_date")),
    ):
        query = dcql.for_facts(vct=honest.policy.vct, required=required, optional=())
        asked = replace(honest.request, policy=policy, query=query, wallet_nonce=None)
        with _dishonest(story, asked) as invitation:
            objection = holder.service.ask(invitation)
        if not isinstance(objection, Objection):
            raise Stuck("the wallet would have answered a request beyond its policy")
        tell.sent("bar asks with", label)
        tell.bad(f"the wallet tells Mei: {objection.sentence}")
    holder.service.refuse(honest.request)
    answer = stories.fetch_answer(story, "bar", secret)
    tell.received("the bar learns", stories.summary(answer))
    tell.say("The same as if Mei had no card, or did not wish to.")
    counter = story.town.counters["bar"]
    direct = httpx.post(
        f"{counter.base_url}/v1/requests",
        headers={"Authorization": f"Bearer {counter.api_key}"},
        json={"policy": "bank-account"},
    )
    tell.received("unchanged software", f"{direct.status_code} {direct.json()['code']}")


@contextmanager
def _dishonest(story: Story, asked: openid4vp.Request) -> Iterator[str]:
    """Serve a request that the bar signed and no policy allows; lend the invitation."""
    counter = story.town.counters["bar"]
    signer = jws.es256_signer(key_files.read_p256(counter.folder / "verifier.key"))
    certificate = x509.load_pem_x509_certificate((counter.folder / "verifier.crt").read_bytes())
    path = (certificate.public_bytes(Encoding.DER),)
    token = openid4vp.sign_request(asked, path=path, signer=signer).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/oauth-authz-req+jwt")
            self.send_header("Content-Length", str(len(token)))
            self.end_headers()
            self.wfile.write(token)

        @override
        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield openid4vp.write_invitation(
            openid4vp.Invitation(
                client_id=counter.client_id,
                request_uri=f"http://127.0.0.1:{server.server_port}/request",
                post=False,
            )
        )
    finally:
        server.shutdown()
        server.server_close()


def replay(story: Story) -> None:
    """Send a captured answer again, to the same verifier and to another."""
    tell = story.narrator
    tell.act("A replay: the captured answer is sent again")
    holder, asked, secret = stories.question(story, "Amina", "library")
    holder.service.answer(asked, shared=(), reuse=False)
    captured = holder.wire.last_post()
    stories.fetch_answer(story, "library", secret)
    tell.good("the first time it counts")
    for label, url in (
        ("to the library again", captured.url),
        ("to the bank", _other(story, captured.url)),
    ):
        again = httpx.post(
            url, content=captured.body, headers={"Content-Type": captured.headers["Content-Type"]}
        )
        tell.bad(f"{label}: {again.status_code} {again.json()['error']}")


def _other(story: Story, url: str) -> str:
    return url.replace(
        story.town.counters["library"].base_url, story.town.counters["bank"].base_url
    )


def steal(story: Story) -> None:
    """Steal Rosa's phone; the thief renews; Rosa's slip kills every generation."""
    tell, town = story.narrator, story.town
    tell.act("Rosa's phone is stolen; the thief renews; the slip kills everything")
    now = clock.SystemClock().now()
    following = Period(period.of(now) + 1)
    begin = period.not_before(following)
    offset = max(begin - period.RENEWAL_WINDOW + _HOUR - now, 0)
    town.move_clock(offset, "issuer", "library")
    tell.say(f"{offset // period.DAY} days on, in the renewal window (the offices' clock moved):")
    rosa = story.holders["Rosa"]
    thief = story.household.open("thief", stolen=rosa, owner=rosa.name, offset=offset)
    thief.service.renew()
    tell.good("the thief saw Rosa's passphrase, and renews: 20 instances for the next period")
    _show(story, thief)
    tell.say("Rosa gives the slip at any desk; nobody asks who she is:")
    thief.service.withdraw(story.slips["Rosa"])
    tell.sent("POST /v1/withdraw", "the slip's secret, and nothing else")
    story.clock_offset = offset = begin + 3 * _HOUR - now
    town.move_clock(offset, "issuer", "library")
    tell.say("The next period begins; its first status list is out. The renewed card:")
    _show(story, story.household.open("later", stolen=thief, owner=rosa.name, offset=offset))
    again = story.household.open("again", stolen=rosa, owner=rosa.name, offset=offset)
    try:
        again.service.renew()
    except WalletError as error:
        tell.bad(f"the thief renews once more: {error}")
    else:
        raise Stuck("a withdrawn card was renewed")
    stories.show_rows(story, "What the issuer holds of it", [town.issuer_folder])


def _show(story: Story, thief: Holder) -> None:
    """Let the thief go to the library."""
    tell = story.narrator
    started = stories.start_request(story, "library")
    asked = thief.service.ask(str(started["authorization_request"]))
    if isinstance(asked, Objection):
        raise Stuck(f"the thief's wallet objects: {asked.sentence}")
    thief.service.answer(asked, shared=(), reuse=False)
    answer = stories.fetch_answer(story, "library", str(started["answer_secret"]))
    tell.received("the library gets", stories.summary(answer))
