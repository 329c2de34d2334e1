# SPDX-License-Identifier: Apache-2.0
"""The vault port on 1Password Connect. The server is closed source: only the stand-in is asked.

What keeps the stand-in honest is the real External Secrets Operator, which reads from it in the
integration tests.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from contract.serving import serve
from contract.stores import pair_of
from lokeys.adapters.http import make_client
from lokeys.adapters.http_clients import HttpClients
from lokeys.adapters.onepassword.connect import Connect
from lokeys.adapters.onepassword.item import OnePasswordPort
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import OnePasswordVault, PairKeys
from lokeys.core.route.snapshot import Unreadable, VaultFault, VaultState, Why
from lokeys.core.sensitive import Fingerprint, Fingerprinter, KeyPair, Sensitive
from lokeys.demo.parts.connect import ConnectFault, ConnectServer
from lokeys.errors import (
    Conflict,
    LokeysError,
    NeedsHuman,
    NotFound,
    NotShared,
    Throttled,
    Transient,
    Unreachable,
    Waiting,
)
from lokeys.ports import Reading

FINGERPRINTER = Fingerprinter(Sensitive(b"test"), kept=False)
TOKEN = Ref("Secret", "connect-token", "vaults")
OLD, NEW = pair_of("OLDID", "old secret"), pair_of("NEWID", 'new "secret"\\')


class Home:
    """A Connect server with one vault, one item, one token."""

    def __init__(self, url: str, server: ConnectServer) -> None:
        self.url = url
        self.server = server
        self.token = server.add_token()
        self.vault_id = server.add_vault("Homelab")
        fields = [("access_key", "OLDID"), ("secret_key", "old secret"), ("notes", "keep me")]
        self.item_id = server.add_item(self.vault_id, "loki s3", fields)
        self.slept: list[float] = []

    def spec(self, *, vault: str = "Homelab", item: str = "loki s3") -> OnePasswordVault:
        return OnePasswordVault(
            url=self.url,
            token=SecretKeyRef(name="connect-token", key="token"),
            vault=vault,
            item=item,
            fields=PairKeys(access_key_id="access_key", secret_access_key="secret_key"),
        )

    def port(self, clients: HttpClients, spec: OnePasswordVault | None = None) -> OnePasswordPort:
        connect = Connect(
            self.url, token=self.current_token, client=clients.trusting(None), sleep=self.sleep
        )
        return OnePasswordPort(
            spec or self.spec(),
            connect,
            token=TOKEN,
            fingerprinter=FINGERPRINTER,
            sleep=self.sleep,
        )

    async def current_token(self) -> Sensitive:
        return Sensitive(self.token)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def read(self, spec: OnePasswordVault | None = None) -> Reading[VaultState]:
        async def run() -> Reading[VaultState]:
            async with HttpClients() as clients:
                return await self.port(clients, spec).read()

        return asyncio.run(run())

    def state(self, spec: OnePasswordVault | None = None) -> VaultState:
        state = self.read(spec).state
        assert state is not None
        return state

    def write(self, pair: KeyPair, *, over: KeyPair = OLD) -> VaultState:
        async def run() -> VaultState:
            async with HttpClients() as clients:
                return await self.port(clients).write(pair, over=fingerprint(over))

        return asyncio.run(run())

    def values(self) -> dict[str, str]:
        return self.server.values(self.vault_id, self.item_id)

    def calls(self, method: str) -> int:
        return sum(each.method == method for each in self.server.served)


def fingerprint(pair: KeyPair) -> Fingerprint:
    return FINGERPRINTER.describe(pair).pair


@pytest.fixture
def home() -> Iterator[Home]:
    server = ConnectServer()
    with serve(server.handle) as url:
        yield Home(url, server)


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside", [True, False], ids=["outside the cluster", "in the cluster"])
def test_a_name_that_only_the_cluster_knows(*, outside: bool) -> None:
    """From outside it says nothing of Connect; in the cluster it is Connect's own fault."""

    async def run() -> Reading[VaultState]:
        async with HttpClients() as clients:
            home = Home("http://connect.nowhere.invalid", ConnectServer())
            connect = Connect(
                home.url, token=home.current_token, client=clients.trusting(None), sleep=home.sleep
            )
            port = OnePasswordPort(
                home.spec(),
                connect,
                token=TOKEN,
                fingerprinter=FINGERPRINTER,
                sleep=home.sleep,
                outside=outside,
            )
            return await port.read()

    reading = asyncio.run(run())
    assert [gap.why for gap in reading.gaps] == ([Why.UNREACHABLE] if outside else [])
    assert (reading.state and reading.state.fault) == (None if outside else VaultFault.UNREACHABLE)


