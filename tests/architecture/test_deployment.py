"""`docker-compose.yml` and the proxy's configuration, checked as files."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from idservice.apps.governance import process, settings
from idservice.apps.register import charters

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OFFICES = {"issuer", "register", "library"}


def test_compose_file_is_valid_by_the_published_schema() -> None:
    schema = ROOT / "tests" / "vectors" / "compose-spec" / "compose-spec.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(COMPOSE)


@pytest.mark.parametrize("office", sorted(OFFICES))
def test_each_office_has_its_own_database_credentials_and_network(office: str) -> None:
    services = COMPOSE["services"]
    environment = services[office]["environment"]
    others = OFFICES - {office}
    assert all(f"@{office}-database/{office}" in address for address in environment.values())
    assert not any(other in str(environment) for other in others)
    assert services[f"{office}-database"]["networks"] == [f"{office}-private"]
    assert f"{office}-private" in services[office]["networks"]
    assert COMPOSE["networks"][f"{office}-private"]["internal"] is True
    for other in others:
        assert f"{other}-private" not in services[office]["networks"]


@pytest.mark.attack("STORE-009")
def test_no_service_logs_or_dumps_core() -> None:
    for service in COMPOSE["services"].values():
        assert service["logging"] == {"driver": "none"}
        assert service["ulimits"] == {"core": 0}


def test_databases_log_no_statement_and_archive_nothing() -> None:
    for name in OFFICES:
        command = COMPOSE["services"][f"{name}-database"]["command"]
        for setting in (
            "log_statement=none",
            "log_parameter_max_length=0",
            "log_parameter_max_length_on_error=0",
            "archive_mode=off",
            "max_replication_slots=0",
        ):
            assert setting in command


def test_the_root_key_is_not_in_any_container() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.rstrip("/") != "./city"
            assert "root" not in source


def test_the_register_finds_all_that_it_reads_of_a_citys_folder() -> None:
    mounted = {volume.split(":")[1] for volume in COMPOSE["services"]["register"]["volumes"]}
    read = (settings.REGISTER_FILE, settings.CHARTER_FILE, settings.LOG_FOLDER)
    assert {f"/city/{each}" for each in (*read, process.BUNDLE_FILE, charters.WITNESSES)} <= mounted


def test_proxy_logs_nothing_and_forwards_nothing_about_the_caller() -> None:
    proxy = (ROOT / "deploy" / "proxy.conf").read_text()
    assert re.search(r"^\s*access_log off;", proxy, re.MULTILINE)
    assert "error_log /dev/null crit;" in proxy
    assert "$remote_addr" not in proxy
    assert "$proxy_add_x_forwarded_for" not in proxy
    for header in ("X-Forwarded-For", "Forwarded", "User-Agent", "Referer", "traceparent"):
        assert f'proxy_set_header {header} "";' in proxy
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in proxy
