"""An open question of a verifier, as a wallet sees it, and good and bad answers to it."""

import json
from dataclasses import dataclass

import pytest

from crypto.encoding.canonical_json import JsonObject
from idservice.errors import Code, ServiceError
from idservice.verification import openid4vp
from idservice.verification.openid4vp import ResponseMode
from idservice.verifier import model
from tests.fakes import verifier_office as offices
from tests.fakes.verifier_office import Office
from tests.fakes.verifier_store import MemoryStore


@dataclass
class Question:
    """An open question, as the wallet sees it."""

    office: Office
    started: model.Started
    request: openid4vp.Request

    @property
    def identifier(self) -> str:
        return offices.identifier(self.started)

    @property
    def form(self) -> dict[str, str]:
        return offices.answer(self.office, self.request)

    def respond(self, form: dict[str, str]) -> str | None:
        return self.office.service.respond(self.identifier, form)

    def collect(self, response_code: str | None = None) -> JsonObject | None:
        return self.office.service.collect(self.started.answer_secret, response_code)

    def still_open(self) -> bool:
        """Say whether a good answer is still taken, and accepted: the positive twin."""
        self.respond(self.form)
        collected = self.collect()
        return collected is not None and collected["result"] == "accepted"


def ask(office: Office, mode: ResponseMode = ResponseMode.DIRECT_POST, **more: str) -> Question:
    started = office.start(mode=mode, **more)  # type: ignore[arg-type]
    return Question(office, started, office.open_request(started))


def held(office: Office) -> object:
    assert isinstance(office.store, MemoryStore)
    return offices.rows(office.store)


def refused(code: Code) -> pytest.RaisesExc[ServiceError]:
    return pytest.RaisesExc(ServiceError, check=lambda error: error.code is code)


def shown(question: Question, **changes: object) -> dict[str, str]:
    """Answer in the clear with a presentation of which something is changed."""
    request = question.request
    said: dict[str, object] = {"nonce": request.nonce, "audience": request.client_id, **changes}
    presentation = offices.show(offices.credential(question.office.city), **said)  # type: ignore[arg-type]
    return form_with([presentation], request.state)


def form_with(presentations: list[str], state: str | None) -> dict[str, str]:
    form = {"vp_token": json.dumps({"resident": presentations})}
    return form if state is None else {**form, "state": state}


def verdict(question: Question, form: dict[str, str]) -> JsonObject | None:
    assert question.respond(form) is None
    return question.collect()