@pytest.mark.parametrize(
    ("error", "from_here"),
    [(httpx2.ConnectTimeout, True), (httpx2.ReadTimeout, False), (httpx2.ReadError, False)],
)
def test_a_firewall_in_between_is_told_from_a_connect_that_hangs(
    error: type[httpx2.RequestError], *, from_here: bool
) -> None:
    """No connection says something of the place; what was connected to and hangs is Connect."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error("no", request=request)

    async def run() -> Reading[VaultState]:
        client = make_client(transport=httpx2.MockTransport(answer))
        home = Home("http://connect.test", ConnectServer())
        connect = Connect(home.url, token=home.current_token, client=client, sleep=home.sleep)
        async with client:
            port = OnePasswordPort(
                home.spec(),
                connect,
                token=TOKEN,
                fingerprinter=FINGERPRINTER,
                sleep=home.sleep,
                outside=True,
            )
            return await port.read()

    reading = asyncio.run(run())
    assert [gap.why for gap in reading.gaps] == ([Why.UNREACHABLE] if from_here else [])
    assert (reading.state and reading.state.fault) == (
        None if from_here else VaultFault.UNREACHABLE
    )


@pytest.mark.parametrize("by_id", [True, False], ids=["by ids", "by names"])
def test_the_pair_is_read(home: Home, *, by_id: bool) -> None:
    """Vault and item are found by id or by name, and the two fields are the pair."""
    spec = home.spec(vault=home.vault_id, item=home.item_id) if by_id else home.spec()
    reading = home.read(spec)
    assert reading.pair == OLD
    assert reading.state is not None
    assert reading.state.fault is None
    assert reading.state.version == 1
    assert reading.state.updated_at is not None
    assert reading.state.pair == FINGERPRINTER.describe(OLD)
    assert reading.state.fields == ("access_key", "secret_key", "notes")


def test_a_title_may_look_like_an_id(home: Home) -> None:
    """26 letters are tried as an id first, and then as a title."""
    title = "abcdefghijklmnopqrstuvwxyz"
    home.server.add_item(home.vault_id, title, [("access_key", "A"), ("secret_key", "B")])
    assert home.read(home.spec(item=title)).pair == pair_of("A", "B")


@pytest.mark.parametrize("title", ['the "loki" key', "loki's key", "a\\b", "käse & co", "a%20b"])
def test_a_title_may_hold_any_character(home: Home, title: str) -> None:
    """Titles that Connect's filter cannot carry are found too, and only exactly."""
    home.server.add_item(home.vault_id, title, [("access_key", "A"), ("secret_key", "B")])
    assert home.read(home.spec(item=title)).pair == pair_of("A", "B")
    assert home.state(home.spec(item=title + "'")).fault is VaultFault.ITEM_NOT_FOUND


def test_an_unchanged_item_costs_one_call(home: Home) -> None:
    """Once the ids are known, each read is one GET of the item."""

    async def run() -> None:
        async with HttpClients() as clients:
            port = home.port(clients)
            await port.read()
            home.server.served.clear()
            await port.read()
            await port.read()

    asyncio.run(run())
    path = f"/v1/vaults/{home.vault_id}/items/{home.item_id}"
    assert [each.path for each in home.server.served] == [path, path]


def test_an_item_made_anew_under_its_title_is_found_again(home: Home) -> None:
    """Remembered ids that lead nowhere are looked up once more, in the same read."""

    async def run() -> Reading[VaultState]:
        async with HttpClients() as clients:
            port = home.port(clients)
            await port.read()
            home.server.vaults[home.vault_id].items.clear()
            fields = [("access_key", "NEWID"), ("secret_key", 'new "secret"\\')]
            home.server.add_item(home.vault_id, "loki s3", fields)
            return await port.read()

    assert asyncio.run(run()).pair == NEW


def test_a_second_item_of_the_title_is_found_by_looking_afresh(home: Home) -> None:
    """Remembered ids go on leading to the one item; its title does not, for a while."""

    async def run() -> list[VaultFault | None]:
        async with HttpClients() as clients:
            port = home.port(clients)
            await port.read()
            second = home.server.add_item(home.vault_id, "loki s3", [])
            readings = [await port.read(), await port.read(afresh=True), await port.read()]
            del home.server.vaults[home.vault_id].items[second]
            readings += [await port.read()]
            home.server.served.clear()
            readings += [await port.read(afresh=True), await port.read()]
            return [reading.state.fault for reading in readings if reading.state]

    twice = VaultFault.ITEM_AMBIGUOUS
    assert asyncio.run(run()) == [None, twice, twice, None, None, None]
    assert len(home.server.served) == 3


