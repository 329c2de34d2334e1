# SPDX-License-Identifier: Apache-2.0
"""Which Secrets an object makes, and their keys as far as its manifest names them.

It knows the kinds of `lokeys.core.kubernetes.makers`, and any Crossplane object that writes a
connection Secret; ExternalSecrets have their own reader. Nothing is guessed: if a manifest does not
name all keys, `complete` is False. Names are returned as they are written: callers that print them
limit their length (`lokeys.core.text.words`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from lokeys.core.kubernetes.json_fields import Json, at, mappings_at, text_at
from lokeys.core.kubernetes.makers import kind_of
from lokeys.core.kubernetes.rook import key_secrets
from lokeys.core.place import Ref

MAX_MADE = 64
"""Limit for the Secrets of one object; real objects make a handful."""

MAX_TEXTS = 256
"""Limit for the arguments of one Job's containers."""

MAX_SCRIPT = 1 << 16
"""Limit for the characters of one such argument, which may be a whole script."""

ANYWHERE = None
"""The namespace of what is made in several namespaces, which the manifest does not list."""

_AWS_PAIR = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
_WORD = re.compile(r"[-.\w]+")
_ENCRYPTED = "ENC["  # how SOPS writes a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A Secret that `maker` makes.

    `secret` has no namespace if it is made in several, and no name if that cannot be read. `keys`
    are those that the manifest names; `complete` tells whether they are all. `literals` are the
    values that the manifest has in their final form.
    """

    secret: Ref
    maker: Ref
    keys: frozenset[str] = frozenset()
    complete: bool = False
    literals: Mapping[str, str] = field(default_factory=dict, repr=False)

    def is_for(self, secret: Ref) -> bool:
        """Tell whether this is, or may be, that Secret."""
        same_name = self.secret.name in ("", secret.name)
        return same_name and self.secret.namespace in (ANYWHERE, secret.namespace)


def made_by(manifest: Json, *, namespace: str) -> tuple[Made, ...]:
    """Return the Secrets that an object makes; `namespace` is used if it does not name one.

    Empty for unknown kinds, and if the manifest is not valid.
    """
    kind = str(manifest.get("kind"))
    read = _READERS.get(kind) if kind_of(manifest) else None
    if read is None and at(manifest, "spec", "writeConnectionSecretToRef") is not None:
        read = _connection
    if read is None:
        return ()
    own = text_at(manifest, "metadata", "namespace") or namespace
    maker = Ref(kind, text_at(manifest, "metadata", "name"), own)
    return tuple(
        Made(secret=secret, maker=maker, keys=keys, complete=complete, literals=literals)
        for secret, keys, complete, literals in islice(read(manifest, own), MAX_MADE)
    )


def bundle_keys(manifest: Json) -> frozenset[str]:
    """Return the keys of the ConfigMaps that trust-manager makes from a Bundle, in its name."""
    target = at(manifest, "spec", "target", "configMap")
    formats = _mapping(at(manifest, "spec", "target", "additionalFormats"))
    listed = _listed({"a": target}, "key", "a", "data") if isinstance(target, Mapping) else ()
    named = (text_at(target, "key"), *listed, *(text_at(each, "key") for each in formats.values()))
    return frozenset(filter(None, named))


def may_make(manifest: Json, secret: str) -> bool:
    """Tell whether a Job, such as a hook of Helm or Argo CD, runs a script that names a Secret."""
    if manifest.get("kind") not in ("Job", "CronJob"):
        return False
    spec = at(manifest, "spec")
    pod = at(at(spec, "jobTemplate", "spec") or spec, "template", "spec")
    orders = islice(_orders(pod), MAX_TEXTS)
    return any(secret in _WORD.findall(text[:MAX_SCRIPT]) for text in orders)


def _orders(pod: object) -> Iterator[str]:
    """Yield the commands and arguments of a pod's containers."""
    for container in (*mappings_at(pod, "containers"), *mappings_at(pod, "initContainers")):
        for part in ("command", "args"):
            said = at(container, part)
            yield from map(str, said if isinstance(said, list) else ())
        for variable in mappings_at(container, "env"):
            yield text_at(variable, "value")


_Row = tuple[Ref, frozenset[str], bool, Mapping[str, str]]


def _row(
    name: str,
    namespace: str | None,
    keys: Mapping[str, object] | frozenset[str] = frozenset(),
    *,
    complete: bool = False,
) -> Iterator[_Row]:
    if name:
        literals = {
            str(key): text
            for key, text in (keys.items() if isinstance(keys, Mapping) else ())
            if isinstance(text, str) and "{{" not in text and not text.startswith(_ENCRYPTED)
        }
        ref = Ref("Secret", name, namespace)
        yield ref, frozenset(map(str, keys)), complete, literals


