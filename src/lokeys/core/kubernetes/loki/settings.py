# SPDX-License-Identifier: Apache-2.0
"""From the settings in force to the bucket, its address, and where its key pair is set."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from lokeys.core.kubernetes.aws_addresses import domain_of, is_region
from lokeys.core.kubernetes.loki.environment import ContainerEnvironment, Setting
from lokeys.core.kubernetes.loki.marks import Marks, Occurrence
from lokeys.core.kubernetes.loki.model import Half, InManifest, LokiStorage, PairPlace
from lokeys.core.kubernetes.loki.sections import Given, StorageSection

LONGEST_VALUE = 2048
"""Limit for an address or a name; a longer one is not valid."""
_BLANKS = " \t\r\n"
_CHAIN = (
    ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
    ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
)
"""Where the clients look by themselves if the configuration has no key."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoreUrl:
    """`s3://id:secret@host/bucket`; a host without a dot is a region. Parts are texts with marks.

    Secrets may contain slashes, so the userinfo ends at the last `@`.
    """

    scheme: str = ""
    user: str = ""
    host: str = ""
    path: str = ""

    @property
    def is_address(self) -> bool:
        """Tell whether the host is an address, not a region."""
        return "." in self.host

    @property
    def address(self) -> str:
        """Return it with the scheme that Loki uses: an `s3://` is plain http."""
        return f"{self.scheme if self.scheme == 'https' else 'http'}://{self.host}"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """The settings in force, in a container's environment."""

    section: StorageSection
    marks: Marks
    environment: ContainerEnvironment

    def storage(self) -> LokiStorage:
        """Return where Loki writes."""
        newer, url = self.section.newer_client, self._url()
        endpoint, told = self._endpoint(url)
        region = self._known("region") or ("" if url.is_address else url.host)
        style = self._known("style").lower()
        if not (endpoint or told or newer) and is_region(region):
            endpoint = f"https://s3.{region}.{domain_of(region)}"
        bucket = self._known("bucket") or url.path.strip("/")
        return LokiStorage(
            backend=self.section.backend,
            bucket=bucket.split(",")[0].strip(),
            endpoint=endpoint,
            region=region,
            path_style=style not in ("virtual-hosted", "virtual") if newer else style == "true",
            newer_client=newer,
            several=self.section.several,
            told_endpoint=told,
        )

    def pair(self, *, supposed: bool) -> PairPlace | None:
        """Return where the pair is set; None if there is none, so that an identity is used.

        `supposed`: a Secret that could not be read may provide it under AWS's variable names.
        """
        if self._known("native") == "true":
            return self._of_chain(supposed=supposed)
        halves = [self._half(name) for name in ("key_id", "secret")]
        if halves[0] is not None and halves[1] is not None:
            texts = [self.section.text(name) for name in ("key_id", "secret")]
            kept = any(text != text.strip(_BLANKS) for text in texts)
            return PairPlace(key_id=halves[0], secret=halves[1], blanks_kept=kept)
        return self._of_url() or self._of_chain(supposed=supposed)

    def has_half_a_pair(self) -> bool:
        """Tell whether the configuration has one half and certainly not the other."""
        one, other = (self._half(name) for name in ("key_id", "secret"))
        return (one is None) != (other is None)

    def has_pair_of(self, other: S3Settings) -> bool | None:
        """Tell whether both sign with the same pair; None if that is not known."""
        one, two = self.pair(supposed=False), other.pair(supposed=False)
        if one is not None and one == two:
            return True
        values = [
            [each._known(name) for name in ("key_id", "secret")]  # noqa: SLF001 - of its own kind
            for each in (self, other)
        ]
        return values[0] == values[1] if all(all(pair) for pair in values) else None

    def _known(self, name: str) -> str:
        value = self.marks.filled(self.section.text(name)) or ""
        return value.strip(_BLANKS) if len(value) <= LONGEST_VALUE else ""

    def _endpoint(self, url: _StoreUrl) -> tuple[str, bool]:
        """Return the endpoint as a URL, and whether there is one, readable or not."""
        if self.section.text("endpoint").strip(_BLANKS) and self._is_set("endpoint"):
            insecure = self._known("insecure").lower() == "true"
            return _as_url(self._known("endpoint"), insecure=insecure), True
        if url.is_address:
            return _as_url(url.address, insecure=False), True
        for name in () if self.section.newer_client else _ENDPOINTS:
            found = self.environment.settings.get(name)
            if found is not None and found.value != "":
                return _as_url((found.value or "")[:LONGEST_VALUE], insecure=False), True
        return "", False

    def _is_set(self, name: str) -> bool:
        """Tell whether a field is more than variables that are empty or not set."""
        text = self.section.text(name)
        return bool(self.marks.without(text).strip(_BLANKS)) or any(
            placed.setting is not None and placed.setting.value != ""
            for placed in self.marks.within(text)
        )

    def _half(self, name: str) -> Half | None:
        given = self.section.fields.get(name)
        return self._place(given.text, given) if given is not None and self._is_set(name) else None

    def _place(self, text: str, given: Given) -> Half:
        placed = self.marks.alone(text)
        return _origin(placed) if placed is not None else given.place

    def _url(self) -> _StoreUrl:
        text = self.section.text("url")
        if self.marks.alone(text) is not None:
            text = self.marks.filled(text) or ""
        if len(text) > LONGEST_VALUE:
            return _StoreUrl()
        scheme, found, rest = text.strip(_BLANKS).partition("://")
        user, _, place = rest.rpartition("@")
        host, _, path = place.partition("/")
        known = [self.marks.filled(part) or "" for part in (host, path)]
        return _StoreUrl(
            scheme=scheme.lower() if found else "", user=user, host=known[0], path=known[1]
        )

    def _of_url(self) -> PairPlace | None:
        given, user = self.section.fields.get("url"), self._url().user
        key_id, _, secret = user.partition(":")
        if given is None or not (key_id and secret):
            return None
        if self.marks.alone(given.text) is not None:
            place = self._place(given.text, given)
            return PairPlace(key_id=place, secret=place, in_url=True)
        places = [self._place(part, given) for part in (key_id, secret)]
        whole = any(place == given.place for place in places)
        return PairPlace(key_id=places[0], secret=places[1], in_url=whole)

    def _of_chain(self, *, supposed: bool) -> PairPlace | None:
        found = [self._first(names, supposed=supposed) for names in _CHAIN]
        if found[0] is None or found[1] is None:
            return None
        values = [setting.value or "" for setting in found if setting]
        kept = any(value != value.strip(_BLANKS) for value in values)
        one, other = (_origin(Occurrence(name=each.name, setting=each)) for each in found if each)
        return PairPlace(key_id=one, secret=other, blanks_kept=kept)

    def _first(self, names: tuple[str, ...], *, supposed: bool) -> Setting | None:
        known = (self.environment.settings.get(name) for name in names)
        found = next((each for each in known if each is not None and each.value != ""), None)
        if found is not None or not supposed:
            return found
        maybe = self.environment.setting(names[0])
        in_secret = maybe and maybe.origin and maybe.origin.ref.kind == "Secret"
        return maybe if in_secret else None


def _origin(placed: Occurrence) -> Half:
    setting = placed.setting
    if setting is None or setting.origin is None:
        return InManifest(f"variable {placed.name}")
    return setting.origin


def _as_url(endpoint: str, *, insecure: bool) -> str:
    """Return the endpoint as a URL without anything else that was in it."""
    if not endpoint:
        return ""
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    scheme = parts.scheme or ("http" if insecure else "https")
    where = f"[{host}]" if ":" in host else host
    return f"{scheme}://{where}{port}" if host else ""