def test_a_vault_out_of_reach_for_a_moment_does_not_cost_the_ids(home: Home) -> None:
    """What Connect could not answer says nothing of the title."""

    async def run() -> VaultFault | None:
        async with HttpClients() as clients:
            port = home.port(clients)
            await port.read()
            home.server.fault = ConnectFault.ERROR_500
            await port.read(afresh=True)
            home.server.fault = None
            home.server.served.clear()
            state = (await port.read()).state
            assert state is not None
            return state.fault

    assert asyncio.run(run()) is None
    assert len(home.server.served) == 1


def test_an_empty_field_is_read_as_empty(home: Home) -> None:
    """A field without a value is a flaw of the pair, not a missing field."""
    home.server.vaults[home.vault_id].items[home.item_id].now["fields"][1].pop("value")
    state = home.state()
    assert state.fault is None
    assert state.pair is not None
    assert state.pair.blank


def test_what_is_missing_or_there_twice_is_named(home: Home) -> None:
    """Each way in which names do not lead to one pair has its own fault."""
    server, vault_id = home.server, home.vault_id
    server.add_item(vault_id, "twice", [])
    server.add_item(vault_id, "twice", [])
    server.add_item(vault_id, "half", [("access_key", "A")])
    doubled = [("access_key", "A"), ("access_key", "B"), ("secret_key", "C")]
    server.add_item(vault_id, "doubled", doubled)
    server.add_vault("Same")
    server.add_vault("Same")

    faults = {
        name: home.state(home.spec(item=name)).fault
        for name in ("twice", "half", "doubled", "Loki S3")
    }
    assert faults == {
        "twice": VaultFault.ITEM_AMBIGUOUS,
        "half": VaultFault.FIELD_NOT_FOUND,
        "doubled": VaultFault.FIELD_AMBIGUOUS,
        "Loki S3": VaultFault.ITEM_NOT_FOUND,
    }
    assert home.state(home.spec(item="half")).fields == ("access_key",)
    assert home.state(home.spec(vault="Nowhere")).fault is VaultFault.VAULT_NOT_FOUND
    assert home.state(home.spec(vault="Same")).fault is VaultFault.VAULT_NOT_FOUND


def test_an_archived_item_does_not_count(home: Home) -> None:
    """An archived item of the same title does not make the title ambiguous."""
    archived = home.server.add_item(home.vault_id, "loki s3", [])
    home.server.vaults[home.vault_id].items[archived].now["state"] = "ARCHIVED"
    assert home.read().pair == OLD


@pytest.mark.parametrize("token", ["wrong", "", "with\nnewline"])
def test_a_bad_token_is_refused(home: Home, token: str) -> None:
    """A token that Connect refuses, or that no header can carry, is the token's fault."""
    home.token = token
    assert home.state().fault is VaultFault.TOKEN_REFUSED


def test_a_mended_token_is_taken_up_at_the_next_read(home: Home) -> None:
    """The token is asked for at each call, so that a mended Secret needs no restart."""

    async def run() -> list[VaultFault | None]:
        async with HttpClients() as clients:
            port = home.port(clients)
            good, home.token = home.token, "wrong"
            first = await port.read()
            home.token = good
            second = await port.read()
            return [reading.state.fault for reading in (first, second) if reading.state]

    assert asyncio.run(run()) == [VaultFault.TOKEN_REFUSED, None]


SPACED = ("access key", "secret key")


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        pytest.param(SPACED, None, id="External Secrets' names for labels with blanks"),
        pytest.param(("access key", "secret_key"), None, id="one of them is the label itself"),
        pytest.param(
            ("access key", "access-key", "secret_key"), None, id="a hyphen stays what it is"
        ),
        pytest.param(
            ("access key", "access/key", "secret_key"),
            VaultFault.FIELD_AMBIGUOUS,
            id="two labels that are delivered alike",
        ),
        pytest.param(("access", "secret_key"), VaultFault.FIELD_NOT_FOUND, id="none"),
    ],
)
def test_a_field_is_found_by_the_name_that_is_delivered(
    home: Home, labels: tuple[str, ...], fault: VaultFault | None
) -> None:
    """A whole item is delivered with other names than its labels: both lead to the field."""
    home.server.add_item(home.vault_id, "spaced", [(label, label) for label in labels])
    reading = home.read(home.spec(item="spaced"))
    assert reading.state is not None
    assert reading.state.fault is fault
    if fault is None:
        assert reading.pair == pair_of("access key", labels[-1])