def _mapping(obj: object, *path: str) -> Mapping[str, object]:
    found = at(obj, *path)
    return found if isinstance(found, Mapping) else {}


def _listed(obj: Json, key: str, *path: str) -> frozenset[str]:
    return frozenset(filter(None, (text_at(each, key) for each in mappings_at(obj, *path))))


def _one_password(obj: Json, namespace: str) -> Iterator[_Row]:
    template = frozenset(map(str, _mapping(obj, "spec", "template", "data")))
    return _row(text_at(obj, "metadata", "name"), namespace, template, complete=bool(template))


def _vault(obj: Json, namespace: str) -> Iterator[_Row]:
    """Read the destination of a VaultStaticSecret, VaultDynamicSecret and similar kinds."""
    destination = at(obj, "spec", "destination")
    if at(destination, "create") is not True:
        return  # it writes to a Secret that exists
    said = at(destination, "transformation")
    excludes = at(said, "excludes")
    whole = isinstance(excludes, list) and ".*" in excludes and not at(said, "transformationRefs")
    keys = frozenset(map(str, _mapping(said, "templates")))
    yield from _row(text_at(destination, "name"), namespace, keys, complete=whole)


def _vault_of_ricoberger(obj: Json, namespace: str) -> Iterator[_Row]:
    templates, keys = _mapping(obj, "spec", "templates"), at(obj, "spec", "keys")
    named = frozenset(map(str, templates or (keys if isinstance(keys, list) else ())))
    return _row(text_at(obj, "metadata", "name"), namespace, named, complete=bool(named))


def _infisical(obj: Json, namespace: str) -> Iterator[_Row]:
    listed = mappings_at(obj, "spec", "managedKubeSecretReferences")
    for said in (at(obj, "spec", "managedSecretReference"), *listed):
        template = at(said, "template")
        keys = frozenset(map(str, _mapping(template, "data")))
        whole = bool(keys) and at(template, "includeAllSecrets") is not True
        where = text_at(said, "secretNamespace") or namespace
        yield from _row(text_at(said, "secretName"), where, keys, complete=whole)


def _doppler(obj: Json, namespace: str) -> Iterator[_Row]:
    said = at(obj, "spec", "managedSecret")
    return _row(text_at(said, "name"), text_at(said, "namespace") or namespace)


def _bitwarden(obj: Json, namespace: str) -> Iterator[_Row]:
    keys = _listed(obj, "secretKeyName", "spec", "map")
    whole = bool(keys) and at(obj, "spec", "onlyMappedSecrets") is not False
    return _row(text_at(obj, "spec", "secretName"), namespace, keys, complete=whole)


def _sops(obj: Json, namespace: str) -> Iterator[_Row]:
    templates = at(obj, "spec", "secretTemplates") or at(obj, "spec", "secret_templates")
    if not isinstance(templates, list):
        return
    for said in (each for each in templates if isinstance(each, Mapping)):
        name = text_at(said, "name")
        if name.startswith(_ENCRYPTED):  # the names are encrypted, too
            yield Ref("Secret", "", namespace), frozenset(), False, {}
        else:
            plain = {**dict.fromkeys(_mapping(said, "data")), **_mapping(said, "stringData")}
            yield from _row(name, namespace, plain, complete=True)


def _sealed(obj: Json, namespace: str) -> Iterator[_Row]:
    sealed = dict.fromkeys(_mapping(obj, "spec", "encryptedData"))
    keys = {**sealed, **_mapping(obj, "spec", "template", "data")}
    return _row(text_at(obj, "metadata", "name"), namespace, keys, complete=bool(keys))


def _claim(obj: Json, namespace: str) -> Iterator[_Row]:
    return _row(text_at(obj, "metadata", "name"), namespace, _AWS_PAIR, complete=True)


def _rook(obj: Json, namespace: str) -> Iterator[_Row]:
    generated = key_secrets({**obj, "metadata": {**_mapping(obj, "metadata")}}).generated
    keys = frozenset({"AccessKey", "SecretKey", "Endpoint"})
    return _row(generated.name, namespace, keys, complete=True)


def _noobaa(obj: Json, namespace: str) -> Iterator[_Row]:
    name = f"noobaa-account-{text_at(obj, 'metadata', 'name')}"
    return _row(name, namespace, _AWS_PAIR, complete=True)


def _certificate(obj: Json, namespace: str) -> Iterator[_Row]:
    return _row(
        text_at(obj, "spec", "secretName"), namespace, frozenset({"tls.crt", "tls.key"})
    )  # and ca.crt, where the issuer has one


