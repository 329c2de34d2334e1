# SPDX-License-Identifier: Apache-2.0
"""What can be the cause of a failure, each with a sentence.

Names are fixed: added to, never changed. A cause names what is wrong, not the message that showed
it: one message can have several causes, and then evidence decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_STORE = {
    "endpoint_unreachable": "The storage endpoint gives no answer: refused, timed out, no route.",
    "endpoint_not_s3_api": "Something answers at the endpoint, and it does not speak S3.",
    "endpoint_includes_bucket": "The endpoint's host holds the bucket already.",
    "virtual_host_style_dns": "bucket.host does not resolve: this store needs path style.",
    "tls_scheme_mismatch": "http is used for a TLS port, or https for a plain one.",
    "tls_unknown_authority": "The store's certificate is of an authority that is not trusted.",
    "tls_name_mismatch": "The store's certificate is for another name.",
    "tls_certificate_expired": "The store's certificate has ended, or has not begun.",
    "rgw_dns_name_misroute": "RGW takes the admin path for a bucket: rgw_dns_name does not fit.",
    "object_store_full": "The store has no room, or a quota is used up.",
}
_KEYS = {
    "access_key_unknown": "The store does not know the access key id.",
    "secret_key_mismatch": "The secret key is not the one of the access key id.",
    "secret_key_url_encoding": "A secret key with / or + stands unescaped in an s3:// URL.",
    "secret_trailing_newline": "A value ends in a newline that is not part of the key.",
    "s3_url_trailing_slash": "The s3:// URL ends in a slash, which spoils the signature.",
    "session_token_expired": "Temporary credentials ran out, and nothing renews them.",
    "clock_skew": "The clocks differ more than a signature allows.",
    "no_credentials_in_chain": "The client looked everywhere and found no credentials.",
    "anonymous_request_sent": "A request went out without any credentials.",
    "static_keys_shadow_role": "Static keys are set, so the role is never asked for.",
}
_PERMISSION = {
    "s3_access_denied_policy": "The key is valid, but a policy does not allow the action.",
    "bucket_policy_explicit_deny": "The bucket's own policy denies the request.",
    "kms_permission_denied": "The bucket's KMS key is not allowed to be used.",
    "bucket_not_found": "The bucket does not exist.",
    "bucket_name_missing": "The bucket's name is empty or was not rendered.",
    "bucket_name_is_path": "The bucket's name contains a slash.",
    "default_bucket_name_used": "The chart's default bucket name is used: the value is at another "
    "path.",
    "wrong_region": "The bucket is in another region than the one configured.",
    "region_missing": "No region, or a placeholder, is configured.",
    "checksum_unsupported": "The store refuses the checksums that newer clients send.",
    "object_lock_checksum_required": "A bucket with object lock needs a checksum.",
}
_STS = {
    "sts_trust_policy_denied": "The role's trust policy refuses this token.",
    "sts_wrong_audience": "The token is for another audience than the provider expects.",
    "sts_oidc_provider_missing": "The account has no identity provider for this issuer.",
    "sts_region_inactive": "STS is not active in this region.",
    "sts_sent_to_storage_endpoint": "The token exchange was sent to the storage endpoint.",
    "sts_plain_http": "The token exchange was sent over plain http.",
    "sts_unreachable": "The STS endpoint gives no answer.",
    "sts_assume_role_chain_denied": "The second role of a role chain cannot be assumed.",
    "sts_role_missing": "The role does not exist or its ARN is invalid.",
    "oidc_issuer_unreachable": "The provider cannot fetch or does not trust the issuer's signing "
    "keys.",
    "oidc_token_invalid": "The provider refuses the token itself: its signature, format or time.",
    "temporary_credentials_refused": "The store refuses the credentials that its own STS just "
    "issued.",
    "token_file_unreadable": "The process cannot read its projected token.",
    "mesh_intercepts_token_exchange": "A service mesh's sidecar breaks the token exchange.",
}
_AZURE = {
    "azure_account_key_invalid": "The account key is wrong, or is not an account key.",
    "azure_rbac_missing": "The identity has no role for the blobs.",
    "azure_authorization_failure": "The storage account's firewall or rules refuse the request.",
    "azure_federated_credential_mismatch": "Issuer, subject or audience differ from the token's.",
    "azure_wi_not_injected": "The pod lacks workload identity's variables or token.",
    "azure_identity_not_assigned": "The node does not have this managed identity.",
    "azure_client_or_tenant_wrong": "The client is not in this tenant, or the tenant does not "
    "exist.",
    "azure_imds_throttled": "The node's token endpoint limits the rate of requests.",
}
_GOOGLE = {
    "gcs_permission_denied": "The identity lacks a permission on the bucket.",
    "gcs_key_json_invalid": "The service account's key is not readable as JSON.",
    "gcs_invalid_jwt": "The key's signature is refused: deleted, wrong, or the clock.",
    "gcs_invalid_credentials_401": "The token or key is not valid.",
    "gcs_scope_insufficient": "The node's scopes do not allow the call.",
    "gcs_wif_pool_missing": "The workload identity pool does not exist.",
    "gcs_wif_audience_mismatch": "The provider expects tokens of another audience.",
    "gcs_wif_issuer_mismatch": "The provider expects tokens of another issuer.",
    "gcs_wif_condition_denied": "The provider's attribute condition rejects this token.",
    "gcs_impersonation_denied": "The federated identity cannot impersonate the service account.",
    "gcs_wif_needs_uniform_access": "Federated identities need uniform bucket-level access.",
}
_AROUND = {
    "rook_object_store_not_ready": "The object store is not ready, so its users wait.",
    "rook_stale_user_secret": "Rook's Secret holds a key that RGW no longer has.",
    "k8s_secret_missing": "A required Secret does not exist.",
    "op_connect_unreachable": "1Password Connect gives no answer, or something else answers.",
    "op_vault_not_found": "The vault was not found.",
    "op_item_not_found": "The item was not found in the vault.",
    "op_field_not_found": "The item has no such field.",
    "op_token_lacks_vault_access": "Connect refuses the token, or it has no access to the vault.",
    "op_rate_limited": "1Password's request quota is used up.",
    "op_write_rejected": "The vault refuses to be written.",
}
_STATIC = {
    "vault_behind_source": "The vault holds an older key than the source.",
    "vault_pair_torn": "The vault's access key id and secret key belong to different keys.",
    "secret_behind_vault": "The Secret is older than the vault.",
    "secret_behind_source": "The Secret has a different key than the source; no vault explains it.",
    "secret_pair_torn": "The Secret's access key id and secret key belong to different keys.",
    "secret_cannot_refresh": "The ExternalSecret never refreshes, but reports Ready.",
    "externalsecret_missing": "The ExternalSecret that delivers the key does not exist.",
    "eso_stopped_by_bad_interval": "One invalid interval stops every ExternalSecret in the "
    "cluster.",
    "eso_store_not_ready": "The SecretStore is not ready, or was not checked again after it was "
    "fixed.",
    "pods_behind_secret": "Pods started before the Secret changed.",
    "rollout_blocked": "The rollout waits for a pod that cannot become ready.",
    "source_key_dead": "The store refuses the source's key.",
    "source_has_no_key": "The source has no key.",
    "source_not_allowed": "The source's owner has not allowed this namespace.",
    "config_behind_values": "Loki's configuration was rendered with an older key than its values.",
    "token_not_allowed": "A Connect token's owner has not allowed this namespace to use it.",
    "address_not_allowed": "A credential's owner has not allowed it to be sent to this address.",
    "store_user_missing": "The store's user does not exist.",
    "user_suspended": "The store's user is suspended.",
    "foreign_key_in_vault": "The vault has a working key that does not come from the source.",
    "vault_value_empty": "A value is empty, but was delivered as a success.",
    "op_item_ambiguous": "Several items have the same title.",
    "op_field_ambiguous": "Several fields have the same label.",
    "eso_target_owned_by_other": "Another ExternalSecret owns the Secret.",
    "pod_will_not_stop": "A terminating pod hangs in its shutdown flush, because its key is "
    "refused.",
    "bridge_overdue": "A replaced key is still valid after its bridge has ended.",
    "wal_not_persistent": "Restarting the pod would lose data that it has not flushed.",
    "eviction_blocked_by_budget": "A PodDisruptionBudget forbids the eviction.",
    "two_writers": "Two StorageCredentials, or lokeys and something else, write to the same place.",
    "rook_generated_secret_blank": "`spec.keys` is set, so Rook empties the Secret that it "
    "generates.",
    "rook_extra_keys_doomed": "Rook's next reconcile will delete keys at RGW.",
    "rook_not_applied": "Rook's phase Ready refers to an older state than the current one.",
    "rook_user_deletion_blocked": "The user is being deleted, and only its bucket delays that.",
}
_CONFIGURATION = {
    "lokistack_secret_keys_wrong": "Keys are missing or empty in a LokiStack's storage Secret.",
    "env_not_expanded": "${VAR} is not expanded.",
    "env_variable_missing": "The configuration uses a variable that the container does not have.",
    "env_expansion_fails": "The configuration has an expression that Loki cannot expand.",
    "half_a_pair": "The configuration has only half of a key pair.",
    "chart_maps_wrong_key": "The chart writes another value into a credential's field.",
    "wrong_storage_backend": "The schema still names a different store than the one configured.",
    "filesystem_store_in_use": "Loki writes to its own disk, not to the store.",
    "backend_not_supported": "This version does not support the store.",
    "client_version_identity": "This version of the client lacks that way to identify itself.",
}

CAUSES: Mapping[str, str] = MappingProxyType(
    {
        **_STORE,
        **_KEYS,
        **_PERMISSION,
        **_STS,
        **_AZURE,
        **_GOOGLE,
        **_AROUND,
        **_STATIC,
        **_CONFIGURATION,
    }
)
"""Every cause there is, with what it means."""