def test_a_field_of_another_label_is_written(home: Home) -> None:
    """By its id: the label stays as people wrote it."""
    item_id = home.server.add_item(home.vault_id, "spaced", [(each, each) for each in SPACED])

    async def run() -> VaultState:
        async with HttpClients() as clients:
            port = home.port(clients, home.spec(item="spaced"))
            return await port.write(NEW, over=fingerprint(pair_of(*SPACED)))

    asyncio.run(run())
    written = dict(zip(SPACED, ("NEWID", 'new "secret"\\'), strict=True))
    assert home.server.values(home.vault_id, item_id) == written


def test_a_token_without_the_vault_is_forbidden(home: Home) -> None:
    """By id the vault is out of scope; by name the token does not even see it."""
    home.token = home.server.add_token(vaults=frozenset())
    assert home.state(home.spec(vault=home.vault_id)).fault is VaultFault.VAULT_FORBIDDEN
    assert home.state().fault is VaultFault.VAULT_NOT_FOUND


def test_a_token_secret_that_cannot_be_read_is_a_gap(home: Home) -> None:
    """The Secret's own error is data for the report: the Secret is missing, not the item."""

    async def missing() -> Sensitive:
        raise NotFound("Secret vaults/connect-token does not exist")

    home.current_token = missing  # type: ignore[method-assign]
    reading = home.read()
    assert reading.state is None
    assert reading.gaps == (Unreadable(hop=Hop.VAULT, ref=TOKEN, why=Why.NOT_FOUND),)


def test_a_token_that_is_not_shared_is_a_gap(home: Home) -> None:
    """The owner of a Secret in another namespace has not allowed the route's."""

    async def refused() -> Sensitive:
        raise NotShared("Secret vaults/connect-token does not allow namespace monitoring")

    home.current_token = refused  # type: ignore[method-assign]
    (gap,) = home.read().gaps
    assert (gap.ref, gap.why) == (TOKEN, Why.NOT_ALLOWED)
    assert "does not allow namespace monitoring" in gap.detail


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ConnectFault.CLOSE, VaultFault.UNREACHABLE),
        (ConnectFault.TRUNCATED, VaultFault.UNREACHABLE),
        (ConnectFault.ERROR_500, VaultFault.UNREACHABLE),
        (ConnectFault.ERROR_503, VaultFault.UNREACHABLE),
        (ConnectFault.HTML, VaultFault.NOT_CONNECT),
        (ConnectFault.HUGE, VaultFault.NOT_CONNECT),
        (ConnectFault.UNAUTHORIZED, VaultFault.TOKEN_REFUSED),
        (ConnectFault.FORBIDDEN, VaultFault.VAULT_FORBIDDEN),
        (ConnectFault.NOT_FOUND, VaultFault.ITEM_NOT_FOUND),
        (ConnectFault.RATE_LIMITED, VaultFault.RATE_LIMITED),
    ],
)
def test_a_server_in_trouble_has_its_fault(
    home: Home, fault: ConnectFault, expected: VaultFault
) -> None:
    """Every trouble of the server becomes the state's fault, and reading never raises."""
    home.server.fault = fault
    state = home.state()
    assert state.fault is expected
    assert state.detail


def test_a_server_that_is_not_there_is_unreachable(home: Home) -> None:
    """A refused connection is no answer."""
    home.url = "http://127.0.0.1:1"
    assert home.state().fault is VaultFault.UNREACHABLE


@pytest.mark.parametrize(("times", "fault"), [(3, None), (4, VaultFault.VAULT_FORBIDDEN)])
def test_a_spurious_403_is_asked_again_three_times(
    home: Home, times: int, fault: VaultFault | None
) -> None:
    """Connect's 403 without a reason is retried three times, a tenth of a second apart."""
    home.server.spurious_403s = times
    assert home.state().fault is fault
    assert home.slept == [0.1] * 3


# --- writing ------------------------------------------------------------------------------------


def test_nothing_is_written_where_two_items_have_the_title(home: Home) -> None:
    """The id that was found first is not enough: which one is meant only a person knows."""

    async def run() -> None:
        async with HttpClients() as clients:
            port = home.port(clients)
            await port.read()
            home.server.add_item(home.vault_id, "loki s3", [])
            with pytest.raises(Conflict, match="2 items are called"):
                await port.write(NEW, over=fingerprint(OLD))
            state = (await port.read()).state
            assert state is not None
            assert state.fault is VaultFault.ITEM_AMBIGUOUS

    asyncio.run(run())
    assert home.calls("PATCH") == 0