def _provider_class(obj: Json, namespace: str) -> Iterator[_Row]:
    for said in mappings_at(obj, "spec", "secretObjects"):
        keys = _listed(said, "key", "data")
        yield from _row(text_at(said, "secretName"), namespace, keys, complete=bool(keys))


def _key_vault(obj: Json, namespace: str) -> Iterator[_Row]:
    said = at(obj, "spec", "output", "secret")
    return _row(
        text_at(said, "name"), namespace, frozenset(filter(None, [text_at(said, "dataKey")]))
    )


def _terraform(obj: Json, namespace: str) -> Iterator[_Row]:
    said = at(obj, "spec", "writeOutputsToSecret")
    outputs = at(said, "outputs")
    named = frozenset(
        str(each).rpartition(":")[2] for each in (outputs if isinstance(outputs, list) else ())
    )
    return _row(text_at(said, "name"), namespace, named, complete=bool(named))


def _connection(obj: Json, namespace: str) -> Iterator[_Row]:
    said = at(obj, "spec", "writeConnectionSecretToRef")
    return _row(text_at(said, "name"), text_at(said, "namespace") or namespace)


def _request(obj: Json, namespace: str) -> Iterator[_Row]:
    said = at(obj, "spec", "secretRef")
    return _row(text_at(said, "name"), text_at(said, "namespace") or namespace)


def _policy(obj: Json, _namespace: str) -> Iterator[_Row]:
    for rule in mappings_at(obj, "spec", "rules"):
        said = at(rule, "generate")
        name, where = text_at(said, "name"), text_at(said, "namespace")
        if text_at(said, "kind") == "Secret" and "{{" not in name:
            keys = frozenset(map(str, _mapping(said, "data", "data")))
            yield from _row(name, ANYWHERE if "{{" in where else where or ANYWHERE, keys)


def _everywhere(obj: Json, _namespace: str) -> Iterator[_Row]:
    keys = frozenset(map(str, _mapping(obj, "data")))
    return _row(text_at(obj, "metadata", "name"), ANYWHERE, keys, complete=bool(keys))


def _carvel(obj: Json, namespace: str) -> Iterator[_Row]:
    template = at(obj, "spec", "template")
    keys = frozenset(map(str, (*_mapping(template, "data"), *_mapping(template, "stringData"))))
    return _row(text_at(obj, "metadata", "name"), namespace, keys, complete=bool(keys))


def _generators(obj: Json, namespace: str) -> Iterator[_Row]:
    """Read the Secrets that a kustomization generates; it may append a hash to their names."""
    for said in mappings_at(obj, "secretGenerator"):
        literals, whole = {}, not (at(said, "envs") or at(said, "env"))
        for each in _words(said, "literals"):
            key, _, text = each.partition("=")
            literals[key] = text.strip("'\"")
        files = {_key_of_file(each): None for each in _words(said, "files")}
        where = text_at(obj, "namespace") or text_at(said, "namespace") or namespace
        yield from _row(text_at(said, "name"), where, {**files, **literals}, complete=whole)


def _words(obj: Json, name: str) -> list[str]:
    found = at(obj, name)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _key_of_file(said: str) -> str:
    key, sign, _ = said.partition("=")
    return key if sign else said.rpartition("/")[2]


_Read = Callable[[Json, str], Iterator[_Row]]
_READERS: Mapping[str, _Read] = {
    "Kustomization": _generators,
    "Component": _generators,
    "OnePasswordItem": _one_password,
    "VaultStaticSecret": _vault,
    "VaultDynamicSecret": _vault,
    "VaultPKISecret": _vault,
    "HCPVaultSecretsApp": _vault,
    "VaultSecret": _vault_of_ricoberger,
    "SealedSecret": _sealed,
    "SopsSecret": _sops,
    "InfisicalSecret": _infisical,
    "InfisicalDynamicSecret": _infisical,
    "DopplerSecret": _doppler,
    "BitwardenSecret": _bitwarden,
    "AzureKeyVaultSecret": _key_vault,
    "SecretProviderClass": _provider_class,
    "ObjectBucketClaim": _claim,
    "CephObjectStoreUser": _rook,
    "NooBaaAccount": _noobaa,
    "Certificate": _certificate,
    "CredentialsRequest": _request,
    "Terraform": _terraform,
    "ClusterPolicy": _policy,
    "Policy": _policy,
    "ClusterSecret": _everywhere,
    "SecretTemplate": _carvel,
    "SecretImport": _carvel,
}