def test_a_pair_is_written_with_one_patch_and_nothing_else_changes(home: Home) -> None:
    """Both fields change in one version; other fields stay as they are."""
    state = home.write(NEW)
    assert state.pair == FINGERPRINTER.describe(NEW)
    assert state.version == 2
    assert home.calls("PATCH") == 1
    assert home.values() == {
        "access_key": "NEWID",
        "secret_key": 'new "secret"\\',
        "notes": "keep me",
    }


def test_a_field_that_was_never_filled_can_be_written(home: Home) -> None:
    """A missing value is added, not replaced."""
    home.server.vaults[home.vault_id].items[home.item_id].now["fields"][1].pop("value")
    home.write(NEW, over=pair_of("OLDID", ""))
    assert home.values()["secret_key"] == 'new "secret"\\'


def test_a_pair_that_is_there_already_is_not_written_again(home: Home) -> None:
    """Writing what the item holds costs a read and no version."""
    assert home.write(OLD, over=NEW).version == 1
    assert home.calls("PATCH") == 0


def test_a_foreign_edit_stops_the_write(home: Home) -> None:
    """An item that no longer holds what was seen is not overwritten."""
    home.server.edit(home.vault_id, home.item_id, access_key="THEIRS")
    with pytest.raises(Conflict):
        home.write(NEW)
    assert home.calls("PATCH") == 0


@pytest.mark.parametrize("reads", [1, 3, 7])
def test_a_lagging_server_is_waited_for(home: Home, reads: int) -> None:
    """The write returns only when a read shows the new version with both values."""
    home.server.lag_reads = reads
    assert home.write(NEW).version == 2
    assert len(home.slept) == reads
    assert home.slept == sorted(home.slept)


def test_a_server_that_lags_too_long_is_left_for_later(home: Home) -> None:
    """After ten seconds the write is a thing to wait for; it is not made again."""
    home.server.lag = timedelta(hours=1)
    with pytest.raises(Waiting):
        home.write(NEW)
    assert 9 < sum(home.slept) < 11
    assert home.calls("PATCH") == 1


def test_an_edit_right_after_ours_is_noticed(home: Home) -> None:
    """A newer version with other values in the read-back is a conflict, not a success."""
    home.server.lag_reads = 1

    async def meddle(seconds: float) -> None:
        home.slept.append(seconds)
        home.server.lag_reads = 0
        home.server.edit(home.vault_id, home.item_id, secret_key="theirs")

    home.sleep = meddle  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="right after us"):
        home.write(NEW)


@pytest.mark.parametrize(
    "pair", [pair_of("", "x"), pair_of("x", ""), pair_of("x", b"\xff")], ids=str
)
def test_no_broken_pair_is_ever_written(home: Home, pair: KeyPair) -> None:
    """Half a pair, or one that JSON cannot hold, stays out of the vault."""
    with pytest.raises(NeedsHuman):
        home.write(pair)
    assert home.calls("PATCH") == 0
    assert home.values()["access_key"] == "OLDID"


def test_a_token_that_may_only_read_needs_a_person(home: Home) -> None:
    """A refused PATCH says that writing is refused, and the item keeps its pair."""
    home.token = home.server.add_token(writes=False)
    with pytest.raises(NeedsHuman, match="writing is refused"):
        home.write(NEW)
    assert home.values()["access_key"] == "OLDID"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ConnectFault.CLOSE, Unreachable),
        (ConnectFault.ERROR_500, Transient),
        (ConnectFault.HTML, Transient),
        (ConnectFault.RATE_LIMITED, Throttled),
        (ConnectFault.UNAUTHORIZED, NeedsHuman),
        (ConnectFault.NOT_FOUND, NeedsHuman),
    ],
)
def test_a_write_to_a_server_in_trouble_says_what_to_do(
    home: Home, fault: ConnectFault, error: type[LokeysError]
) -> None:
    """Every trouble becomes the error class that says what the caller must do."""
    home.server.fault = fault
    with pytest.raises(error) as caught:
        home.write(NEW)
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after_s == home.server.retry_after_s


def test_no_state_or_error_holds_a_secret(home: Home) -> None:
    """Neither token nor values are in what is raised or returned."""
    secrets = (home.token, "OLDID", "old secret", "NEWID", 'new "secret"')
    said = [repr(home.read())]
    for fault in [*ConnectFault, None]:
        if fault in {ConnectFault.HANG, ConnectFault.SLOW}:
            continue
        home.server.fault = fault
        said.append(repr(home.read()))
        try:
            said.append(repr(home.write(NEW)))
        except LokeysError as error:
            said += [repr(error), str(error), repr(error.__context__), repr(error.__cause__)]
    assert not any(secret in text for secret in secrets for text in said)
